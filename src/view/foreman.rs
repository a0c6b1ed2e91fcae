//! The foreman: who runs the loop, what it works on, when something happens next.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::status::{ForemanView, NextView, RunView};
use crate::core::{BeadId, Timestamp};
use crate::depot::store::Halted;

/// A foreman that was started in the background.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ForemanStarted")]
pub(crate) struct Started {
    pub(crate) pid: u32,
    pub(crate) since: Timestamp,
    /// The process that runs the loop until it ends; `null` when the new one does.
    pub(crate) waits_for: Option<u32>,
    /// What it says is written here.
    pub(crate) log: PathBuf,
}

/// Foremen that were told to stop, and have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ForemanStopped")]
pub(crate) struct Stopped {
    pub(crate) pids: Vec<u32>,
    pub(crate) duration_ms: u64,
}

/// Everything was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AllStopped {
    pub(crate) since: Timestamp,
    /// What the person said about it.
    pub(crate) reason: Option<String>,
    /// Beads whose runs were ended; they go on after `rigs thaw`.
    pub(crate) put_back: Vec<BeadId>,
}

/// Beads are started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Thawed {
    pub(crate) stopped_since: Timestamp,
    /// Whether a process is there to start them.
    pub(crate) running: bool,
}

/// Whether the loop runs, and what it does.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ForemanStatus {
    /// Whether any process runs the loop.
    pub(crate) running: bool,
    pub(crate) foreman: Option<ForemanView>,
    /// A foreman in the background that waits until the other process has ended.
    pub(crate) waiting: Option<ForemanView>,
    pub(crate) at_work: Vec<RunView>,
    /// Beads that wait for their turn or for capacity.
    pub(crate) queued: u64,
    pub(crate) deferred: u64,
    /// When the first deferred bead can go on.
    pub(crate) next_wake: Option<Timestamp>,
    /// Which bead that is, and what it waits for.
    pub(crate) next: Option<NextView>,
    /// Since when `rigs stop --all` holds; `null` when beads are started.
    pub(crate) halted: Option<Halted>,
    /// Why this machine has no room for one more agent; `null` when it has.
    pub(crate) host: Option<String>,
    /// Where a foreman in the background writes.
    pub(crate) log: PathBuf,
}
