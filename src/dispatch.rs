//! Which provider takes a bead, and why. Deciding is pure: a bead and its candidates in, one
//! decision with every candidate's factors out; the foreman carries it out and stores the
//! reasons, which is what `rigs why` prints.

mod advice;
pub(crate) mod affinity;
pub(crate) mod board;
mod decide;
pub(crate) mod explore;
pub(crate) mod outcomes;
pub(crate) mod plan;
mod ruled;
pub(crate) mod store;

pub(crate) use advice::{Advice, Advised, advise, by_age, is_worthwhile};
pub(crate) use decide::{Candidate, Decision, Room, decide};
pub(crate) use ruled::rule;
