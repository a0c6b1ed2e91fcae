//! Commits, branches and refs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command::Done;
use super::{GitError, Repo, admin, names, one_line_end};
use crate::core::{Clock, text};

/// More than any git holds the lock of one of our refs: it is a matter of milliseconds, and of
/// one sync of the disk.
const OLD: Duration = Duration::from_secs(2);
/// How often a lock is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Only rigs moves these.
fn is_ours(name: &str) -> bool {
    name.starts_with("refs/heads/rigs/") || name.starts_with("refs/rigs/")
}

impl Repo {
    /// The full id of the commit that `rev` names, if there is one.
    pub(crate) async fn resolve(&self, rev: &str) -> Result<Option<String>, GitError> {
        let place = self.checkout();
        super::stage::commit_at(&self.git, &place, rev).await
    }

    /// Makes a branch at `commit`. Fine when it is there already; `Moved` when it is elsewhere.
    pub(crate) async fn create_branch(&self, branch: &str, commit: &str) -> Result<(), GitError> {
        let name = format!("refs/heads/{}", names::branch(branch)?);
        self.update_ref(&name, commit, None).await
    }

    /// Moves the ref `name` (a full one, `refs/...`) to the commit `new`, if it is still at
    /// `old`; with no `old`, if there is no such ref yet. Fine when it is at `new` already.
    pub(crate) async fn update_ref(
        &self,
        name: &str,
        new: &str,
        old: Option<&str>,
    ) -> Result<(), GitError> {
        let (name, new) = (names::full_ref(name)?, names::commit(new)?);
        let nothing = "0".repeat(new.len());
        let old = match old {
            Some(old) => names::commit(old)?,
            None => &nothing,
        };
        let done = self.change_ref(name, &[name, new, old]).await?;
        if done.exit.success() {
            return Ok(());
        }
        match self.resolve(name).await? {
            Some(at) if at == new => Ok(()),
            Some(at) if at == old => Err(done.failed()),
            None if old == nothing => Err(done.failed()),
            at => Err(GitError::Moved {
                name: name.to_owned(),
                at,
            }),
        }
    }

    /// Runs `git update-ref`, past the lock that a killed git left.
    async fn change_ref(&self, name: &str, args: &[&str]) -> Result<Done, GitError> {
        let place = self.checkout();
        let args = [&["update-ref", "--no-deref"], args].concat();
        let done = self.call(&place, &args).run().await?;
        // The lock of a git of ours that was killed just now is nobody's.
        let age = if done.was_killed() {
            Duration::ZERO
        } else {
            OLD
        };
        if !done.exit.success() && self.outlasts_lock(name, age).await? {
            return self.call(&place, &args).run().await;
        }
        Ok(done)
    }

    /// Waits until the lock of one of our refs is gone, and removes it when it is older than
    /// `age`: a killed git leaves it behind for ever. True when one was there and is no more.
    async fn outlasts_lock(&self, name: &str, age: Duration) -> Result<bool, GitError> {
        let lock = self.common.join(format!("{name}.lock"));
        if !is_ours(name) || lock.symlink_metadata().is_err() {
            return Ok(false);
        }
        for _ in 0..=OLD.as_millis() / LOOK.as_millis() {
            if admin::remove_older(&lock, age)? || lock.symlink_metadata().is_err() {
                return Ok(true);
            }
            Clock::system().sleep(LOOK).await;
        }
        Ok(false)
    }

    /// Removes the lock of one of our refs that nobody but the caller moves.
    pub(super) fn remove_lock(&self, name: &str) -> Result<(), GitError> {
        if is_ours(name) {
            let lock = self.common.join(format!("{name}.lock"));
            admin::remove_older(&lock, Duration::ZERO)?;
        }
        Ok(())
    }

    /// Deletes a branch whose commits something else keeps (another branch, an attempt, a
    /// rescue); fine when there is none. Not while it is checked out.
    pub(crate) async fn delete_branch(&self, branch: &str) -> Result<(), GitError> {
        let name = format!("refs/heads/{}", names::branch(branch)?);
        let Some(tip) = self.resolve(&name).await? else {
            return Ok(());
        };
        if let Some(path) = self.checked_out_at(branch).await? {
            return Err(GitError::CheckedOut {
                branch: branch.to_owned(),
                path,
            });
        }
        if !self.is_kept(&tip, Some(&name)).await? {
            return Err(GitError::NotMerged {
                branch: branch.to_owned(),
            });
        }
        let done = self.change_ref(&name, &["-d", &name, &tip]).await?;
        if done.exit.success() {
            Ok(())
        } else {
            Err(done.failed())
        }
    }

    /// Parks the tip of a branch under `refs/rigs/rescue/` unless something else keeps it; fine
    /// when there is no such branch.
    pub(crate) async fn keep_tip(&self, branch: &str) -> Result<(), GitError> {
        let name = format!("refs/heads/{}", names::branch(branch)?);
        match self.resolve(&name).await? {
            Some(tip) if !self.is_kept(&tip, Some(&name)).await? => {
                self.park(Path::new(branch), &tip).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Some ref other than `except` leads to `commit`.
    pub(super) async fn is_kept(
        &self,
        commit: &str,
        except: Option<&str>,
    ) -> Result<bool, GitError> {
        let contains = format!("--contains={}", names::commit(commit)?);
        let args = [
            "for-each-ref",
            &contains,
            "--count=2",
            "--format=%(refname)",
        ];
        let place = self.checkout();
        let found = self.call(&place, &args).text().await?;
        Ok(found.lines().any(|name| Some(name) != except))
    }

    /// The folder in which a branch is checked out, whether or not that folder is still there.
    pub(super) async fn checked_out_at(&self, branch: &str) -> Result<Option<PathBuf>, GitError> {
        let name = format!("refs/heads/{}", names::branch(branch)?);
        let place = self.checkout();
        let args = ["for-each-ref", "--format=%(worktreepath)", &name];
        let path = one_line_end(&self.call(&place, &args).text().await?);
        Ok((!path.is_empty()).then(|| path.into()))
    }

    /// Commit `a` is `b` or one of its ancestors.
    pub(crate) async fn is_ancestor(&self, a: &str, b: &str) -> Result<bool, GitError> {
        let (a, b) = (names::revision(a)?, names::revision(b)?);
        let place = self.checkout();
        let args = ["merge-base", "--is-ancestor", a, b];
        let done = self.call(&place, &args).run().await?;
        match done.exit.code() {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(done.failed()),
        }
    }

    /// Subjects of the commits that `to` has and `from` has not, newest first, safe to show.
    pub(crate) async fn log_subjects(&self, from: &str, to: &str) -> Result<Vec<String>, GitError> {
        let range = format!("{}..{}", names::revision(from)?, names::revision(to)?);
        let place = self.checkout();
        let args = [
            "log",
            "-z",
            "--no-show-signature",
            "--format=%s",
            &range,
            "--",
        ];
        let log = self.call(&place, &args).text().await?;
        let subjects = log.split('\0').filter(|subject| !subject.is_empty());
        Ok(subjects
            .map(|subject| text::one_line(subject, 200))
            .collect())
    }
}
