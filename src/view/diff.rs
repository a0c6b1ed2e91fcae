//! What a bead or a convoy changed.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{BeadId, ConvoyId};

/// The work of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Diff {
    pub(crate) bead_id: BeadId,
    /// Commit that the attempt started from.
    pub(crate) from: String,
    /// Commit with its work.
    pub(crate) to: String,
    /// Unified diff; the middle is left out of a very long one.
    pub(crate) text: String,
}

/// What the finished beads of a convoy changed together. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ConvoyDiff {
    pub(crate) convoy_id: ConvoyId,
    /// Commit that the convoy started from.
    pub(crate) from: String,
    /// Commit of its branch.
    pub(crate) to: String,
    /// Subjects of the commits between them, newest first.
    pub(crate) commits: Vec<String>,
    pub(crate) files: Vec<FileChanged>,
    /// Unified diff; the middle is left out of a very long one. Empty with `--stat`.
    pub(crate) text: String,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FileChanged {
    pub(crate) path: String,
    /// Lines; 0 for binary files.
    pub(crate) added: u64,
    pub(crate) deleted: u64,
    /// `added`, `modified`, `deleted`, `type_changed` or `conflicted`.
    pub(crate) change: &'static str,
}
