//! What a provider can do, and what a bead may do.

use super::words::word_enum;

word_enum! {
    /// What a provider can produce. Work that changes files needs `edit`.
    pub(crate) enum Capability as "capability" {
        Text = "text",
        Edit = "edit",
    }
}

word_enum! {
    /// What the agent of a bead is allowed to do in its worktree, from least to most.
    pub(crate) enum Permission as "permission" {
        Read = "read",
        Edit = "edit",
        /// Everything the agent's own program can do; explicit opt-in only.
        Full = "full",
    }
}
