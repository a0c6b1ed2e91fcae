//! What `rigs goal` answers: a plan before, a summary after.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{
    BeadId, BeadStatus, ConvoyId, ConvoyStatus, MicroUsd, ProviderName, TaskType, Timestamp, Usage,
};
use crate::db::Conn;
use crate::depot::store as depot;
use crate::depot::{Bead, Convoy, DepotError, Progress};
use crate::refinery::store::{Of, used};

/// A plan with what it is expected to take; nothing of it is stored.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PlanView {
    pub(crate) goal: String,
    /// `rules`, or the model that planned it.
    pub(crate) planned_by: String,
    /// Why the backends before it did not, and the like.
    pub(crate) notes: Vec<String>,
    pub(crate) repo: Option<String>,
    pub(crate) base_branch: Option<String>,
    /// Commands that the work must pass, as a person would type them.
    pub(crate) gates: Vec<String>,
    pub(crate) beads: Vec<PlannedLine>,
    /// Sums over all beads.
    pub(crate) tokens_p50: u64,
    pub(crate) tokens_p95: u64,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PlannedLine {
    /// Names the bead within the plan.
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) task_type: TaskType,
    pub(crate) depends_on: Vec<String>,
    pub(crate) acceptance_criteria: Vec<crate::core::Criterion>,
    pub(crate) files: Vec<String>,
    pub(crate) estimate: crate::core::Estimate,
    /// The table, by what past work corrects it, and the past work that is most alike.
    pub(crate) estimate_from: String,
    /// Who would run it now; `None` with the reason in `route`.
    pub(crate) provider: Option<ProviderName>,
    /// Why, or what it would wait for.
    pub(crate) route: String,
}

/// A goal after its convoy could go no further, or was left waiting.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct GoalSummary {
    pub(crate) convoy_id: ConvoyId,
    pub(crate) goal: Option<String>,
    pub(crate) status: ConvoyStatus,
    pub(crate) progress: Progress,
    pub(crate) beads: Vec<BeadLine>,
    /// Sum of the p50 of all beads.
    pub(crate) tokens_estimated: u64,
    /// Input, output and cache writes of all attempts.
    pub(crate) tokens_used: u64,
    pub(crate) usage: Usage,
    pub(crate) cost_micro_usd: MicroUsd,
    /// Since the first bead began, in milliseconds.
    pub(crate) elapsed_ms: u64,
    pub(crate) planned_by: Option<String>,
    /// The integration branch, when there is a repository.
    pub(crate) branch: Option<String>,
    pub(crate) base_branch: Option<String>,
    pub(crate) landed_commit: Option<String>,
    /// Until when what is left waits for capacity.
    pub(crate) waiting_until: Option<Timestamp>,
    /// The answer of a goal without a repository.
    pub(crate) answer: Option<String>,
    /// Commands that go on from here.
    pub(crate) next: Vec<String>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct BeadLine {
    pub(crate) id: BeadId,
    pub(crate) title: String,
    pub(crate) task_type: TaskType,
    pub(crate) status: BeadStatus,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) model: Option<String>,
    pub(crate) estimated_tokens: u64,
    pub(crate) actual_tokens: u64,
    pub(crate) deferred_until: Option<Timestamp>,
    /// Why it is blocked, failed or deferred.
    pub(crate) reason: Option<String>,
}

/// Reads the summary of a convoy. `next` is left to the caller, who knows what was asked for.
pub(crate) async fn summary(
    conn: &mut Conn,
    convoy: &Convoy,
    now: Timestamp,
) -> Result<GoalSummary, DepotError> {
    let beads = depot::beads_of(conn, &convoy.id).await?;
    let usage = used(conn, Of::Convoy(&convoy.id), None).await?;
    let mut lines = Vec::with_capacity(beads.len());
    for bead in &beads {
        let attempt = depot::last_attempt(conn, &bead.id).await?;
        lines.push(line(bead, attempt.and_then(|a| a.model)));
    }
    let waiting = |b: &Bead| {
        b.deferred_until
            .filter(|_| b.status == BeadStatus::Deferred)
    };
    let end = convoy.completed_at.unwrap_or(now);
    Ok(GoalSummary {
        convoy_id: convoy.id.clone(),
        goal: convoy.goal.clone(),
        status: convoy.status,
        progress: depot::progress(conn, &convoy.id).await?,
        tokens_estimated: lines.iter().map(|l| l.estimated_tokens).sum(),
        tokens_used: usage.tokens(),
        cost_micro_usd: usage.cost_micro_usd,
        usage,
        elapsed_ms: convoy
            .started_at
            .map_or(0, |at| end.since(at).as_millis() as u64),
        planned_by: convoy.planned_by.clone(),
        branch: convoy.branch.clone(),
        base_branch: convoy.base_branch.clone(),
        landed_commit: convoy.landed_commit.clone(),
        waiting_until: beads.iter().filter_map(waiting).min(),
        answer: convoy.repo.is_none().then(|| answer(&beads)).flatten(),
        beads: lines,
        next: Vec::new(),
    })
}

/// The answers of the beads that nothing else builds on, in order.
fn answer(beads: &[Bead]) -> Option<String> {
    let done: Vec<&Bead> = beads
        .iter()
        .filter(|b| b.status == BeadStatus::Completed)
        .collect();
    let texts: Vec<&str> = match done.as_slice() {
        [] => return None,
        all => all
            .iter()
            .filter_map(|b| b.output.as_deref())
            .filter(|t| !t.is_empty())
            .collect(),
    };
    // A chain of text beads builds up to its last one.
    texts.last().map(|last| (*last).to_owned())
}

fn line(bead: &Bead, model: Option<String>) -> BeadLine {
    let reason = match bead.status {
        BeadStatus::Blocked => bead.block_reason.clone(),
        BeadStatus::Failed => bead.error.clone(),
        BeadStatus::Deferred => bead.deferral.as_ref().map(|d| d.reason.clone()),
        BeadStatus::Pending
        | BeadStatus::Optimizing
        | BeadStatus::Queued
        | BeadStatus::Assigned
        | BeadStatus::InProgress
        | BeadStatus::Reviewing
        | BeadStatus::Merging
        | BeadStatus::Completed
        | BeadStatus::Cancelled => None,
    };
    BeadLine {
        id: bead.id.clone(),
        title: bead.title.clone(),
        task_type: bead.task_type,
        status: bead.status,
        provider: bead.assigned_provider.clone(),
        model,
        estimated_tokens: bead.estimate().p50,
        actual_tokens: bead
            .actual_tokens
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0),
        deferred_until: bead
            .deferred_until
            .filter(|_| bead.status == BeadStatus::Deferred),
        reason,
    }
}
