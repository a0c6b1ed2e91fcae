//! A bead as it is stored, and as it is asked for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::{
    BeadId, BeadStatus, BlockCause, Complexity, ConvoyId, Criterion, Estimate, EstimateSource,
    Permission, Priority, ProviderName, TaskType, Timestamp,
};

/// One unit of work, every column of it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Bead {
    pub(crate) id: BeadId,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) task_type: TaskType,
    pub(crate) priority: Priority,
    pub(crate) status: BeadStatus,
    pub(crate) block_cause: Option<BlockCause>,
    pub(crate) block_reason: Option<String>,
    pub(crate) complexity: Complexity,
    pub(crate) permission: Permission,
    #[sqlx(json)]
    pub(crate) acceptance_criteria: Vec<Criterion>,
    #[sqlx(json)]
    pub(crate) files: Vec<String>,
    #[sqlx(json)]
    pub(crate) labels: Vec<String>,
    #[sqlx(json)]
    pub(crate) metadata: Value,
    pub(crate) estimated_tokens: i64,
    pub(crate) estimate_p80: i64,
    pub(crate) estimate_p95: i64,
    pub(crate) estimate_source: EstimateSource,
    pub(crate) actual_tokens: Option<i64>,
    pub(crate) preferred_provider: Option<ProviderName>,
    pub(crate) preferred_model: Option<String>,
    pub(crate) assigned_provider: Option<ProviderName>,
    pub(crate) convoy_id: Option<ConvoyId>,
    pub(crate) open_deps: i64,
    pub(crate) rank: i64,
    pub(crate) attempt: i64,
    pub(crate) failures: i64,
    pub(crate) lease_owner: Option<String>,
    pub(crate) lease_expires_at: Option<Timestamp>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) deferred_until: Option<Timestamp>,
    #[sqlx(json(nullable))]
    pub(crate) deferral: Option<Deferral>,
    pub(crate) feedback: Option<String>,
    pub(crate) optimized_prompt: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) updated_at: Timestamp,
}

impl Bead {
    pub(crate) fn estimate(&self) -> Estimate {
        estimate(
            [self.estimated_tokens, self.estimate_p80, self.estimate_p95],
            self.estimate_source,
        )
    }
}

fn estimate(stored: [i64; 3], source: EstimateSource) -> Estimate {
    let [p50, p80, p95] = stored.map(|n| u64::try_from(n).unwrap_or(0));
    Estimate {
        p50,
        p80,
        p95,
        source,
    }
}

/// What a deferred bead waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Deferral {
    /// The provider whose window it waits for; `None` when it waits for its own `not_before`.
    pub(crate) provider: Option<ProviderName>,
    /// The binding window.
    pub(crate) window: Option<String>,
    pub(crate) reason: String,
}

/// A bead about to be created.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewBead {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) task_type: TaskType,
    pub(crate) priority: Priority,
    pub(crate) complexity: Complexity,
    pub(crate) permission: Permission,
    pub(crate) acceptance_criteria: Vec<Criterion>,
    pub(crate) files: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) metadata: Value,
    /// Given by a person; `None` leaves it to the estimator.
    pub(crate) estimate: Option<Estimate>,
    pub(crate) preferred_provider: Option<ProviderName>,
    pub(crate) preferred_model: Option<String>,
    pub(crate) convoy_id: Option<ConvoyId>,
    pub(crate) depends_on: Vec<BeadId>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
}

impl NewBead {
    /// A bead with nothing but a description; its title is the description's first line.
    pub(crate) fn new(description: &str, task_type: TaskType) -> Self {
        let first = description
            .lines()
            .find(|l| !l.trim().is_empty())
            .unwrap_or("");
        Self {
            title: crate::core::text::one_line(first, 80),
            description: description.to_owned(),
            task_type,
            priority: Priority::Normal,
            complexity: Complexity::Medium,
            permission: if task_type.changes_files() {
                Permission::Edit
            } else {
                Permission::Read
            },
            acceptance_criteria: Vec::new(),
            files: Vec::new(),
            labels: Vec::new(),
            metadata: Value::Object(serde_json::Map::new()),
            estimate: None,
            preferred_provider: None,
            preferred_model: None,
            convoy_id: None,
            depends_on: Vec::new(),
            not_before: None,
            deadline: None,
        }
    }
}

/// A bead that was made elsewhere, with its id, for a bulk import.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) id: BeadId,
    pub(crate) new: NewBead,
    /// `pending`, or what it came to elsewhere: completed, failed, cancelled, or blocked until a
    /// person says that it may go on.
    pub(crate) status: BeadStatus,
    /// Why it is blocked, or why it failed.
    pub(crate) reason: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) completed_at: Option<Timestamp>,
}

/// What a person changes about a bead; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct BeadEdit {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) task_type: Option<TaskType>,
    pub(crate) priority: Option<Priority>,
    pub(crate) permission: Option<Permission>,
    pub(crate) acceptance_criteria: Option<Vec<Criterion>>,
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) preferred_provider: Option<ProviderName>,
    pub(crate) preferred_model: Option<String>,
    pub(crate) estimate: Option<Estimate>,
    pub(crate) deadline: Option<Timestamp>,
}

impl BeadEdit {
    /// The bead as it is to be.
    pub(crate) fn applied(&self, was: &Bead) -> Bead {
        let edit = self.clone();
        let mut new = was.clone();
        new.title = edit.title.unwrap_or(new.title);
        new.description = edit.description.unwrap_or(new.description);
        new.task_type = edit.task_type.unwrap_or(new.task_type);
        new.priority = edit.priority.unwrap_or(new.priority);
        new.permission = edit.permission.unwrap_or(new.permission);
        new.acceptance_criteria = edit.acceptance_criteria.unwrap_or(new.acceptance_criteria);
        new.labels = edit.labels.unwrap_or(new.labels);
        new.preferred_provider = edit.preferred_provider.or(new.preferred_provider);
        new.preferred_model = edit.preferred_model.or(new.preferred_model);
        new.deadline = edit.deadline.or(new.deadline);
        if let Some(estimate) = edit.estimate {
            let tokens = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            new.estimated_tokens = tokens(estimate.p50);
            new.estimate_p80 = tokens(estimate.p80);
            new.estimate_p95 = tokens(estimate.p95);
            new.estimate_source = estimate.source;
        }
        new
    }
}

/// Which beads are wanted; empty means all.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct BeadFilter {
    pub(crate) statuses: Vec<BeadStatus>,
    pub(crate) convoy: Option<ConvoyId>,
    pub(crate) task_type: Option<TaskType>,
    pub(crate) provider: Option<ProviderName>,
    /// Only those that could be claimed now, in the order of claiming.
    pub(crate) ready: bool,
    pub(crate) limit: i64,
}

/// What the dispatcher needs to know of a bead that could be claimed.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Ready {
    pub(crate) id: BeadId,
    pub(crate) title: String,
    pub(crate) task_type: TaskType,
    pub(crate) priority: Priority,
    pub(crate) permission: Permission,
    /// What it is expected to touch.
    #[sqlx(json)]
    pub(crate) files: Vec<String>,
    pub(crate) estimated_tokens: i64,
    pub(crate) estimate_p80: i64,
    pub(crate) estimate_p95: i64,
    pub(crate) estimate_source: EstimateSource,
    pub(crate) preferred_provider: Option<ProviderName>,
    pub(crate) preferred_model: Option<String>,
    pub(crate) assigned_provider: Option<ProviderName>,
    pub(crate) attempt: i64,
    pub(crate) convoy_id: Option<ConvoyId>,
    pub(crate) convoy_name: Option<String>,
    /// The repository that its convoy works on.
    pub(crate) repo: Option<String>,
    pub(crate) convoy_provider: Option<ProviderName>,
    pub(crate) strategy: Option<crate::config::Strategy>,
    pub(crate) convoy_max_parallel: Option<i64>,
    pub(crate) budget_tokens: Option<i64>,
    pub(crate) budget_micro_usd: Option<i64>,
    /// Its place in the order of the queue, see [`super::rank`].
    pub(crate) rank: i64,
    /// The earlier of its own deadline and its convoy's.
    pub(crate) due_at: Option<Timestamp>,
}

/// A bead that is not over yet, as far as it takes part in a plan.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Open {
    #[sqlx(flatten)]
    pub(crate) ready: Ready,
    pub(crate) status: BeadStatus,
    /// What is not completed of that which it depends on.
    #[sqlx(rename = "open_deps")]
    pub(crate) waits_on: i64,
    pub(crate) deferred_until: Option<Timestamp>,
    pub(crate) not_before: Option<Timestamp>,
    /// When its running attempt began.
    pub(crate) began_at: Option<Timestamp>,
}

impl Ready {
    pub(crate) fn estimate(&self) -> Estimate {
        estimate(
            [self.estimated_tokens, self.estimate_p80, self.estimate_p95],
            self.estimate_source,
        )
    }

    pub(crate) fn has_repo(&self) -> bool {
        self.repo.is_some()
    }
}

/// What a conflict bead is to bring together.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Conflict {
    pub(crate) bead_id: BeadId,
    /// The bead whose work met the conflict.
    pub(crate) original: BeadId,
    /// That work.
    pub(crate) commit_id: String,
    #[sqlx(json)]
    pub(crate) files: Vec<String>,
    pub(crate) created_at: Timestamp,
}
