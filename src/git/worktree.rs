//! Worktrees of our own: adding them, and working in one.

use std::path::{Path, PathBuf};

use super::admin::{self, State};
use super::command::{Call, Place};
use super::diff::{self, Change, FileChange, Untracked};
use super::stage::{RESET, commit_at, head};
use super::{GitError, Message, Repo, names, one_line_end};

impl Repo {
    /// Adds a worktree at `path` on `branch`, which is made at `commit` unless it exists; then
    /// it stays where it stands. A worktree that is there already is kept as it is. What a crash
    /// left half-made is made anew.
    pub(crate) async fn add_worktree(
        &self,
        path: &Path,
        branch: &str,
        commit: &str,
    ) -> Result<(), GitError> {
        names::branch(branch)?;
        names::commit(commit)?;
        if self.make_room(path).await? {
            return Ok(());
        }
        self.own_branch(branch).await?;
        if self
            .resolve(&format!("refs/heads/{branch}"))
            .await?
            .is_none()
        {
            self.create_branch(branch, commit).await?;
        }
        self.add(path, &[branch]).await
    }

    /// Adds a worktree at `path` with no branch, at `commit`.
    pub(crate) async fn add_detached(&self, path: &Path, commit: &str) -> Result<(), GitError> {
        names::commit(commit)?;
        if self.make_room(path).await? {
            return Ok(());
        }
        self.add(path, &["--detach", commit]).await
    }

    /// True when there is a worktree of ours already; else nothing is in the way.
    async fn make_room(&self, path: &Path) -> Result<bool, GitError> {
        self.is_there()?;
        admin::mend(&self.common)?;
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let path = admin::real(path);
        match admin::look(&self.common, &path)? {
            State::Ready { .. } => return Ok(true),
            State::Nothing => {}
            State::HalfMade { admin } => admin::remove(&path, &admin).await?,
            State::NoFolder { admin } => {
                self.keep_head(&path, &admin).await?;
                admin::remove(&path, &admin).await?;
            }
            State::Foreign { why } => return Err(GitError::NotOurs { path, why }),
        }
        Ok(false)
    }

    async fn add(&self, path: &Path, what: &[&str]) -> Result<(), GitError> {
        let path = admin::real(path);
        let Some(text) = path.to_str() else {
            return Err(GitError::NotOurs {
                path,
                why: "its path is not UTF-8",
            });
        };
        let place = self.checkout();
        let (flags, at) = what.split_at(what.len() - 1);
        // Forced over a branch that is checked out elsewhere? Never: git says so and stops. The
        // files come in a call of their own: configuration that holds only in the new worktree
        // (`includeIf`) may name drivers that are not seen from here.
        let add = ["worktree", "add", "--quiet", "--lock", "--no-checkout"];
        let args = [&add, flags, &["--", text], at].concat();
        self.call(&place, &args).slow().text().await?;
        match admin::look(&self.common, &path)? {
            State::HalfMade { admin } => {
                let place = Place::tree(&path, &admin, self.user.carried.clone());
                self.call(&place, RESET).slow().text().await?;
                Ok(admin::lock(&admin)?)
            }
            State::Nothing
            | State::NoFolder { .. }
            | State::Ready { .. }
            | State::Foreign { .. } => Err(GitError::NotOurs {
                path,
                why: "git made it otherwise than expected",
            }),
        }
    }

    /// A branch of ours that somebody made another name of one of the user's: whatever moved ours
    /// would move that one. It is taken away; its commits are that one's.
    async fn own_branch(&self, branch: &str) -> Result<(), GitError> {
        let name = format!("refs/heads/{branch}");
        let place = self.checkout();
        let leads = self.call(&place, &["symbolic-ref", "-q", &name]);
        if leads.run().await?.exit.success() {
            let args = ["symbolic-ref", "--delete", &name];
            self.call(&place, &args).text().await?;
        }
        Ok(())
    }

    /// The worktree at `path`, to work in. Whether it is there and ours is seen at each
    /// operation.
    pub(crate) fn worktree(&self, path: &Path) -> Worktree {
        Worktree {
            repo: self.clone(),
            path: admin::real(path),
        }
    }
}

/// A worktree that [`Repo::add_worktree`] made. Operations that write expect that its run has
/// ended: they remove locks that a killed git left.
#[derive(Debug, Clone)]
pub(crate) struct Worktree {
    pub(super) repo: Repo,
    path: PathBuf,
}

/// A worktree that was just found to be ours.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) place: Place,
    pub(super) admin: PathBuf,
}

impl Worktree {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn enter(&self) -> Result<Entered, GitError> {
        self.repo.is_there()?;
        let why = match admin::look(&self.repo.common, &self.path)? {
            State::Ready { admin } => {
                let settings = self.repo.user.carried.clone();
                let place = Place::tree(&self.path, &admin, settings);
                return Ok(Entered { place, admin });
            }
            State::Nothing | State::NoFolder { .. } => "it is gone",
            State::HalfMade { .. } => "it is half made",
            State::Foreign { why } => why,
        };
        Err(GitError::NotOurs {
            path: self.path.clone(),
            why,
        })
    }

    pub(super) fn enter_to_write(&self) -> Result<Entered, GitError> {
        let entered = self.enter()?;
        admin::remove_locks(&entered.admin)?;
        if let Some(own) = self.path.file_name().and_then(|name| name.to_str()) {
            // Nobody but its bead moves this branch.
            let branch = format!("refs/heads/rigs/{own}");
            self.repo.remove_lock(&branch)?;
        }
        Ok(entered)
    }

    /// Commits everything uncommitted: new, changed and deleted files, not ignored ones; `None`
    /// when there is nothing. A merge that was begun is concluded. HEAD moves to the commit, and
    /// with it the branch `rigs/<name of the folder>` if HEAD is on it; if an agent put HEAD on
    /// any other, it is taken off, so that no branch of the user's or of another bead moves.
    /// Repositories inside (see [`Self::embedded`]) are left out.
    pub(crate) async fn commit_all(&self, message: &Message) -> Result<Option<String>, GitError> {
        let entered = self.enter_to_write()?;
        let staged = self.stage(&entered).await?;
        self.leave_others(&entered, &staged.head).await?;
        if !staged.news {
            return Ok(None);
        }
        let commit = self.commit(&entered, &staged, message).await?;
        self.advance(&entered, &commit, &staged.head).await?;
        admin::forget_merge(&entered.admin)?;
        Ok(Some(commit))
    }

    /// Takes HEAD off any branch but this worktree's own.
    async fn leave_others(&self, entered: &Entered, head: &str) -> Result<(), GitError> {
        // Through all names that lead to others.
        let on = self
            .git(entered, &["symbolic-ref", "-q", "HEAD"])
            .run()
            .await?;
        let own = self.path.file_name().and_then(|name| name.to_str());
        if on.exit.success() && one_line_end(&on.stdout).strip_prefix("refs/heads/rigs/") != own {
            self.detach(entered, head).await?;
        }
        Ok(())
    }

    pub(crate) async fn head_commit(&self) -> Result<String, GitError> {
        head(&self.repo.git, &self.enter()?.place).await
    }

    /// Nothing is uncommitted; ignored files do not count.
    pub(crate) async fn is_clean(&self) -> Result<bool, GitError> {
        let entered = self.enter()?;
        let changed = diff::status(&self.repo.git, &entered.place, Untracked::Count).await?;
        Ok(changed.is_empty())
    }

    /// Puts HEAD (and the branch of this worktree, if it is on that) and all tracked files to
    /// `commit`. Uncommitted changes in them are lost.
    pub(crate) async fn reset_hard(&self, commit: &str) -> Result<(), GitError> {
        let entered = self.enter_to_write()?;
        if let Some(head) = commit_at(&self.repo.git, &entered.place, "HEAD").await? {
            self.leave_others(&entered, &head).await?;
        }
        self.reset(&entered, names::commit(commit)?).await
    }

    /// The files that differ from the commit `since`, committed or not.
    pub(crate) async fn changed_files(&self, since: &str) -> Result<Vec<FileChange>, GitError> {
        let entered = self.enter()?;
        let mut changes = diff::stat(&self.repo.git, &entered.place, &[since]).await?;
        for path in self.untracked(&entered).await? {
            if !path.ends_with('/') {
                changes.push(FileChange {
                    added: diff::lines_of(&self.path.join(&path)),
                    deleted: 0,
                    status: Change::Added,
                    path,
                });
            }
        }
        Ok(changes)
    }

    /// Folders that are repositories of their own, made by an agent in the worktree (`git init`,
    /// a clone). Their content is not committed: git would only record that they exist, and
    /// would run what their configuration names. A worktree that holds one is not removed.
    pub(crate) async fn embedded(&self) -> Result<Vec<String>, GitError> {
        self.embedded_in(&self.enter()?).await
    }

    pub(super) async fn embedded_in(&self, entered: &Entered) -> Result<Vec<String>, GitError> {
        let untracked = self.untracked(entered).await?;
        let folders = untracked.iter().filter_map(|path| path.strip_suffix('/'));
        let mut inside: Vec<String> = folders.map(str::to_owned).collect();
        // And what git never adds: folders that are its own on other file systems.
        for path in &untracked {
            let mut end = 0;
            let folds = path.split('/').find(|part| {
                end += part.len() + 1;
                names::folds_to_git(part)
            });
            let folder = path.get(..end - 1).unwrap_or_default();
            if folds.is_some() && inside.last().is_none_or(|last| last != folder) {
                inside.push(folder.to_owned());
            }
        }
        // Submodules stay empty; one with a repository in it was filled by somebody.
        let index = self
            .git(entered, &["ls-files", "-z", "--stage"])
            .text()
            .await?;
        let links = index
            .split('\0')
            .filter(|entry| entry.starts_with("160000 "));
        for path in links.filter_map(|entry| Some(entry.split_once('\t')?.1)) {
            if self.path.join(path).join(".git").symlink_metadata().is_ok() {
                inside.push(path.to_owned());
            }
        }
        Ok(inside)
    }

    /// Untracked files, not ignored; repositories inside end with a slash.
    async fn untracked(&self, entered: &Entered) -> Result<Vec<String>, GitError> {
        let args = ["ls-files", "-z", "--others", "--exclude-standard"];
        let list = self.git(entered, &args).text().await?;
        let paths = list.split('\0').filter(|path| !path.is_empty());
        Ok(paths.map(str::to_owned).collect())
    }

    pub(super) fn git<'a>(&'a self, entered: &'a Entered, args: &[&str]) -> Call<'a> {
        Call::new(&self.repo.git, &entered.place, args)
    }
}
