//! What an import did.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::BeadId;

/// The beads of a file, as they are in the store now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Import")]
pub(crate) struct ImportView {
    /// Beads that were stored; with `--dry-run` that would be.
    pub(crate) imported: u64,
    /// Beads that were in the store already, and are as they were.
    pub(crate) there_already: u64,
    /// Lines that are no work.
    pub(crate) skipped: u64,
    /// The first beads that were stored.
    pub(crate) ids: Vec<BeadId>,
    /// What was left out of them.
    pub(crate) notes: Vec<String>,
}
