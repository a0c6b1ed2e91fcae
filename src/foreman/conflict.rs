//! Work that git cannot merge: a bead of its own brings both sides together, in a worktree where
//! the merge is begun. What it makes is a merge of both, so that the original is in when it is.

use std::fmt::Write;

use serde_json::json;

use super::drive::{Active, Foreman};
use super::stage::Job;
use super::{Context, ForemanError, recover};
use crate::assayer::prompt::fence;
use crate::assayer::quality::{GateResult, Verdict};
use crate::core::text::{clean, middle_out, one_line};
use crate::core::{BeadId, BeadStatus, BlockCause, Criterion, Priority, TaskType, redact};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::store::{self as depot, Opening};
use crate::depot::{DepotError, NewBead};
use crate::git::{GitError, Repo};

/// Most that is told of the task of the original, of each side's changes, and of the names.
const MOST_TASK: usize = 4000;
const MOST_DIFF: usize = 12_000;
const MOST_NAMES: usize = 50;

/// The two sides of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) files: Vec<String>,
    /// Subjects of what was merged meanwhile, newest first.
    merged: Vec<String>,
    /// What each side changed in the files, as diffs; cut in the middle when long.
    ours: String,
    theirs: String,
}

/// Looks at both sides: what the integration branch did since `base`, and what `commit` did.
pub(super) async fn sides(
    repo: &Repo,
    base: &str,
    head: &str,
    commit: &str,
    files: Vec<String>,
) -> Result<Sides, GitError> {
    let of = &files[..files.len().min(MOST_NAMES)];
    let diff = async |to: &str| -> Result<String, GitError> {
        let diff = repo.diff_of(base, to, of, 4 * MOST_DIFF).await?;
        let diff = clean(&redact::redact(&diff));
        Ok(middle_out(&diff, MOST_DIFF))
    };
    Ok(Sides {
        merged: repo.log_subjects(base, head).await?,
        ours: diff(head).await?,
        theirs: diff(commit).await?,
        files,
    })
}

/// The bead that brings the two sides together.
fn bead(job: &Job, sides: &Sides) -> NewBead {
    let original = &job.bead;
    let task_type = if original.task_type.changes_files() {
        original.task_type
    } else {
        TaskType::Implementation
    };
    let mut bead = NewBead::new(&description(job, sides), task_type);
    bead.title = one_line(&format!("Merge {}: {}", original.id, original.title), 80);
    bead.priority = Priority::Critical;
    bead.complexity = original.complexity;
    bead.permission = original.permission;
    bead.files.clone_from(&sides.files);
    bead.convoy_id.clone_from(&original.convoy_id);
    bead.preferred_provider
        .clone_from(&original.preferred_provider);
    bead.preferred_model.clone_from(&original.preferred_model);
    bead.deadline = original.deadline;
    bead.acceptance_criteria = vec![Criterion::text(
        "what both sides were made for still holds, and no mark of a conflict is left",
    )];
    let criteria = original.acceptance_criteria.iter().cloned();
    bead.acceptance_criteria.extend(criteria);
    bead
}

fn description(job: &Job, sides: &Sides) -> String {
    let mut out = String::from(
        "Two pieces of work changed the same places, and git could not merge them. Bring them together so that \
         what both were made for still holds.\n\nThe merge is begun in your worktree: its files are those of the \
         work that is merged already, with the other work merged in. In the files below, the places in conflict \
         are marked by `<<<<<<<` (merged already), `|||||||` (before both), `=======` and `>>>>>>>` (to be merged). \
         Replace each of them by what is right for both, marks and all; look at the rest of the code for what \
         has to follow. Where one side deleted a file that the other changed, decide which holds. Do not abort \
         the merge, and do not check out either side as a whole.\n\nIn conflict:\n",
    );
    for file in sides.files.iter().take(MOST_NAMES) {
        let _ = writeln!(out, "- {}", one_line(file, 300));
    }
    let more = sides.files.len().saturating_sub(MOST_NAMES);
    if more > 0 {
        let _ = writeln!(out, "- and {more} more, which `git status` lists");
    }
    let merged: Vec<&str> = sides.merged.iter().take(20).map(String::as_str).collect();
    let _ = write!(
        out,
        "\n### Merged already\n\n{}\n\nIts changes in these files:\n\n{}\n",
        fence(&merged.join("\n"), ""),
        fence(&sides.ours, "diff"),
    );
    let task = clean(&redact::redact(&job.bead.description));
    let _ = write!(
        out,
        "\n### To be merged: {}\n\nIts task was:\n\n{}\n\nIts changes in these files:\n\n{}\n",
        one_line(&job.bead.title, 120),
        fence(&middle_out(&task, MOST_TASK), ""),
        fence(&sides.theirs, "diff"),
    );
    out
}

/// What keeps the work of a conflict bead from being one: the merge was given up, or marks are
/// left. `diff` is what it changed.
pub(super) async fn unresolved(
    repo: &Repo,
    job: &Job,
    commit: &str,
    diff: &str,
) -> Result<Option<Verdict>, GitError> {
    let Some(conflict) = &job.resolves else {
        return Ok(None);
    };
    let marked = marked(diff);
    let feedback = if !repo.is_ancestor(&conflict.commit_id, commit).await? {
        format!(
            "The merge was given up: the work to be merged, commit {}, is not in what you left. The merge is begun \
             in the worktree again: resolve the places in conflict and leave the rest to rigs.",
            conflict.commit_id
        )
    } else if !marked.is_empty() {
        format!("Marks of the conflict are left in: {}.", marked.join(", "))
    } else {
        return Ok(None);
    };
    Ok(Some(Verdict {
        result: GateResult::NeedsRevision,
        checks: Vec::new(),
        feedback,
        score: Some(0.0),
    }))
}

/// Files to which `diff` adds the first or the last mark of a conflict.
fn marked(diff: &str) -> Vec<String> {
    let mut file = "";
    let mut found: Vec<String> = Vec::new();
    for line in diff.lines() {
        if let Some(name) = line.strip_prefix("+++ ") {
            file = name.strip_prefix("b/").unwrap_or(name);
        } else if line.starts_with("+<<<<<<< ") || line.starts_with("+>>>>>>> ") {
            let name = one_line(file, 300);
            if found.last() != Some(&name) {
                found.push(name);
            }
        }
    }
    found
}

impl Foreman {
    /// What follows from a merge that met a conflict: a bead of its own; a person, when that bead
    /// is what met one.
    pub(super) async fn in_conflict(
        &self,
        tx: &mut Conn,
        active: &Active,
        sides: &Sides,
    ) -> Result<(), ForemanError> {
        let (act, job) = (self.ctx.act(), &active.job);
        let (id, from, fence) = (&job.bead.id, BeadStatus::Merging, &job.fence);
        let commit = active.commit.as_deref().unwrap_or_default();
        // Taken up after a crash, it may wait for one already.
        let known = depot::conflict_of(tx, id, commit).await?;
        let mut conflict_bead = known.as_ref().map(|(bead, _)| bead.clone());
        let waits = matches!(&known, Some((_, status)) if !status.is_over());
        if job.resolves.is_none() && known.is_none() {
            let opening = Opening {
                original: id,
                fence,
                commit,
                files: &sides.files,
                bead: bead(job, sides),
            };
            conflict_bead = Some(depot::open_conflict(tx, act, opening).await?);
        } else if waits {
            depot::let_go(tx, id, fence).await?;
        } else {
            let files: Vec<String> = sides.files.iter().map(|f| one_line(f, 200)).collect();
            let reason = format!("in conflict twice, in {}", files.join(", "));
            let cause = BlockCause::Person;
            depot::block(tx, act, id, from, Some(fence), cause, &reason).await?;
        }
        let event = NewEvent::new(EventType::MergeConflict, act.who)
            .bead(id)
            .convoy(job.bead.convoy_id.as_ref())
            .attempt(Some(job.attempt))
            .payload(json!({ "files": sides.files, "conflict_bead": conflict_bead }));
        Ok(events::append(tx, act.ids, act.now, event).await?)
    }

    /// The bead whose conflict was brought together: its work is in, and it can be completed.
    pub(super) async fn take_up_original(&mut self, id: &BeadId) -> Result<(), ForemanError> {
        let mut conn = self.ctx.db.read().await?;
        let waiting = depot::get(&mut conn, id).await?;
        drop(conn);
        let waits =
            |b: &crate::depot::Bead| b.status == BeadStatus::Merging && b.lease_owner.is_none();
        let Some(bead) = waiting.filter(waits) else {
            return Ok(());
        };
        match recover::take_back(&self.ctx, &bead, &self.owner).await {
            Ok(Some((job, found))) => self.adopt(job, found),
            // Cancelled, or taken up by somebody else just now.
            Ok(None)
            | Err(ForemanError::Depot(DepotError::LostRace { .. } | DepotError::Fenced { .. })) => {
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Conflict beads, when one of them runs here.
    pub(super) async fn resolving(&self, conn: &mut Conn) -> Result<Vec<BeadId>, ForemanError> {
        if self.active.values().any(|a| a.job.resolves.is_some()) {
            Ok(depot::open_conflicts(conn, None).await?)
        } else {
            Ok(Vec::new())
        }
    }

    /// Conflict beads of one convoy run one after the other: each starts from what the last one
    /// made, instead of meeting it.
    pub(super) fn resolves_already(&self, convoy: Option<&crate::core::ConvoyId>) -> bool {
        let mut jobs = self.active.values().map(|a| &a.job);
        jobs.any(|job| job.resolves.is_some() && job.bead.convoy_id.as_ref() == convoy)
    }
}

/// Begins the merge in a worktree that is about to be worked in, unless it is made already.
pub(super) async fn begin(ctx: &Context, repo: &Repo, job: &Job) -> Result<(), GitError> {
    match &job.resolves {
        Some(conflict) => {
            let dir = ctx.paths.worktree(&job.bead.id);
            repo.begin_merge(&dir, &conflict.commit_id).await
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_a_conflict_are_found_where_they_are_added() {
        let diff = "\
--- a/x.txt
+++ b/x.txt
@@ -1 +1,5 @@
+<<<<<<< HEAD
+one
+=======
+two
+>>>>>>> abc
--- a/y.md
+++ b/y.md
@@ -1,2 +1 @@
-<<<<<<< HEAD
-=======
+Title
+=======
+ <<<<<<< quoted
+<<<<<<<<<<
";
        assert_eq!(marked(diff), ["x.txt"]);
    }
}
