//! Rules and budgets to a verdict, purely: the same policy, facts and time give the same verdict.
//!
//! ```text
//!   policy.toml ─ read ─ Policy (with its hash) ─┐
//!   bead, provider, tank, budgets ─ Facts ───────┼─ evaluate ─ Verdict: what, by which rule, why
//!   now ─────────────────────────────────────────┘
//! ```
//!
//! Only [`live`] touches the disk: it keeps the newest policy that could be read.

pub(crate) mod budget;
mod envelope;
mod evaluate;
mod facts;
pub(crate) mod live;
pub(crate) mod matching;
pub(crate) mod names;
mod read;
mod rule;
#[cfg(test)]
mod tests;
pub(crate) mod truth;

pub(crate) use budget::{Budget, Need, Reached, Spent, Standing, standing};
pub(crate) use envelope::Envelope;
pub(crate) use evaluate::{Explained, Step, Verdict, evaluate, explain};
pub(crate) use facts::{Facts, WindowFacts};
#[cfg(any(test, feature = "bench"))]
pub(crate) use read::read;
pub(crate) use rule::{Action, Does, Effort, Modify, Policy, Rule, Scope, Unknown};
