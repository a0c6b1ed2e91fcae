//! The depot: beads, what they depend on, the convoys they belong to, the attempts at them and
//! what became of those. Everything that changes a bead's status is here, one transaction with
//! its event each; the rules are the table in `core::bead_state`.

mod attempt;
mod bead;
mod convoy;
pub(crate) mod files;
pub(crate) mod lines;
pub(crate) mod rank;
pub(crate) mod store;

pub(crate) use attempt::{Attempt, AttemptEnd, Completion, Verdict};
pub(crate) use bead::{
    Arrival, Bead, BeadEdit, BeadFilter, Conflict, Deferral, NewBead, Open, Ready,
};
pub(crate) use convoy::{Base, Convoy, NewConvoy, Progress};
pub(crate) use store::DepotError;

pub(crate) use crate::db::Act;

/// The right to finish an attempt: its number and the owner of its lease. A completion with an
/// older one is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) attempt: i64,
    pub(crate) owner: String,
}
