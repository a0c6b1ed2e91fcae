//! Merging in a worktree of our own.

use std::path::Path;

use super::stage::{Staged, head};
use super::worktree::{Entered, Worktree};
use super::{GitError, Message, Repo, names, one_line_end};

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Merge {
    /// The merge commit, which the worktree's HEAD is at.
    Merged(String),
    /// All of it was there already.
    UpToDate,
    /// Both sides changed these; the worktree is as it was.
    Conflict { files: Vec<String> },
}

/// A merge commit always, but not made yet.
const MERGE: &[&str] = &[
    "merge",
    "--no-ff",
    "--no-commit",
    "--no-edit",
    "--no-verify",
    "--no-gpg-sign",
    "--no-verify-signatures",
    "--no-stat",
    "--quiet",
];

impl Repo {
    /// Merges `commit` into what the worktree at `path` is at, always with a merge commit. HEAD
    /// leaves its branch before: it is for the caller to advance a branch, once the result was
    /// checked. Uncommitted work there is kept under `refs/rigs/rescue/`, then cleared away.
    pub(crate) async fn merge_in(
        &self,
        path: &Path,
        commit: &str,
        message: &Message,
    ) -> Result<Merge, GitError> {
        names::commit(commit)?;
        let worktree = self.worktree(path);
        let entered = worktree.enter_to_write()?;
        let before = head(&self.git, &entered.place).await?;
        worktree.detach(&entered, &before).await?;
        if !worktree.is_clean().await? {
            worktree.rescue(&entered).await?;
            worktree.clear(&entered, &before).await?;
        }
        if self.is_ancestor(commit, &before).await? {
            return Ok(Merge::UpToDate);
        }
        let args = [MERGE, &["--", commit]].concat();
        let merged = worktree.git(&entered, &args).slow().run().await?;
        if merged.exit.success() {
            let done = worktree.conclude(&entered, before, commit, message).await?;
            return Ok(Merge::Merged(done));
        }
        if merged.was_killed() {
            return Err(merged.failed());
        }
        let files = unmerged(&worktree, &entered).await?;
        worktree.clear(&entered, &before).await?;
        if files.is_empty() {
            return Err(merged.failed());
        }
        Ok(Merge::Conflict { files })
    }
}

impl Repo {
    /// Begins to merge `commit` into what the worktree at `path` is at, and leaves it so: files in
    /// conflict with marks in them. What is committed there next concludes it. Nothing happens when
    /// it is in already, or when the worktree holds uncommitted work.
    pub(crate) async fn begin_merge(&self, path: &Path, commit: &str) -> Result<(), GitError> {
        names::commit(commit)?;
        let worktree = self.worktree(path);
        let entered = worktree.enter_to_write()?;
        let before = head(&self.git, &entered.place).await?;
        if self.is_ancestor(commit, &before).await? || !worktree.is_clean().await? {
            return Ok(());
        }
        let on = worktree.git(&entered, &["symbolic-ref", "-q", "HEAD"]);
        let on = one_line_end(&on.run().await?.stdout);
        let mut call = worktree.git(&entered, &[MERGE, &["--", commit]].concat());
        if let Some(branch) = on.strip_prefix("refs/heads/") {
            // Options that the branch's own configuration would add.
            call = call.setting(format!("branch.{branch}.mergeOptions"), "");
        }
        let call = call.setting("merge.conflictStyle", "diff3");
        let merged = call.slow().run().await?;
        if merged.was_killed() {
            worktree.clear(&entered, &before).await?;
            return Err(merged.failed());
        }
        if merged.exit.success() || !unmerged(&worktree, &entered).await?.is_empty() {
            return Ok(());
        }
        worktree.clear(&entered, &before).await?;
        Err(merged.failed())
    }
}

/// Files in conflict.
async fn unmerged(worktree: &Worktree, entered: &Entered) -> Result<Vec<String>, GitError> {
    let args = [
        "diff",
        "--name-only",
        "--diff-filter=U",
        "-z",
        "--no-ext-diff",
        "--",
    ];
    let files = worktree.git(entered, &args).slow().text().await?;
    Ok(files.split_terminator('\0').map(str::to_owned).collect())
}

impl Worktree {
    /// The index holds the merged tree; makes it a commit with both parents.
    async fn conclude(
        &self,
        entered: &Entered,
        head: String,
        other: &str,
        message: &Message,
    ) -> Result<String, GitError> {
        let tree = one_line_end(&self.git(entered, &["write-tree"]).text().await?);
        let staged = Staged::merge(tree, head, other);
        let commit = self.commit(entered, &staged, message).await?;
        self.advance(entered, &commit, &staged.head).await?;
        super::admin::forget_merge(&entered.admin)?;
        Ok(commit)
    }

    /// Makes the files those of `commit`, nothing more but what is ignored.
    async fn clear(&self, entered: &Entered, commit: &str) -> Result<(), GitError> {
        self.reset(entered, commit).await?;
        let args = ["clean", "-ffdq"];
        self.git(entered, &args).slow().text().await.map(drop)
    }
}
