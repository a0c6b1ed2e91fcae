//! A loopback stand-in for the providers' servers. It speaks their protocols, answers from a
//! script, keeps count of what it told its clients they used, and checks what they send.
//!
//! ```text
//! client --HTTP--> server: one thread per connection
//!                    |  http      bytes to Request, Reply to bytes
//!                    |  state     counts, records, walls, what comes next in the script
//!                    |  dialect   what a request says, how an answer is put (pure)
//!                    v
//!                  Reply
//! ```
//!
//! Model calls are told apart by a tag in the base URL (`/__m/<tag>/v1/messages`): one lab serves
//! several providers, each with its own script, limits and counts. The lab listens on 127.0.0.1
//! only, holds bounded amounts of everything, and ends with its handle.

mod anthropic;
mod chat;
mod dialect;
mod gemini;
mod http;
mod knobs;
mod limits;
mod ollama;
mod pages;
mod responses;
mod route;
mod script;
mod server;
mod state;
mod tools;

pub(crate) use limits::{Limits, Quota, Share, Window};
pub(crate) use script::{Failure, Fault, Rule, Script, Step, Usage};
pub(crate) use server::Upstream;
pub(crate) use state::Counts;
