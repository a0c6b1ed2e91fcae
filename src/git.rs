//! The few git operations that rigs needs, through the `git` program.
//!
//! A repository is hostile input: its configuration can name programs (hooks, fsmonitor,
//! filters, merge and diff drivers, helpers), its names can look like options, and an agent may
//! have rewritten any of it a moment ago. So every call goes through [`command`], which turns
//! all of that off; names are checked by [`names`]; and a worktree is entered only after
//! [`admin`] found that it is the one we made. No network is ever used.
//!
//! The user's own checkout is read, and written only by [`Repo::land`]. Beside it, rigs owns
//! the branches `rigs/*`, the refs `refs/rigs/*` and the worktrees it adds.
//!
//! Two limits. A process that still runs and writes into the shared configuration between our
//! look at it and the call can name a driver that we did not see; what runs an agent ends it and
//! its children first, but agents of other beads go on. And whoever may run git as this user
//! needs no trap.
//!
//! What this costs: filters do not run, so that files of git-lfs are pointers in a worktree;
//! submodules stay empty; a partial clone does not fetch what it lacks.

mod admin;
mod blob;
mod command;
mod diff;
mod land;
mod list;
mod merge;
mod names;
mod refs;
mod remove;
mod stage;
#[cfg(test)]
mod tests;
mod user;
mod worktree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use command::{Call, Place};
pub(crate) use diff::{Change, FileChange};
pub(crate) use land::{Landed, Refusal};
pub(crate) use merge::Merge;
use user::User;

use crate::core::{Clock, redact, text};
use crate::process::ProcessError;

/// The `git` program and the environment it gets.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: Arc<Path>,
    env: Arc<BTreeMap<String, OsString>>,
    clock: Clock,
}

/// A repository with a work tree. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    git: Git,
    user: Arc<User>,
    /// The user's checkout.
    root: PathBuf,
    git_dir: PathBuf,
    /// What all worktrees share: objects, refs, configuration.
    common: PathBuf,
}

/// Where a checkout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Without `refs/heads/`.
    pub(crate) branch: String,
    pub(crate) commit: String,
}

/// A commit message. Whatever its parts hold, it reaches git as bytes on stdin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    /// Clean text without known secrets: parts of it may be an agent's words.
    fn bytes(&self) -> Vec<u8> {
        let mut out = text::one_line(&self.subject, 200);
        if out.is_empty() {
            out.push_str("(no subject)");
        }
        let body = text::clean(&self.body);
        if !body.trim().is_empty() {
            out.push_str("\n\n");
            out.push_str(body.trim());
        }
        for (n, (key, value)) in self.trailers.iter().enumerate() {
            out.push_str(if n == 0 { "\n\n" } else { "\n" });
            out.extend(
                key.chars()
                    .filter(|c| c.is_ascii_alphanumeric() || *c == '-'),
            );
            out.push_str(": ");
            out.push_str(&text::one_line(value, 500));
        }
        out.push('\n');
        redact::redact(&out).into_bytes()
    }
}

/// Why git could not do it. Conflicts, refusals and the like are results, not errors.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("`{}` is not in a git repository", dir.display())]
    NoRepository { dir: PathBuf },
    /// Its beads wait for a person; when it is back where it was, they go on.
    #[error("the repository at `{}` is gone: moved or deleted", dir.display())]
    Gone { dir: PathBuf },
    #[error("the repository at `{}` has no checkout", dir.display())]
    Bare { dir: PathBuf },
    #[error("branch `{branch}` has no commit yet")]
    Unborn { branch: String },
    #[error("HEAD is not on a branch but on commit {commit}")]
    Detached { commit: String },
    /// Broken, too new, owned by someone else, ...
    #[error("the repository at `{}` cannot be used: {stderr}", dir.display())]
    NotUsable { dir: PathBuf, stderr: String },
    /// Older ones ignore the settings that keep a repository from running programs.
    #[error("git 2.31 or newer is needed")]
    TooOld,
    #[error("{command} failed: {stderr}")]
    Failed { command: String, stderr: String },
    /// It may be done again: whoever killed it (the kernel, for want of memory) did not mean us.
    #[error("{command} was killed; is there enough memory?")]
    Killed { command: String },
    #[error("{command} did not end in time")]
    TimedOut { command: String },
    #[error("{command} printed more than can be read")]
    TooMuch { command: String },
    #[error("`{name}` cannot be used as {what}")]
    BadName { what: &'static str, name: String },
    /// Compare and swap failed.
    #[error("`{name}` moved meanwhile; it is at {}", at.as_deref().unwrap_or("nothing"))]
    Moved { name: String, at: Option<String> },
    #[error("branch `{branch}` is checked out in `{}`", path.display())]
    CheckedOut { branch: String, path: PathBuf },
    #[error("branch `{branch}` has work that nothing else keeps")]
    NotMerged { branch: String },
    /// Nothing was run there.
    #[error("`{}` is not a worktree that rigs made: {why}", path.display())]
    NotOurs { path: PathBuf, why: &'static str },
    /// Their content is in no commit of ours, so the worktree is kept.
    #[error("`{}` holds repositories of its own: {}", path.display(), inside.join(", "))]
    Embedded { path: PathBuf, inside: Vec<String> },
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Git {
    /// `env` is what every child gets; variables of git's own are left out.
    pub(crate) fn new(program: PathBuf, env: BTreeMap<String, OsString>, clock: Clock) -> Self {
        let env = env
            .into_iter()
            .filter(|(name, _)| !name.starts_with("GIT_"))
            .collect();
        Self {
            program: program.into(),
            env: Arc::new(env),
            clock,
        }
    }

    /// The repository whose checkout `dir` is in.
    pub(crate) async fn discover(&self, dir: &Path) -> Result<Repo, GitError> {
        if !dir.is_dir() {
            return Err(GitError::Gone { dir: dir.into() });
        }
        // Found by its name when the PATH led into this very repository.
        let around = dir.ancestors().find(|d| d.join(".git").exists());
        if around.is_some_and(|root| self.program.starts_with(root)) {
            return Err(GitError::NotUsable {
                dir: dir.into(),
                stderr: format!("the program {} lies in it", self.program.display()),
            });
        }
        let safe = user::safe_directories(self).await?;
        let place = Place::folder(dir, safe.clone());
        let ask = async |args: &[&str]| -> Result<String, GitError> {
            let done = Call::new(self, &place, args).run().await?;
            match done.exit.success() {
                true => Ok(one_line_end(&done.stdout)),
                false if done.stderr.contains("not a git repository") => {
                    Err(GitError::NoRepository { dir: dir.into() })
                }
                false if done.was_killed() => Err(done.failed()),
                false => Err(GitError::NotUsable {
                    dir: dir.into(),
                    stderr: done.reason(),
                }),
            }
        };
        // One call where there is nothing special, which is nearly always: each costs milliseconds,
        // and every step of a bead begins here.
        let at_once = [
            "rev-parse",
            "--is-bare-repository",
            "--show-toplevel",
            "--absolute-git-dir",
            "--path-format=absolute",
            "--git-common-dir",
        ];
        let done = Call::new(self, &place, &at_once).run().await?;
        let lines: Vec<&str> = done.stdout.lines().collect();
        let (root, git_dir, common) = match lines[..] {
            ["false", root, git_dir, common] if done.exit.success() => {
                (root.to_owned(), git_dir.to_owned(), common.to_owned())
            }
            // None, a bare one, or a path with more than one line.
            _ => {
                if ask(&["rev-parse", "--is-bare-repository"]).await? == "true" {
                    return Err(GitError::Bare { dir: dir.into() });
                }
                (
                    ask(&["rev-parse", "--show-toplevel"]).await?,
                    ask(&["rev-parse", "--absolute-git-dir"]).await?,
                    ask(&["rev-parse", "--path-format=absolute", "--git-common-dir"]).await?,
                )
            }
        };
        let (root, git_dir) = (PathBuf::from(root), PathBuf::from(git_dir));
        let root_of = |path: &Path| path.canonicalize().ok();
        if let (Some(at), Some(root)) = (root_of(dir), root_of(&root))
            && !at.starts_with(&root)
        {
            // `core.worktree`: every look would go to files that are none of this repository.
            return Err(GitError::NotUsable {
                dir: dir.into(),
                stderr: format!("its configuration leads to {}", root.display()),
            });
        }
        if !root.is_dir() || !git_dir.is_dir() {
            return Err(GitError::NotUsable {
                dir: dir.into(),
                stderr: "its path is not UTF-8".into(),
            });
        }
        let user = User::read(self, &place, safe).await?;
        Ok(Repo {
            git: self.clone(),
            user: Arc::new(user),
            root,
            git_dir,
            common: fs_err::canonicalize(common)?,
        })
    }
}

impl Repo {
    /// The top of the user's checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// It may be moved or deleted while rigs works.
    fn is_there(&self) -> Result<(), GitError> {
        if self.common.is_dir() {
            Ok(())
        } else {
            Err(GitError::Gone {
                dir: self.root.clone(),
            })
        }
    }

    /// The user's checkout, to work in.
    fn checkout(&self) -> Place {
        Place::tree(&self.root, &self.git_dir, self.user.carried.clone())
    }

    fn call<'a>(&'a self, place: &'a Place, args: &[&str]) -> Call<'a> {
        Call::new(&self.git, place, args)
    }

    /// The branch and commit of the user's checkout.
    pub(crate) async fn head(&self) -> Result<Head, GitError> {
        let place = self.checkout();
        let on = self
            .call(&place, &["symbolic-ref", "-q", "HEAD"])
            .run()
            .await?;
        let commit = self.resolve("HEAD").await?;
        let name = one_line_end(&on.stdout);
        match (name.strip_prefix("refs/heads/"), commit) {
            (Some(branch), Some(commit)) if on.exit.success() => Ok(Head {
                branch: branch.to_owned(),
                commit,
            }),
            (_, Some(commit)) => Err(GitError::Detached { commit }),
            (Some(branch), None) => Err(GitError::Unborn {
                branch: branch.to_owned(),
            }),
            (None, None) => Err(GitError::NotUsable {
                dir: self.root.clone(),
                stderr: "HEAD names nothing".into(),
            }),
        }
    }

    /// Something in the user's checkout is not in its HEAD commit: changed, staged, deleted or
    /// untracked (but not ignored).
    pub(crate) async fn is_dirty(&self) -> Result<bool, GitError> {
        let place = self.checkout();
        let changed = diff::status(&self.git, &place, diff::Untracked::Count).await?;
        Ok(!changed.is_empty())
    }
}

/// Output of one line without its end; a path may hold newlines of its own.
fn one_line_end(text: &str) -> String {
    text.strip_suffix('\n').unwrap_or(text).to_owned()
}
