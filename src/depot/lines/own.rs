//! Lines of `rigs bead export`, and such as people write: the fields of a bead's JSON.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Incoming, cleaned, id_of, said, words};
use crate::core::suggest::nearest;
use crate::core::{
    BeadId, BeadStatus, Complexity, ConvoyId, Criterion, Estimate, EstimateSource, Permission,
    Priority, ProviderName, TaskType, Timestamp, text,
};
use crate::depot::{Arrival, NewBead};

/// The most tokens that a bead is believed to take, as on the command line.
const MOST: u64 = 1_000_000_000;

/// The fields that count.
const READ: &[&str] = &[
    "acceptance_criteria",
    "blocked",
    "completed_at",
    "complexity",
    "convoy_id",
    "created_at",
    "deadline",
    "dependencies",
    "description",
    "error",
    "estimate",
    "estimated_tokens",
    "files",
    "id",
    "labels",
    "metadata",
    "not_before",
    "output",
    "permission",
    "preferred_model",
    "preferred_provider",
    "priority",
    "status",
    "task_type",
    "title",
];

/// Fields of a bead's JSON that are read over: what happened elsewhere did not happen here.
const READ_OVER: &[&str] = &[
    "actual_tokens",
    "assigned_provider",
    "attempt",
    "attempts",
    "deferral",
    "deferred_until",
    "failures",
    "feedback",
    "open_dependencies",
    "optimized_prompt",
    "started_at",
    "updated_at",
    "usage",
];

#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields {
    id: Option<BeadId>,
    title: Option<String>,
    description: Option<String>,
    task_type: Option<TaskType>,
    priority: Option<Priority>,
    status: Option<BeadStatus>,
    complexity: Option<Complexity>,
    permission: Option<Permission>,
    acceptance_criteria: Vec<Criterion>,
    dependencies: Vec<String>,
    files: Vec<String>,
    labels: Vec<String>,
    metadata: Map<String, Value>,
    estimate: Option<Estimate>,
    estimated_tokens: Option<u64>,
    preferred_provider: Option<ProviderName>,
    preferred_model: Option<String>,
    convoy_id: Option<ConvoyId>,
    not_before: Option<Timestamp>,
    deadline: Option<Timestamp>,
    created_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    output: Option<String>,
    error: Option<String>,
    blocked: Option<Held>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Held {
    cause: String,
    reason: Option<String>,
}

pub(super) fn read(object: Map<String, Value>, now: Timestamp) -> Result<Incoming, String> {
    known(&object)?;
    let f: Fields = serde_path_to_error::deserialize(Value::Object(object)).map_err(|e| {
        let at = e.path().to_string();
        let what = said(e.inner());
        if at == "." {
            what
        } else {
            format!("{}: {what}", text::one_line(&at, 80))
        }
    })?;
    let (title, description) = words(f.title, f.description)?;
    let mut new = NewBead::new(
        &description,
        f.task_type.unwrap_or(TaskType::Implementation),
    );
    new.title = title;
    new.priority = f.priority.unwrap_or(new.priority);
    new.complexity = f.complexity.unwrap_or(new.complexity);
    new.permission = f.permission.unwrap_or(new.permission);
    new.acceptance_criteria = f.acceptance_criteria;
    new.files = cleaned(&f.files, 400);
    new.labels = cleaned(&f.labels, 200);
    new.metadata = Value::Object(f.metadata);
    new.estimate = f
        .estimate
        .map(bounded)
        .or_else(|| f.estimated_tokens.map(spread));
    new.preferred_provider = f.preferred_provider;
    new.preferred_model = f.preferred_model.map(|m| text::one_line(&m, 200));
    new.not_before = f.not_before;
    new.deadline = f.deadline;
    let (status, reason) = landed(f.status, f.blocked, f.error);
    let is_over = status.is_over();
    Ok(Incoming {
        waits_for: f.dependencies,
        convoy: f.convoy_id,
        arrival: Arrival {
            id: f.id.clone().unwrap_or_else(|| id_of("")),
            new,
            status,
            reason,
            output: f.output.filter(|_| is_over).map(|o| text::clean(&o)),
            created_at: f.created_at.unwrap_or(now).min(now),
            completed_at: is_over.then(|| f.completed_at.unwrap_or(now)),
        },
        key: f.id.map(|id| id.to_string()),
    })
}

/// Anything but the fields of a bead is a slip.
fn known(object: &Map<String, Value>) -> Result<(), String> {
    let all = || READ.iter().chain(READ_OVER).copied();
    let Some(unknown) = object.keys().find(|key| !all().any(|known| known == *key)) else {
        return Ok(());
    };
    let said = text::one_line(unknown, 60);
    Err(match nearest(unknown, all()) {
        Some(near) => format!("unknown field `{said}`: did you mean `{near}`?"),
        None => format!("unknown field `{said}`; what is free belongs into `metadata`"),
    })
}

/// A file may say anything: quantiles that grow, of numbers that can be added.
fn bounded(given: Estimate) -> Estimate {
    let p50 = given.p50.min(MOST);
    let p80 = given.p80.clamp(p50, MOST);
    Estimate {
        p50,
        p80,
        p95: given.p95.clamp(p80, 3 * MOST),
        source: given.source,
    }
}

/// A number that came without its spread, as on the command line.
fn spread(tokens: u64) -> Estimate {
    let p50 = tokens.min(MOST);
    Estimate {
        p50,
        p80: p50 + p50 / 2,
        p95: p50 * 3,
        source: EstimateSource::Given,
    }
}

/// Where a bead stands after the move: what was under way begins anew, what a person has to look
/// at stays with a person. A block by a dependency follows from the dependency.
fn landed(
    status: Option<BeadStatus>,
    held: Option<Held>,
    error: Option<String>,
) -> (BeadStatus, Option<String>) {
    let line = |text: String| text::one_line(&text, 500);
    match status.unwrap_or(BeadStatus::Pending) {
        over @ (BeadStatus::Completed | BeadStatus::Cancelled) => (over, None),
        BeadStatus::Failed => (
            BeadStatus::Failed,
            Some(error.map_or_else(|| "it failed before it was imported".into(), line)),
        ),
        BeadStatus::Blocked => match held {
            Some(held) if held.cause == "dependency" => (BeadStatus::Pending, None),
            held => {
                let reason = held.and_then(|h| h.reason).map(line);
                let reason = reason.unwrap_or_else(|| "it was blocked when it was exported".into());
                (BeadStatus::Blocked, Some(reason))
            }
        },
        BeadStatus::Pending
        | BeadStatus::Optimizing
        | BeadStatus::Queued
        | BeadStatus::Assigned
        | BeadStatus::InProgress
        | BeadStatus::Reviewing
        | BeadStatus::Merging
        | BeadStatus::Deferred => (BeadStatus::Pending, None),
    }
}
