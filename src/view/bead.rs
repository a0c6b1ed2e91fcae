//! Beads as answers.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::core::{
    BeadId, BeadStatus, BlockCause, Complexity, ConvoyId, Criterion, Estimate, Permission,
    Priority, ProviderName, TaskType, Timestamp, Usage,
};
use crate::db::Conn;
use crate::depot::{Attempt, Bead, BeadFilter, DepotError, store};
use crate::refinery::store::{Of, used};

/// One bead. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Bead")]
pub(crate) struct BeadView {
    pub(crate) id: BeadId,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) task_type: TaskType,
    pub(crate) priority: Priority,
    pub(crate) status: BeadStatus,
    pub(crate) complexity: Complexity,
    pub(crate) permission: Permission,
    /// The p50 of the estimate; `null` before the bead was assayed.
    pub(crate) estimated_tokens: Option<u64>,
    pub(crate) estimate: Option<Estimate>,
    /// Input, output and cache writes of all attempts; `null` before the first one ended.
    pub(crate) actual_tokens: Option<u64>,
    pub(crate) usage: Usage,
    pub(crate) preferred_provider: Option<ProviderName>,
    pub(crate) preferred_model: Option<String>,
    pub(crate) assigned_provider: Option<ProviderName>,
    pub(crate) acceptance_criteria: Vec<Criterion>,
    /// Beads that must be completed first.
    pub(crate) dependencies: Vec<BeadId>,
    /// How many of them are not completed yet.
    pub(crate) open_dependencies: u64,
    pub(crate) convoy_id: Option<ConvoyId>,
    pub(crate) files: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) metadata: Value,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) updated_at: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) deferred_until: Option<Timestamp>,
    pub(crate) deferral: Option<DeferralView>,
    pub(crate) blocked: Option<Blocked>,
    /// Number of the current or last attempt.
    pub(crate) attempt: u64,
    /// Attempts that count against `gate.max_attempts`.
    pub(crate) failures: u64,
    /// What the gate or the merge wants changed.
    pub(crate) feedback: Option<String>,
    pub(crate) optimized_prompt: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    /// Only in the answer about one bead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<Vec<AttemptView>>,
}

/// What a deferred bead waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Deferral")]
pub(crate) struct DeferralView {
    pub(crate) provider: Option<ProviderName>,
    pub(crate) window: Option<String>,
    pub(crate) reason: String,
}

/// Why a bead is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Blocked {
    pub(crate) cause: BlockCause,
    pub(crate) reason: Option<String>,
}

/// One attempt at a bead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub(crate) struct AttemptView {
    pub(crate) number: u64,
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    /// `running`, the class of the outcome, or `lost`.
    pub(crate) status: String,
    pub(crate) message: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) commit: Option<String>,
    pub(crate) exit_code: Option<i64>,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
}

pub(crate) async fn list(
    conn: &mut Conn,
    filter: &BeadFilter,
) -> Result<Vec<BeadView>, DepotError> {
    let mut views = Vec::new();
    for bead in store::list(conn, filter).await? {
        views.push(view(conn, bead).await?);
    }
    Ok(views)
}

/// One bead with its attempts.
pub(crate) async fn show(conn: &mut Conn, id: &BeadId) -> Result<BeadView, DepotError> {
    let bead = store::get(conn, id)
        .await?
        .ok_or_else(|| DepotError::NoBead(id.clone()))?;
    let attempts = store::attempts_of(conn, id).await?;
    let mut view = view(conn, bead).await?;
    view.attempts = Some(attempts.into_iter().map(attempt).collect());
    Ok(view)
}

/// A bead as it is stored, with what other tables know of it.
pub(crate) async fn view(conn: &mut Conn, bead: Bead) -> Result<BeadView, DepotError> {
    let dependencies = store::dependencies_of(conn, &bead.id).await?;
    let usage = used(conn, Of::Bead(&bead.id), None).await?;
    Ok(of(bead, dependencies, usage))
}

/// A bead that was made just now, of which other tables know no more than what it waits for.
pub(crate) fn new(bead: Bead, mut dependencies: Vec<BeadId>) -> BeadView {
    dependencies.sort();
    of(bead, dependencies, Usage::default())
}

fn of(bead: Bead, dependencies: Vec<BeadId>, usage: Usage) -> BeadView {
    let estimate = (bead.estimated_tokens > 0).then(|| bead.estimate());
    BeadView {
        dependencies,
        usage,
        estimated_tokens: estimate.map(|e| e.p50),
        estimate,
        actual_tokens: bead.actual_tokens.map(count),
        open_dependencies: count(bead.open_deps),
        attempt: count(bead.attempt),
        failures: count(bead.failures),
        deferral: bead.deferral.map(|d| DeferralView {
            provider: d.provider,
            window: d.window,
            reason: d.reason,
        }),
        blocked: bead.block_cause.map(|cause| Blocked {
            cause,
            reason: bead.block_reason,
        }),
        id: bead.id,
        title: bead.title,
        description: bead.description,
        task_type: bead.task_type,
        priority: bead.priority,
        status: bead.status,
        complexity: bead.complexity,
        permission: bead.permission,
        preferred_provider: bead.preferred_provider,
        preferred_model: bead.preferred_model,
        assigned_provider: bead.assigned_provider,
        acceptance_criteria: bead.acceptance_criteria,
        convoy_id: bead.convoy_id,
        files: bead.files,
        labels: bead.labels,
        metadata: bead.metadata,
        created_at: bead.created_at,
        started_at: bead.started_at,
        completed_at: bead.completed_at,
        updated_at: bead.updated_at,
        not_before: bead.not_before,
        deadline: bead.deadline,
        deferred_until: bead.deferred_until,
        feedback: bead.feedback,
        optimized_prompt: bead.optimized_prompt,
        output: bead.output,
        error: bead.error,
        attempts: None,
    }
}

fn attempt(attempt: Attempt) -> AttemptView {
    AttemptView {
        number: count(attempt.number),
        provider: attempt.provider,
        model: attempt.model,
        status: attempt.status,
        message: attempt.message,
        session_id: attempt.session_id,
        commit: attempt.commit_id,
        exit_code: attempt.exit_code,
        started_at: attempt.started_at,
        finished_at: attempt.finished_at,
    }
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
