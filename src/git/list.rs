//! What there is in a repository.

use std::path::{Path, PathBuf};

use super::{GitError, Repo, admin};

impl Repo {
    /// Names of the branches below `prefix`, which ends in `/`.
    pub(crate) async fn branches(&self, prefix: &str) -> Result<Vec<String>, GitError> {
        let pattern = format!("refs/heads/{prefix}");
        let args = ["for-each-ref", "--format=%(refname:lstrip=2)", &pattern];
        let place = self.checkout();
        let found = self.call(&place, &args).text().await?;
        Ok(found.lines().map(str::to_owned).collect())
    }

    /// Worktrees that were made directly in `below`, whose folder somebody took away and of which
    /// this repository still has the record. `remove_worktree` ends that, and keeps their work.
    pub(crate) fn lost_worktrees(&self, below: &Path) -> Result<Vec<PathBuf>, GitError> {
        Ok(admin::without_folder(&self.common, below)?)
    }
}
