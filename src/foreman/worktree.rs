//! The place a bead is worked on: a git worktree of its own, or a private folder for text work.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Context;
use super::stage::Job;
use crate::depot::Convoy;
use crate::git::{GitError, Repo};
use crate::process::{Limits, ProcessError, Spec, Stdin};

/// Where a run works.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) repo: Option<Repo>,
    /// The commit of the integration branch that the work starts from.
    pub(crate) base: Option<String>,
}

/// Why there is no place to work. A person has to look; no provider is to blame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error("the repository cannot be used: {0}")]
    Git(#[from] GitError),
    #[error("cannot make {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error("the setup command `{command}` failed: {reason}")]
    Setup { command: String, reason: String },
    #[error("stopped before it was made")]
    Stopped,
}

/// The branch of one bead.
pub(crate) fn bead_branch(bead: &crate::core::BeadId) -> String {
    format!("rigs/{bead}")
}

/// The ref under which the work of one attempt is kept for ever.
pub(crate) fn attempt_ref(bead: &crate::core::BeadId, attempt: i64) -> String {
    format!("refs/rigs/attempts/{bead}/{attempt}")
}

/// Makes the place ready. Doing it again after a crash leaves the same place.
pub(crate) async fn prepare(
    ctx: &Context,
    job: &Job,
    stop: &CancellationToken,
) -> Result<Place, NoPlace> {
    let (Some(root), Some(convoy)) = (job.repo(), job.convoy.as_ref()) else {
        let dir = ctx.paths.outputs(job.bead_id());
        private_dir(&dir)?;
        return Ok(Place {
            dir,
            repo: None,
            base: None,
        });
    };
    let repo = ctx.git.discover(&root).await?;
    let head = integration_head(&repo, convoy).await?;
    let dir = ctx.paths.worktree(job.bead_id());
    private_dir(ctx.paths.worktrees())?;
    let branch = bead_branch(job.bead_id());
    let keeps = job.keeps_worktree && job.base_commit.is_some();
    let base = if keeps {
        job.base_commit.clone().unwrap_or(head)
    } else {
        head
    };
    if keeps && dir.is_dir() {
        repo.add_worktree(&dir, &branch, &base).await?;
        share(ctx, &root, &dir)?;
    } else if keeps {
        // Somebody removed it; what was done in it is in the repository.
        repo.add_worktree(&dir, &branch, &base).await?;
        let work = attempt_ref(job.bead_id(), job.fence.attempt - 1);
        if let Some(work) = repo.resolve(&work).await? {
            repo.worktree(&dir).reset_hard(&work).await?;
        }
        share(ctx, &root, &dir)?;
        setup(ctx, job, &dir, stop).await?;
    } else {
        if dir.exists() {
            repo.remove_worktree(&dir).await?;
        }
        // The foreman that was to note what an earlier attempt did may have been killed.
        repo.keep_tip(&branch).await?;
        repo.add_worktree(&dir, &branch, &base).await?;
        repo.worktree(&dir).reset_hard(&base).await?;
        share(ctx, &root, &dir)?;
        setup(ctx, job, &dir, stop).await?;
    }
    super::conflict::begin(ctx, &repo, job).await?;
    Ok(Place {
        dir,
        repo: Some(repo),
        base: Some(base),
    })
}

/// Most files that a note about a worktree names.
const MOST_NAMED: usize = 40;

/// What a new agent should know of a worktree that another attempt left: how it differs from what
/// the task began with. Nothing for an agent that was there.
pub(crate) async fn so_far(job: &Job, place: &Place) -> Result<Option<String>, GitError> {
    let (Some(repo), Some(base), true) = (&place.repo, &place.base, job.keeps_worktree) else {
        return Ok(None);
    };
    if job.resume.is_some() {
        return Ok(None);
    }
    let changed = repo.worktree(&place.dir).changed_files(base).await?;
    if changed.is_empty() {
        return Ok(Some(
            "\nNothing is changed in the worktree so far.\n".to_owned(),
        ));
    }
    let mut note = format!("\nChanged in the worktree so far (`git diff {base}` shows how):\n");
    for file in changed.iter().take(MOST_NAMED) {
        let path = crate::core::text::one_line(&file.path, 200);
        let _ = writeln!(note, "- {path} (+{} -{})", file.added, file.deleted);
    }
    let more = changed.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        let _ = writeln!(note, "- and {more} more");
    }
    Ok(Some(note))
}

/// The head of the convoy's integration branch; made at the base commit when it is not there yet.
pub(crate) async fn integration_head(repo: &Repo, convoy: &Convoy) -> Result<String, GitError> {
    let branch = convoy.branch.as_deref().unwrap_or_default();
    if let Some(head) = repo.resolve(&format!("refs/heads/{branch}")).await? {
        return Ok(head);
    }
    let base = convoy.base_commit.as_deref().unwrap_or_default();
    repo.create_branch(branch, base).await?;
    Ok(base.to_owned())
}

pub(crate) fn private_dir(dir: &Path) -> Result<(), NoPlace> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| NoPlace::Io {
            path: dir.display().to_string(),
            source,
        })
}

/// Links the build caches that the trusted configuration names from the user's checkout, where
/// they exist there and not here.
pub(super) fn share(ctx: &Context, root: &Path, dir: &Path) -> Result<(), NoPlace> {
    for (from, to) in shared(ctx, root, dir) {
        if from.exists() && std::fs::symlink_metadata(&to).is_err() {
            let io = |source| NoPlace::Io {
                path: to.display().to_string(),
                source,
            };
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent).map_err(io)?;
            }
            std::os::unix::fs::symlink(&from, &to).map_err(io)?;
        }
    }
    Ok(())
}

/// Takes the links away again: `target/` in an ignore file does not cover a link, and one must
/// never be committed.
pub(super) fn unshare(ctx: &Context, root: &Path, dir: &Path) -> std::io::Result<()> {
    for (from, to) in shared(ctx, root, dir) {
        if std::fs::read_link(&to).is_ok_and(|leads_to| leads_to == from) {
            std::fs::remove_file(&to)?;
        }
    }
    Ok(())
}

fn shared(ctx: &Context, root: &Path, dir: &Path) -> Vec<(PathBuf, PathBuf)> {
    let inside = |path: &&PathBuf| {
        let mut parts = path.components();
        parts.all(|c| matches!(c, std::path::Component::Normal(_)))
    };
    let paths = ctx.settings.gate.share.iter().filter(inside);
    paths
        .filter(|path| stays_inside(dir, path))
        .map(|path| (root.join(path), dir.join(path)))
        .collect()
}

/// Whether no folder on the way is a link: an agent may have made one that leads out.
fn stays_inside(dir: &Path, path: &Path) -> bool {
    let folders = path.ancestors().skip(1).map(|folder| dir.join(folder));
    let mut kinds = folders.filter_map(|folder| folder.symlink_metadata().ok());
    kinds.all(|kind| kind.is_dir())
}

/// Runs the configured set-up commands in a fresh worktree.
async fn setup(
    ctx: &Context,
    job: &Job,
    dir: &Path,
    stop: &CancellationToken,
) -> Result<(), NoPlace> {
    for argv in &ctx.settings.gate.setup {
        let failed = |reason: String| NoPlace::Setup {
            command: argv.join(" "),
            reason,
        };
        let Some((program, args)) = argv.split_first() else {
            continue;
        };
        let program = ctx
            .env
            .find_tool(program)
            .ok_or_else(|| failed("no such program".into()))?;
        let spec = Spec {
            program,
            args: args.iter().map(Into::into).collect(),
            env: marked(ctx.env.child(), &job.marker),
            cwd: dir.to_owned(),
            stdin: Stdin::Null,
        };
        let limits = Limits {
            time: ctx.settings.gate.timeout.0.max(Duration::from_secs(1)),
            output: 64 * 1024,
        };
        let output = crate::process::run(&spec, limits, &ctx.clock, stop)
            .await
            .map_err(|e| match e {
                ProcessError::Stopped => NoPlace::Stopped,
                ProcessError::NotFound { .. }
                | ProcessError::NotExecutable { .. }
                | ProcessError::NoFolder { .. }
                | ProcessError::TooBig { .. }
                | ProcessError::Spawn { .. } => failed(e.to_string()),
            })?;
        if output.timed_out {
            return Err(failed("it took too long".into()));
        }
        if !output.exit.success() {
            let tail = output
                .stderr
                .lines()
                .rev()
                .find(|l| !l.trim().is_empty())
                .unwrap_or("no message");
            return Err(failed(crate::core::redact::redact(
                &crate::core::text::one_line(tail, 200),
            )));
        }
    }
    Ok(())
}

/// With the marker of an attempt, by which recovery finds what a dead foreman left running.
fn marked(
    mut env: std::collections::BTreeMap<String, std::ffi::OsString>,
    marker: &str,
) -> std::collections::BTreeMap<String, std::ffi::OsString> {
    env.insert(crate::process::MARKER.to_owned(), marker.into());
    env
}
