//! From the files of a worktree to a commit, and back.

use super::command::{Call, Place};
use super::worktree::{Entered, Worktree};
use super::{Git, GitError, Message, admin, names, one_line_end};

/// Puts all files to what HEAD is at, or to a commit that follows.
pub(super) const RESET: &[&str] = &["reset", "--hard", "--quiet", "--no-recurse-submodules"];

/// Files put into a tree, and what it would be a commit of.
pub(super) struct Staged {
    pub(super) tree: String,
    pub(super) head: String,
    /// The tree differs from that of `head`, or a merge is to be concluded.
    pub(super) news: bool,
    merging: Option<String>,
}

impl Staged {
    /// A merged tree of two commits.
    pub(super) fn merge(tree: String, head: String, other: &str) -> Self {
        Self {
            tree,
            head,
            news: true,
            merging: Some(other.to_owned()),
        }
    }
}

impl Worktree {
    /// Puts all files into the index and writes its tree.
    pub(super) async fn stage(&self, entered: &Entered) -> Result<Staged, GitError> {
        let head = head(&self.repo.git, &entered.place).await?;
        let mut paths = String::from(":(top)");
        for inside in self.embedded_in(entered).await? {
            paths.push_str("\0:(top,literal,exclude)");
            paths.push_str(&inside);
        }
        let mut args = vec![
            "add",
            "--all",
            "--pathspec-from-file=-",
            "--pathspec-file-nul",
        ];
        let sparse = ["config", "--type=bool", "--get", "core.sparseCheckout"];
        let sparse = self.git(entered, &sparse).run().await?;
        if one_line_end(&sparse.stdout) == "true" {
            // Also what was made outside of the part that is checked out.
            args.push("--sparse");
        }
        self.git(entered, &args).stdin(paths).slow().text().await?;
        let tree = one_line_end(&self.git(entered, &["write-tree"]).text().await?);
        let before = self.git(entered, &["rev-parse", "--verify", "HEAD^{tree}"]);
        let before = one_line_end(&before.text().await?);
        let merging = commit_at(&self.repo.git, &entered.place, "MERGE_HEAD").await?;
        Ok(Staged {
            news: tree != before || merging.is_some(),
            tree,
            head,
            merging,
        })
    }

    /// Writes a commit object of what was staged. Author is the user, committer rigs.
    pub(super) async fn commit(
        &self,
        entered: &Entered,
        staged: &Staged,
        message: &Message,
    ) -> Result<String, GitError> {
        let mut args = vec![
            "commit-tree",
            "--no-gpg-sign",
            &staged.tree,
            "-p",
            &staged.head,
        ];
        if let Some(other) = &staged.merging {
            args.extend(["-p", other]);
        }
        args.extend(["-F", "-"]);
        let user = &self.repo.user;
        let date = format!(
            "@{} +0000",
            self.repo.git.clock.now().millis().max(0) / 1000
        );
        let call = self
            .git(entered, &args)
            .stdin(message.bytes())
            .variable("GIT_AUTHOR_NAME", &user.name)
            .variable("GIT_AUTHOR_EMAIL", &user.email)
            .variable("GIT_AUTHOR_DATE", &date)
            .variable("GIT_COMMITTER_DATE", &date);
        Ok(one_line_end(&call.text().await?))
    }

    /// Moves HEAD, and the branch it is on, if it is still at `old`.
    pub(super) async fn advance(
        &self,
        entered: &Entered,
        new: &str,
        old: &str,
    ) -> Result<(), GitError> {
        let args = ["update-ref", "-m", "rigs", "HEAD", new, old];
        self.git(entered, &args).text().await.map(drop)
    }

    /// Takes HEAD off its branch.
    pub(super) async fn detach(&self, entered: &Entered, commit: &str) -> Result<(), GitError> {
        let args = ["update-ref", "--no-deref", "-m", "rigs", "HEAD", commit];
        self.git(entered, &args).text().await.map(drop)
    }

    pub(super) async fn reset(&self, entered: &Entered, commit: &str) -> Result<(), GitError> {
        let args = [RESET, &[commit]].concat();
        self.git(entered, &args).slow().text().await?;
        Ok(admin::forget_merge(&entered.admin)?)
    }
}

/// The commit that HEAD of a place is at.
pub(super) async fn head(git: &Git, place: &Place) -> Result<String, GitError> {
    if let Some(commit) = commit_at(git, place, "HEAD").await? {
        return Ok(commit);
    }
    let on = Call::new(git, place, &["symbolic-ref", "-q", "HEAD"])
        .run()
        .await?;
    let name = one_line_end(&on.stdout);
    Err(GitError::Unborn {
        branch: name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned(),
    })
}

/// The full id of the commit that `rev` names at a place, if there is one.
pub(super) async fn commit_at(
    git: &Git,
    place: &Place,
    rev: &str,
) -> Result<Option<String>, GitError> {
    let rev = format!("{}^{{commit}}", names::revision(rev)?);
    let done = Call::new(git, place, &["rev-parse", "--verify", "--quiet", &rev]);
    let done = done.run().await?;
    match done.exit.code() {
        0 => Ok(Some(one_line_end(&done.stdout))),
        1 => Ok(None),
        _ => Err(done.failed()),
    }
}
