//! Which provider takes a bead, and why. Deciding is pure: a bead and its candidates in, one
//! decision with every candidate's factors out; the foreman carries it out and stores the
//! reasons, which is what `rigs why` prints.

pub(crate) mod affinity;
mod decide;
pub(crate) mod explore;
pub(crate) mod outcomes;
pub(crate) mod plan;
mod ruled;
pub(crate) mod store;

pub(crate) use decide::{Candidate, Decision, Room, decide};
pub(crate) use ruled::rule;
