//! Worktrees of our own: adding them, and working in one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::admin::{self, State};
use super::command::{Call, Place};
use super::diff::{self, Change, FileChange, Untracked};
use super::{Git, GitError, Message, Repo, names, one_line_end};

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
        // Forced over a branch that is checked out elsewhere? Never: git says so and stops.
        let args = [&["worktree", "add", "--quiet"], flags, &["--", text], at].concat();
        self.call(&place, &args).slow().text().await?;
        match admin::look(&self.common, &path)? {
            State::Ready { admin } => Ok(admin::lock(&admin)?),
            State::Nothing
            | State::NoFolder { .. }
            | State::HalfMade { .. }
            | State::Foreign { .. } => Err(GitError::NotOurs {
                path,
                why: "git made it otherwise than expected",
            }),
        }
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
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn enter(&self) -> Result<Entered, GitError> {
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
        admin::unlock_index(&entered.admin)?;
        if let Some(own) = self.path.file_name().and_then(|name| name.to_str()) {
            // Nobody but its bead moves this branch.
            let branch = format!("refs/heads/rigs/{own}");
            self.repo.remove_stale_lock(&branch, Duration::ZERO)?;
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
        if !staged.news {
            return Ok(None);
        }
        let on = self
            .git(&entered, &["symbolic-ref", "-q", "HEAD"])
            .run()
            .await?;
        let own = self.path.file_name().and_then(|name| name.to_str());
        if one_line_end(&on.stdout).strip_prefix("refs/heads/rigs/") != own {
            self.detach(&entered, &staged.head).await?;
        }
        let commit = self.commit(&entered, &staged, message).await?;
        self.advance(&entered, &commit, &staged.head).await?;
        admin::forget_merge(&entered.admin)?;
        Ok(Some(commit))
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

    /// Puts HEAD (and its branch) and all tracked files to `commit`. Uncommitted changes in
    /// them are lost.
    pub(crate) async fn reset_hard(&self, commit: &str) -> Result<(), GitError> {
        let entered = self.enter_to_write()?;
        self.reset(&entered, names::commit(commit)?).await
    }

    /// The files that differ from the commit `since`, committed or not.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "file-overlap awareness of the depot")
    )]
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

    /// Puts all files into the index and writes its tree.
    pub(super) async fn stage(&self, entered: &Entered) -> Result<Staged, GitError> {
        let head = head(&self.repo.git, &entered.place).await?;
        let mut paths = String::from(":(top)");
        for inside in self.embedded_in(entered).await? {
            paths.push_str("\0:(top,literal,exclude)");
            paths.push_str(&inside);
        }
        let args = [
            "add",
            "--all",
            "--pathspec-from-file=-",
            "--pathspec-file-nul",
        ];
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
        let args = [
            "reset",
            "--hard",
            "--quiet",
            "--no-recurse-submodules",
            commit,
        ];
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
