//! The life of a convoy. Its progress is derived from its beads and never stored.

use super::words::word_enum;

word_enum! {
    pub(crate) enum ConvoyStatus as "convoy status" {
        Planning = "planning",
        Queued = "queued",
        InProgress = "in_progress",
        Paused = "paused",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl ConvoyStatus {
    /// Whether no more work will happen unless someone asks for it.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}
