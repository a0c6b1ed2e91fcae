//! Removing worktrees without losing what is in them.

use std::path::Path;

use super::admin::{self, State};
use super::command::Place;
use super::stage::commit_at;
use super::worktree::{Entered, Worktree};
use super::{GitError, Message, Repo, names};
use crate::core::text;

impl Repo {
    /// Removes the worktree at `path`; fine when there is none. Uncommitted work, and commits
    /// that no ref leads to, are kept under `refs/rigs/rescue/` first. One that holds
    /// repositories of its own is not removed (`Embedded`).
    pub(crate) async fn remove_worktree(&self, path: &Path) -> Result<(), GitError> {
        self.is_there()?;
        let worktree = self.worktree(path);
        let path = worktree.path().to_path_buf();
        let admin = match admin::look(&self.common, &path)? {
            State::Nothing => return Ok(()),
            State::HalfMade { admin } => admin,
            State::NoFolder { admin } => {
                self.keep_head(&path, &admin).await?;
                admin
            }
            State::Ready { admin } => {
                worktree.rescue(&worktree.enter_to_write()?).await?;
                self.keep_head(&path, &admin).await?;
                admin
            }
            State::Foreign { why } => return Err(GitError::NotOurs { path, why }),
        };
        Ok(admin::remove(&path, &admin).await?)
    }

    /// Removes a worktree of which nothing need be kept.
    pub(super) async fn discard(&self, path: &Path) -> Result<(), GitError> {
        let path = admin::real(path);
        match admin::look(&self.common, &path)? {
            State::Nothing | State::Foreign { .. } => Ok(()),
            State::HalfMade { admin } | State::NoFolder { admin } | State::Ready { admin } => {
                Ok(admin::remove(&path, &admin).await?)
            }
        }
    }

    /// Keeps the commit that a worktree's HEAD is at, if nothing else does.
    pub(super) async fn keep_head(&self, path: &Path, admin: &Path) -> Result<(), GitError> {
        // The folder may be gone, and is not needed to read HEAD.
        let place = Place::tree(&self.root, admin, Vec::new());
        match commit_at(&self.git, &place, "HEAD").await? {
            Some(head) if !self.is_kept(&head, None).await? => self.park(path, &head).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Points a ref of its own at `commit`, named after the worktree.
    pub(super) async fn park(&self, path: &Path, commit: &str) -> Result<(), GitError> {
        let folder = path.file_name().unwrap_or_default().to_string_lossy();
        let time = names::part(&self.git.clock.now().to_string());
        let name = format!(
            "refs/rigs/rescue/w-{}-{time}-{}",
            names::part(&folder),
            &commit[..8]
        );
        self.update_ref(&name, commit, None).await
    }
}

impl Worktree {
    /// Keeps uncommitted work under `refs/rigs/rescue/`, for who may put the files back next.
    pub(crate) async fn park_changes(&self) -> Result<(), GitError> {
        self.rescue(&self.enter_to_write()?).await
    }

    /// Keeps uncommitted work as a commit under `refs/rigs/rescue/`, HEAD and files unchanged.
    pub(super) async fn rescue(&self, entered: &Entered) -> Result<(), GitError> {
        let inside = self.embedded_in(entered).await?;
        let inside: Vec<String> = inside
            .iter()
            .map(|name| text::one_line(name, 200))
            .collect();
        if !inside.is_empty() {
            return Err(GitError::Embedded {
                path: self.path().to_path_buf(),
                inside,
            });
        }
        let staged = self.stage(entered).await?;
        if !staged.news {
            return Ok(());
        }
        let message = Message {
            subject: "Work that was not committed when its worktree was cleared".into(),
            ..Message::default()
        };
        let commit = self.commit(entered, &staged, &message).await?;
        self.repo.park(self.path(), &commit).await
    }
}
