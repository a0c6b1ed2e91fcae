//! The tanks: what every provider still has, counted window by window.
//!
//! Three things make a tank. The *ledger* says what was used here, the *observations* say what
//! the provider itself told, and the *reservations* say what is promised to running attempts.
//! From these and a point in time everything else follows purely: windows, health, whether an
//! ask fits and, if not, when it will.
//!
//! ```text
//!   config limits ─┐
//!   observations ──┼─ frame ─ count (ledger) ─ window ─┐
//!   reservations ──┘                                   ├─ tank ─ admit ─ yes | no, until
//!   circuits ──────────────────────────────────────────┘
//! ```
//!
//! Files without `store` in their path do no I/O. Unknown is a state of its own: a window of
//! unknown level is neither full nor empty, and lets one bead through at a time.

pub(crate) mod admit;
#[cfg(test)]
pub(crate) mod brute;
pub(crate) mod circuit;
pub(crate) mod configured;
pub(crate) mod forecast;
pub(crate) mod frame;
pub(crate) mod json;
pub(crate) mod keeping;
pub(crate) mod learn;
pub(crate) mod quota;
pub(crate) mod risk;
pub(crate) mod sources;
pub(crate) mod store;
pub(crate) mod stored;
pub(crate) mod tank;
pub(crate) mod tidy;
pub(crate) mod window;

pub(crate) use admit::{Admit, Ask, Why, admit};
pub(crate) use json::{TankView, WindowView};
pub(crate) use tank::{Health, Tank, TankSettings};
pub(crate) use window::{Confidence, Window as TankWindow};
