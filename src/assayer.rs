//! The assayer: plans a goal into beads, lays out and tightens prompts, estimates runs and
//! checks results. Plain rules do every stage; a language model, where there is one, plans first
//! and is believed only as far as its plan can be validated.

pub(crate) mod calibration;
pub(crate) mod chain;
pub(crate) mod estimator;
pub(crate) mod gates;
mod inside;
pub(crate) mod optimizer;
pub(crate) mod picture;
pub(crate) mod plan;
pub(crate) mod planner;
pub(crate) mod prompt;
pub(crate) mod quality;
pub(crate) mod store;
pub(crate) mod tokens;

pub(crate) use picture::Picture;
pub(crate) use plan::Plan;
