//! A GGUF model inside this process, in pure Rust, behind the cargo feature `local-llm`.
//!
//! ```text
//! complete() --lock--> Engine, on a blocking thread:
//!     prompt  (special tokens only from us)  --chunks--> weights
//!     logits --grammar, penalty--> token --bytes--> piece of text --> caller
//! ```
//!
//! One answer at a time per model: the weights hold the conversation's state. A caller that gives
//! up is noticed before the next token or chunk.

#[cfg(not(feature = "local-llm"))]
mod absent;
#[cfg(feature = "local-llm")]
mod chat;
#[cfg(test)]
#[cfg(all(feature = "e2e", feature = "local-llm"))]
mod e2e;
#[cfg(feature = "local-llm")]
mod engine;
#[cfg(feature = "local-llm")]
mod grammar;
#[cfg(feature = "local-llm")]
mod model;
#[cfg(feature = "local-llm")]
mod requantise;
#[cfg(test)]
#[cfg(feature = "local-llm")]
mod tests;
#[cfg(feature = "local-llm")]
mod threads;
#[cfg(feature = "local-llm")]
mod weights;

#[cfg(not(feature = "local-llm"))]
pub(crate) use absent::Embedded;
#[cfg(feature = "local-llm")]
pub(crate) use model::Embedded;

/// Tokens of prompt and answer together.
#[cfg(feature = "local-llm")]
const WINDOW: u64 = 4096;
