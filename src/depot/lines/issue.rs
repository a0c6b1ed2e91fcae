//! Issues of `bd` and `br`, the stores of Gas Town: one JSON object per line. What a bead has no
//! field for is kept in its metadata as `gastown`, as it came.

use serde_json::{Map, Value};

use super::{Incoming, Line, cleaned, id_of, words};
use crate::core::{BeadId, BeadStatus, Criterion, Priority, TaskType, Timestamp, text};
use crate::depot::{Arrival, NewBead};

/// Kinds that are no work: messages, groups, the machinery of a town.
const NO_WORK: &[&str] = &[
    "agent",
    "convoy",
    "epic",
    "event",
    "gate",
    "merge-request",
    "message",
    "milestone",
    "molecule",
    "queue",
    "rig",
    "role",
    "slot",
];

/// Dependencies that must be over before the issue can start; others only relate.
const BLOCKING: &[&str] = &["blocks", "conditional-blocks", "waits-for"];

pub(super) fn read(mut object: Map<String, Value>, now: Timestamp) -> Result<Line, String> {
    if object
        .get("_type")
        .is_some_and(|kind| kind.as_str() != Some("issue"))
    {
        return Ok(Line::Skipped("no issue"));
    }
    let kind = word(&object, "issue_type")?.unwrap_or_else(|| "task".into());
    if NO_WORK.contains(&kind.as_str()) {
        return Ok(Line::Skipped("an issue of a kind that is no work"));
    }
    let state = word(&object, "status")?.unwrap_or_else(|| "open".into());
    if state == "tombstone" {
        return Ok(Line::Skipped("a deleted issue"));
    }
    if is_set(&object, "ephemeral") || is_set(&object, "wisp") || is_set(&object, "is_template") {
        return Ok(Line::Skipped("a passing issue or a template"));
    }
    let key = taken(&mut object, "id")?.filter(|id| !id.trim().is_empty());
    let (title, description) = words(
        taken(&mut object, "title")?,
        taken(&mut object, "description")?,
    )?;
    let mut new = NewBead::new(&description, task_type(&kind));
    new.title = title;
    new.priority = priority(&object)?;
    let labels = strings(object.remove("labels"), "labels")?;
    new.labels = cleaned(&labels, 200);
    let criteria = taken(&mut object, "acceptance_criteria")?;
    new.acceptance_criteria = criteria
        .map(|text| text::clean(&text).trim().to_owned())
        .filter(|text| !text.is_empty())
        .map(Criterion::text)
        .into_iter()
        .collect();
    new.deadline = time(&object, "due_at")?;
    new.not_before = time(&object, "defer_until")?;
    let created_at = time(&object, "created_at")?.unwrap_or(now).min(now);
    let closed_at = time(&object, "closed_at")?;
    let waits_for = blocking(&object)?;
    let (status, reason) = landed(&state);
    new.metadata = metadata(object, key.as_deref())?;
    let id = key.as_deref().map_or_else(|| id_of(""), id_of);
    Ok(Line::Bead(Box::new(Incoming {
        key,
        waits_for,
        convoy: None,
        arrival: Arrival {
            id,
            new,
            status,
            reason,
            output: None,
            created_at,
            completed_at: status.is_over().then(|| closed_at.unwrap_or(now)),
        },
    })))
}

/// The line's own metadata as it was, and beside it what else the line had.
fn metadata(mut rest: Map<String, Value>, key: Option<&str>) -> Result<Value, String> {
    let mut metadata = match rest.remove("metadata") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(own)) => own,
        // Some stores hold it as text.
        Some(Value::String(own)) => serde_json::from_str(&own)
            .map_err(|_| "metadata: it is text that is no JSON object".to_owned())?,
        Some(_) => return Err("metadata: it is not an object".into()),
    };
    if let Some(key) = key.filter(|key| key.parse::<BeadId>().is_err()) {
        rest.insert("id".into(), key.into());
    }
    metadata.insert("gastown".into(), Value::Object(rest));
    Ok(Value::Object(metadata))
}

fn task_type(kind: &str) -> TaskType {
    match kind {
        "bug" => TaskType::Debug,
        "chore" => TaskType::Refactor,
        "decision" | "adr" => TaskType::Design,
        "spike" => TaskType::Research,
        // The kinds are open: people add their own.
        _ => TaskType::Implementation,
    }
}

/// P0 is the most urgent of five there; 3 of four here. The number stays in the metadata.
fn priority(object: &Map<String, Value>) -> Result<Priority, String> {
    match object.get("priority") {
        None | Some(Value::Null) => Ok(Priority::Normal),
        Some(given) => match given.as_u64() {
            Some(0) => Ok(Priority::Critical),
            Some(1) => Ok(Priority::High),
            Some(2) => Ok(Priority::Normal),
            Some(3 | 4) => Ok(Priority::Low),
            Some(_) | None => Err("priority: it is not a number from 0 to 4".into()),
        },
    }
}

fn landed(state: &str) -> (BeadStatus, Option<String>) {
    match state {
        "closed" => (BeadStatus::Completed, None),
        "open" | "deferred" | "blocked" | "staged_ready" | "staged_warnings" => {
            (BeadStatus::Pending, None)
        }
        // Somebody works on it there, or it is a state of their own making.
        other => {
            let state = text::one_line(other, 40);
            let reason = format!("it was `{state}` where it comes from; approve it to do it here");
            (BeadStatus::Blocked, Some(reason))
        }
    }
}

fn blocking(object: &Map<String, Value>) -> Result<Vec<String>, String> {
    let Some(Value::Array(all)) = object.get("dependencies") else {
        return Ok(Vec::new());
    };
    let mut on = Vec::new();
    for edge in all {
        let field = |name: &str| edge.get(name).and_then(Value::as_str);
        if !BLOCKING.contains(&field("type").unwrap_or("blocks")) {
            continue;
        }
        let id = field("depends_on_id").ok_or("dependencies: one has no depends_on_id")?;
        on.push(id.to_owned());
    }
    Ok(on)
}

fn word(object: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_ascii_lowercase())),
        Some(_) => Err(format!("{name}: it is not text")),
    }
}

fn taken(object: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name}: it is not text")),
    }
}

fn strings(given: Option<Value>, name: &str) -> Result<Vec<String>, String> {
    match given {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => {
            serde_json::from_value(list).map_err(|_| format!("{name}: it is not a list of texts"))
        }
    }
}

fn is_set(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn time(object: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, String> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(given) => given
            .as_str()
            .and_then(|text| text.parse().ok())
            .map(Some)
            .ok_or_else(|| format!("{name}: it is not a time such as 2026-11-20T08:00:00Z")),
    }
}
