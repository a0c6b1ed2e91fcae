//! Where everything of one home directory lives.

use std::path::{Path, PathBuf};

/// The layout below `$RIGS_HOME` (default `~/.rigs`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    home: PathBuf,
    worktrees: PathBuf,
}

impl Paths {
    pub(crate) fn new(home: PathBuf, worktree_dir: Option<PathBuf>) -> Self {
        let worktrees = worktree_dir.unwrap_or_else(|| home.join("worktrees"));
        Self { home, worktrees }
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home.join("config.toml")
    }

    /// The rules, where the settings name no other file.
    pub(crate) fn policy(&self) -> PathBuf {
        self.home.join("policy.toml")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.home.join("rigs.db")
    }

    /// Copies of the store that were not given another place.
    pub(crate) fn backups(&self) -> PathBuf {
        self.home.join("backups")
    }

    /// Held by the running foreman.
    pub(crate) fn lock(&self) -> PathBuf {
        self.home.join("foreman.lock")
    }

    /// Held by the foreman in the background, also while it waits for its turn.
    pub(crate) fn daemon_lock(&self) -> PathBuf {
        self.home.join("daemon.lock")
    }

    /// What the foreman in the background says.
    pub(crate) fn foreman_log(&self) -> PathBuf {
        self.home.join("logs").join("foreman.log")
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.home.join("models")
    }

    /// The worktree of one bead.
    pub(crate) fn worktree(&self, bead: &crate::core::BeadId) -> PathBuf {
        self.worktrees.join(bead.as_str())
    }

    pub(crate) fn worktrees(&self) -> &Path {
        &self.worktrees
    }

    /// The text result of one bead.
    pub(crate) fn outputs(&self, bead: &crate::core::BeadId) -> PathBuf {
        self.home.join("outputs").join(bead.as_str())
    }

    /// The log of one attempt: everything its program printed.
    pub(crate) fn attempt_log(&self, bead: &crate::core::BeadId, attempt: i64) -> PathBuf {
        self.home
            .join("logs")
            .join(bead.as_str())
            .join(format!("{attempt}.log"))
    }

    /// What a provider's program keeps when it is not to use the person's own home: settings that
    /// rigs wrote, and its sessions.
    pub(crate) fn agent_home(&self, provider: &crate::core::ProviderName) -> PathBuf {
        self.home.join("agents").join(provider.as_str())
    }

    /// A private folder for temporary files.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.home.join("tmp")
    }
}
