//! Bringing accepted work into the convoy's integration branch, one bead at a time.

use super::Context;
use super::again::again;
use super::conflict;
use super::stage::{Job, Leash, MergeReport};
use super::worktree::{bead_branch, integration_head};
use crate::assayer::quality::{self, GateResult, Verdict};
use crate::core::text::one_line;
use crate::git::{GitError, Merge, Message, Repo};

/// Merges the work, or stores the answer. Done twice it has the same end: work that is in the
/// branch already is not merged again.
pub(crate) async fn merge(
    ctx: Context,
    job: Job,
    commit: Option<String>,
    output: String,
    leash: Leash,
) -> MergeReport {
    let Some(root) = job.repo() else {
        return store_answer(&ctx, &job, &output);
    };
    let Some(commit) = commit else {
        return MergeReport::Merged { commit: None };
    };
    let merged = again(|| async {
        let repo = ctx.git.discover(&root).await?;
        into_integration(&ctx, &job, &repo, &commit, &leash).await
    });
    merged.await.unwrap_or_else(|error| MergeReport::Error {
        reason: error.to_string(),
    })
}

async fn into_integration(
    ctx: &Context,
    job: &Job,
    repo: &Repo,
    commit: &str,
    leash: &Leash,
) -> Result<MergeReport, GitError> {
    let Some(convoy) = &job.convoy else {
        return Ok(MergeReport::Merged { commit: None });
    };
    let branch = convoy.branch.clone().unwrap_or_default();
    let head = integration_head(repo, convoy).await?;
    if repo.is_ancestor(commit, &head).await? {
        clear_away(ctx, job, repo).await;
        return Ok(MergeReport::Merged { commit: Some(head) });
    }
    let dir = ctx.paths.worktrees().join(convoy.id.as_str());
    repo.add_detached(&dir, &head).await?;
    repo.worktree(&dir).reset_hard(&head).await?;
    let message = Message {
        subject: format!("Merge {}: {}", job.bead.id, one_line(&job.bead.title, 60)),
        body: String::new(),
        trailers: vec![("Rigs-Bead".into(), job.bead.id.to_string())],
    };
    ctx.before("merge.made");
    let merged = match repo.merge_in(&dir, commit, &message).await? {
        Merge::Merged(merged) => merged,
        Merge::UpToDate => return Ok(MergeReport::Merged { commit: Some(head) }),
        Merge::Conflict { files } => {
            let base = job.base_commit.as_ref().or(convoy.base_commit.as_ref());
            let base = base.map_or(head.as_str(), String::as_str);
            let sides = conflict::sides(repo, base, &head, commit, files).await?;
            return Ok(MergeReport::Conflict(sides));
        }
    };
    ctx.after("merge.made");
    if let Some(refused) = gate_merged(ctx, job, repo, &dir, commit, &merged, leash).await? {
        return Ok(MergeReport::Refused(refused));
    }
    ctx.before("merge.advanced");
    repo.update_ref(&format!("refs/heads/{branch}"), &merged, Some(&head))
        .await?;
    ctx.after("merge.advanced");
    clear_away(ctx, job, repo).await;
    Ok(MergeReport::Merged {
        commit: Some(merged),
    })
}

/// Runs the gate on the merged tree, unless it is the very tree that passed already.
async fn gate_merged(
    ctx: &Context,
    job: &Job,
    repo: &Repo,
    dir: &std::path::Path,
    commit: &str,
    merged: &str,
    leash: &Leash,
) -> Result<Option<Verdict>, GitError> {
    if repo.diff_stat(commit, merged).await?.is_empty() {
        return Ok(None);
    }
    let root = job.repo().unwrap_or_default();
    let gates = super::review::commands(ctx, job.convoy.as_ref(), &root);
    let verdict = quality::run_gates(&gates, dir, &super::review::means(ctx, job, leash)).await;
    Ok(match verdict {
        Ok(verdict) => (verdict.result != GateResult::Pass).then_some(verdict),
        Err(quality::Stopped) => Some(super::review::stopped()),
    })
}

/// The bead's worktree and branch have served; the attempt's own ref keeps the work. Failing to
/// tidy up is no reason to fail the bead.
async fn clear_away(ctx: &Context, job: &Job, repo: &Repo) {
    let dir = ctx.paths.worktree(&job.bead.id);
    let tidied = again(|| async {
        ctx.before("worktree.cleared");
        repo.remove_worktree(&dir).await?;
        ctx.after("worktree.cleared");
        ctx.before("branch.deleted");
        repo.delete_branch(&bead_branch(&job.bead.id)).await?;
        ctx.after("branch.deleted");
        Ok::<(), GitError>(())
    });
    if let Err(error) = tidied.await {
        tracing::warn!(bead = %job.bead.id, "its worktree is left at {}: {error}", dir.display());
    }
}

/// Text work: the answer stands in the store; a copy for people goes under `outputs`.
fn store_answer(ctx: &Context, job: &Job, output: &str) -> MergeReport {
    let dir = ctx.paths.outputs(&job.bead.id);
    let written = super::worktree::private_dir(&dir)
        .map_err(|e| e.to_string())
        .and_then(|()| {
            let (part, whole) = (dir.join("answer.md.part"), dir.join("answer.md"));
            std::fs::write(&part, output)
                .and_then(|()| std::fs::rename(&part, &whole))
                .map_err(|e| e.to_string())
        });
    match written {
        Ok(()) => MergeReport::Merged { commit: None },
        Err(reason) => MergeReport::Error {
            reason: format!("cannot write the answer to {}: {reason}", dir.display()),
        },
    }
}
