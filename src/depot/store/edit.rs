//! What a person changes about a bead that does not run.

use serde_json::{Map, Value, json};
use sqlx::types::Json;

use super::{DepotError, Result};
use crate::core::BeadStatus;
use crate::core::text::ellipsis;
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::rank::rank;
use crate::depot::{Act, Bead, BeadEdit};

/// Longest text of a change in the log of events; the bead holds the whole one.
const LONGEST: usize = 500;

/// Changes what `edit` names of the bead as it was read, and nothing when it has moved since:
/// `LostRace`. A bead that runs or is completed cannot be changed: `Busy`. Gives the names of
/// the fields that are different now.
pub(crate) async fn edit(
    conn: &mut Conn,
    act: Act<'_>,
    was: &Bead,
    edit: &BeadEdit,
) -> Result<Vec<String>> {
    if was.status.is_leased() || was.status == BeadStatus::Completed {
        return Err(DepotError::Busy {
            bead: was.id.clone(),
            status: was.status,
        });
    }
    let new = edit.applied(was);
    let changed = changes(was, &new);
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let told = changed.contains_key("description") || changed.contains_key("acceptance_criteria");
    let convoys = super::beads::due(conn, was.convoy_id.as_ref()).await?;
    let deadline = super::beads::earlier(new.deadline, convoys);
    let edited = sqlx::query(
        "UPDATE beads SET title = ?4, description = ?5, task_type = ?6, priority = ?7, rank = ?8,
            permission = ?9, acceptance_criteria = ?10, labels = ?11, preferred_provider = ?12,
            preferred_model = ?13, estimated_tokens = ?14, estimate_p80 = ?15, estimate_p95 = ?16,
            estimate_source = ?17, deadline = ?18, updated_at = ?19,
            optimized_prompt = CASE WHEN description = ?5 THEN optimized_prompt END,
            feedback = coalesce(?20, feedback)
         WHERE id = ?1 AND status = ?2 AND attempt = ?3 AND updated_at = ?21",
    )
    .bind(&was.id)
    .bind(was.status)
    .bind(was.attempt)
    .bind(&new.title)
    .bind(&new.description)
    .bind(new.task_type)
    .bind(new.priority)
    .bind(rank(new.priority, was.created_at, deadline))
    .bind(new.permission)
    .bind(Json(&new.acceptance_criteria))
    .bind(Json(&new.labels))
    .bind(&new.preferred_provider)
    .bind(&new.preferred_model)
    .bind(new.estimated_tokens)
    .bind(new.estimate_p80)
    .bind(new.estimate_p95)
    .bind(new.estimate_source)
    .bind(new.deadline)
    .bind(act.now)
    .bind((told && was.attempt > 0).then(|| told_again(&new)))
    .bind(was.updated_at)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if edited == 0 {
        return Err(DepotError::LostRace {
            bead: was.id.clone(),
            expected: was.status,
            now: super::beads::status_of(conn, &was.id).await?,
        });
    }
    let names = changed.keys().cloned().collect();
    let event = NewEvent::new(EventType::BeadEdited, act.who)
        .bead(&was.id)
        .convoy(was.convoy_id.as_ref())
        .payload(json!({ "changed": changed }));
    events::append(conn, act.ids, act.now, event).await?;
    Ok(names)
}

/// For an agent that goes on with its conversation and knows the task as it was.
fn told_again(new: &Bead) -> String {
    let criteria: Vec<String> = new
        .acceptance_criteria
        .iter()
        .map(|c| format!("- {}", c.words()))
        .collect();
    let criteria = if criteria.is_empty() {
        String::new()
    } else {
        format!("\n\nIt is done when:\n{}", criteria.join("\n"))
    };
    format!(
        "A person has changed the task. It is now:\n{}{criteria}",
        new.description
    )
}

/// What is different, each with what it was and is.
fn changes(was: &Bead, new: &Bead) -> Map<String, Value> {
    let fields = |b: &Bead| {
        [
            ("title", json!(ellipsis(&b.title, LONGEST))),
            ("description", json!(b.description)),
            ("task_type", json!(b.task_type)),
            ("priority", json!(b.priority)),
            ("permission", json!(b.permission)),
            ("acceptance_criteria", json!(b.acceptance_criteria)),
            ("labels", json!(b.labels)),
            ("preferred_provider", json!(b.preferred_provider)),
            ("preferred_model", json!(b.preferred_model)),
            ("estimate", json!(b.estimate())),
            ("deadline", json!(b.deadline)),
        ]
    };
    let short = |value: Value| match value {
        Value::String(text) => Value::String(ellipsis(&text, LONGEST)),
        other => other,
    };
    fields(was)
        .into_iter()
        .zip(fields(new))
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, before), (_, after))| {
            let change = json!({ "was": short(before), "is": short(after) });
            (name.to_owned(), change)
        })
        .collect()
}
