//! What a bead changed.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::BeadId;

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
