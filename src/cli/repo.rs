//! The repository that a command works on.

use std::path::Path;

use super::{App, Failure, Kind};
use crate::db::Conn;
use crate::depot::Base;
use crate::foreman::trusted;
use crate::git::{Git, GitError, Repo};

/// The `git` program.
pub(crate) fn git(app: &App) -> Result<Git, Failure> {
    let program = app.env.find_program("git").ok_or_else(|| {
        Failure::new(Kind::NotPossible, "there is no `git` in PATH")
            .hint("install git, or use --no-repo for text work")
    })?;
    Ok(Git::new(program, app.env.child(), app.clock.clone()))
}

/// The repository at `root`, as it was recorded.
pub(crate) async fn open(app: &App, root: &Path) -> Result<Repo, Failure> {
    Ok(git(app)?.discover(root).await?)
}

/// Where work on the repository around `dir` (or the current folder) starts; `None` when there
/// is no repository and none was asked for.
pub(crate) async fn base(app: &mut App, dir: Option<&Path>) -> Result<Option<Base>, Failure> {
    let at = app.env.cwd().join(dir.unwrap_or(Path::new("")));
    if dir.is_some() && !at.is_dir() {
        return Err(Failure::usage(format!("no folder {}", at.display())));
    }
    if !at.is_absolute() {
        // The current folder is gone: nothing is around it.
        return Ok(None);
    }
    if dir.is_none() && !has_repository_around(&at) {
        return Ok(None);
    }
    let repo = match (git(app), dir) {
        (Ok(git), _) => match (git.discover(&at).await, dir) {
            (Ok(repo), _) => repo,
            (Err(GitError::NoRepository { .. }), None) => return Ok(None),
            (Err(error), _) => return Err(error.into()),
        },
        (Err(_), None) => return Ok(None),
        (Err(failure), Some(_)) => return Err(failure),
    };
    let head = repo.head().await?;
    if repo.is_dirty().await? {
        app.out.warn(format!(
            "{} has uncommitted changes: the work starts from the last commit of {}",
            repo.root().display(),
            head.branch
        ))?;
    }
    let file = trusted::file_of(&repo, &head.commit).await?;
    Ok(Some(Base {
        repo: repo.root().to_owned(),
        settings_sha256: file.map(|file| file.sha256),
        branch: head.branch,
        commit: head.commit,
    }))
}

/// Whether git would find something: asking it takes ten times as long as looking.
fn has_repository_around(dir: &Path) -> bool {
    dir.ancestors().any(|at| {
        at.join(".git").symlink_metadata().is_ok()
            || (at.join("HEAD").is_file() && at.join("objects").is_dir())
    })
}

/// Says that the repository has settings of its own that do not count.
pub(crate) async fn warn_untrusted(
    app: &mut App,
    conn: &mut Conn,
    base: &Base,
) -> Result<(), Failure> {
    let repo = base.repo.to_string_lossy();
    let notice = trusted::notice(conn, &repo, base.settings_sha256.as_deref()).await?;
    if let Some(notice) = notice {
        app.out.warn(notice)?;
    }
    Ok(())
}
