//! What a simulated provider makes up.

use serde::{Deserialize, Serialize};

use crate::core::words::word_enum;

word_enum! {
    /// What simulated runs do to the files of their worktree.
    pub(crate) enum SimEdits as "way to edit" {
        /// A file of the bead's own, so that everything can be merged.
        Own = "own",
        /// One file for all beads, so that those at work at the same time meet in a conflict.
        Shared = "shared",
        /// Nothing: work on a repository is refused for want of changes.
        None = "none",
    }
}

/// `[providers.NAME.sim]`. Runs are drawn from it, always the same ones for the same seed, bead
/// and attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct SimSettings {
    /// Another seed, other runs.
    pub(crate) seed: u64,
    /// Median tokens of a run, up to 1,000,000,000; that of the bead's estimate when not set.
    pub(crate) tokens_p50: Option<u64>,
    /// Spread of the tokens, the sigma of a log-normal: 0 (all alike) to 3.
    pub(crate) tokens_sigma: f64,
    /// Median seconds of a run, 0 to 86,400.
    pub(crate) seconds_p50: f64,
    /// Spread of the seconds, 0 to 3.
    pub(crate) seconds_sigma: f64,
    /// Share of runs whose work is worth nothing, so that the gate sends it back, 0 to 1.
    pub(crate) reworked: f64,
    /// Share of runs that report a failure.
    pub(crate) failed: f64,
    /// Share of runs that meet a wall.
    pub(crate) wall: f64,
    /// Share of runs that end without a word, as of a program that crashes.
    pub(crate) crash: f64,
    /// How long a wall stands, in seconds, 1 to 604,800.
    pub(crate) wall_seconds: u64,
    /// What a run does in its worktree: a file of its `own`, one that all have `shared`, or `none`.
    pub(crate) edits: SimEdits,
}

impl Default for SimSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            tokens_p50: None,
            tokens_sigma: 0.5,
            seconds_p50: 5.0,
            seconds_sigma: 0.3,
            reworked: 0.0,
            failed: 0.0,
            wall: 0.0,
            crash: 0.0,
            wall_seconds: 60,
            edits: SimEdits::Own,
        }
    }
}

impl SimSettings {
    /// The shares of runs that do not end well, by the names of their keys; the rest does.
    pub(crate) fn shares(&self) -> [(&'static str, f64); 4] {
        [
            ("reworked", self.reworked),
            ("failed", self.failed),
            ("wall", self.wall),
            ("crash", self.crash),
        ]
    }
}
