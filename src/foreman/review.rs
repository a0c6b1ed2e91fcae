//! The quality gate of one finished attempt.

use std::path::Path;

use super::Context;
use super::again::again;
use super::stage::{Job, Leash};
use crate::assayer::quality::{self, Change, ChangeKind, GateResult, Means, Subject, Verdict};
use crate::depot::Convoy;
use crate::git::{self, GitError};

/// Most of a diff that the gate looks at, in bytes.
const MOST_DIFF: usize = 4 * 1024 * 1024;

/// The commands that must pass: those the person gave for the goal, those of the configuration,
/// or the one that the repository's own files call for.
pub(crate) fn commands(ctx: &Context, convoy: Option<&Convoy>, root: &Path) -> Vec<Vec<String>> {
    let given = convoy.and_then(|c| c.gate.clone());
    given
        .or_else(|| ctx.settings.gate.commands.clone())
        .unwrap_or_else(|| {
            crate::assayer::gates::detect(root)
                .into_iter()
                .take(1)
                .map(super::super::assayer::gates::Gate::argv)
                .collect()
        })
}

pub(super) fn means<'a>(ctx: &'a Context, job: &'a Job, leash: &'a Leash) -> Means<'a> {
    Means {
        env: &ctx.env,
        marker: Some(&job.marker),
        timeout: ctx.settings.gate.timeout.0,
        reruns: ctx.settings.gate.reruns,
        clock: &ctx.clock,
        stop: &leash.token,
    }
}

/// Looks at the work of an attempt in its worktree, at the commit it ended with.
pub(crate) async fn review(
    ctx: Context,
    job: Job,
    commit: Option<String>,
    output: String,
    leash: Leash,
) -> Verdict {
    ctx.before("work.reviewed");
    if job.repo().is_none() {
        return quality::check_text(&output, &job.bead.acceptance_criteria);
    }
    match again(|| look(&ctx, &job, commit.as_deref(), &output, &leash)).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(quality::Stopped)) => stopped(),
        Err(error) => unjudged(&format!("the work cannot be looked at: {error}")),
    }
}

/// A repository inside the worktree is in no commit: its files would silently be missing.
fn nested(inside: &[String]) -> Verdict {
    let names = crate::core::text::one_line(&inside.join(", "), 300);
    let feedback = format!(
        "There are git repositories of their own in the worktree: {names}. Their files cannot be \
         committed. Remove them, or take their files into this repository without their .git folder."
    );
    Verdict {
        result: GateResult::NeedsRevision,
        checks: Vec::new(),
        feedback,
        score: Some(0.0),
    }
}

/// No verdict, because the gate was told to stop; whoever stopped it does not look at this.
pub(super) fn stopped() -> Verdict {
    unjudged("the quality gate was stopped")
}

fn unjudged(reason: &str) -> Verdict {
    let feedback = crate::core::text::one_line(reason, 500);
    Verdict {
        result: GateResult::Error,
        checks: Vec::new(),
        feedback,
        score: None,
    }
}

async fn look(
    ctx: &Context,
    job: &Job,
    commit: Option<&str>,
    output: &str,
    leash: &Leash,
) -> Result<Result<Verdict, quality::Stopped>, GitError> {
    let root = job.repo().unwrap_or_default();
    let repo = ctx.git.discover(&root).await?;
    let dir = ctx.paths.worktree(&job.bead.id);
    let base = job.base_commit.clone().unwrap_or_default();
    let commit = commit.unwrap_or(&base);
    // After a crash the worktree may be gone or half made; the commit is what counts.
    repo.add_worktree(&dir, &super::worktree::bead_branch(&job.bead.id), commit)
        .await?;
    let tree = repo.worktree(&dir);
    if tree.head_commit().await? != commit || !tree.is_clean().await? {
        tree.reset_hard(commit).await?;
    }
    let inside = tree.embedded().await?;
    if !inside.is_empty() {
        return Ok(Ok(nested(&inside)));
    }
    // The gate builds with the caches that the agent had; they cost nothing but a link.
    if let Err(error) = super::worktree::share(ctx, &root, &dir) {
        tracing::warn!("the gate goes without shared folders: {error}");
    }
    if !job.bead.task_type.changes_files() {
        return Ok(Ok(quality::check_text(
            output,
            &job.bead.acceptance_criteria,
        )));
    }
    let changes: Vec<Change> = repo
        .diff_stat(&base, commit)
        .await?
        .into_iter()
        .map(change)
        .collect();
    let (mut diff, mut is_whole) = repo.diff_as_text(&base, commit, false, MOST_DIFF).await?;
    if !is_whole {
        // Nothing of what was there before may hide behind what was added.
        (diff, is_whole) = repo
            .diff_as_text(&base, commit, true, 8 * MOST_DIFF)
            .await?;
    }
    let mut protected = ctx.settings.gate.protected.clone();
    // What a person has read must not be another text tomorrow by the hand of an agent.
    let own = crate::config::repository::FILE;
    if changes.iter().any(|change| change.path == own) {
        protected.push(own.to_owned());
    }
    if let Some(verdict) = super::conflict::unresolved(&repo, job, commit, &diff).await? {
        return Ok(Ok(verdict));
    }
    let subject = Subject {
        worktree: &dir,
        task_type: job.bead.task_type,
        changes: &changes,
        diff: &diff,
        is_whole,
        criteria: &job.bead.acceptance_criteria,
        gates: &commands(ctx, job.convoy.as_ref(), &root),
        protected: &protected,
    };
    Ok(quality::check(&subject, &means(ctx, job, leash)).await)
}

fn change(file: git::FileChange) -> Change {
    let kind = match file.status {
        git::Change::Added => ChangeKind::Added,
        git::Change::Deleted => ChangeKind::Deleted,
        git::Change::Modified | git::Change::TypeChanged | git::Change::Conflicted => {
            ChangeKind::Modified
        }
    };
    Change {
        path: file.path,
        kind,
    }
}
