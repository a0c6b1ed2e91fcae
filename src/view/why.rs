//! Every decision about one bead, from the event log.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{BeadId, BeadStatus};
use crate::db::events::{self, EventFilter};
use crate::db::{Conn, Event};
use crate::depot::files::shared;
use crate::depot::{DepotError, store};

/// What happened to a bead, in order, with the inputs of each decision.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Why {
    pub(crate) bead_id: BeadId,
    pub(crate) title: String,
    pub(crate) status: BeadStatus,
    /// Why it stands where it stands, in a sentence.
    pub(crate) now: String,
    /// What holds every bead back that could be started: the emergency stop, or a machine without
    /// room; `null` when nothing does, or when the bead could not be started anyway.
    pub(crate) held_back: Option<String>,
    pub(crate) events: Vec<Event>,
}

/// Of a bead that nothing is known to hold up.
pub(crate) const READY: &str = "it is ready and waits to be claimed";

/// More events than a bead has in a year of walls.
const MOST: i64 = 10_000;

pub(crate) async fn why(conn: &mut Conn, id: &BeadId) -> Result<Why, DepotError> {
    let bead = store::get(conn, id)
        .await?
        .ok_or_else(|| DepotError::NoBead(id.clone()))?;
    let filter = EventFilter {
        bead: Some(id.clone()),
        ..EventFilter::default()
    };
    let events = events::list(conn, &filter, MOST).await?;
    let waits_for = store::open_conflicts(conn, Some(id)).await?;
    let other = in_the_way(conn, &bead).await?;
    Ok(Why {
        now: other.unwrap_or_else(|| now(&bead, waits_for.first())),
        held_back: None,
        bead_id: bead.id,
        title: bead.title,
        status: bead.status,
        events,
    })
}

/// What works on the same files, where the bead could be started.
async fn in_the_way(
    conn: &mut Conn,
    bead: &crate::depot::Bead,
) -> Result<Option<String>, DepotError> {
    let Some(convoy) = &bead.convoy_id else {
        return Ok(None);
    };
    if bead.status != BeadStatus::Queued || bead.open_deps > 0 {
        return Ok(None);
    }
    let others = store::touched(conn, convoy).await?;
    Ok(others.iter().find_map(|(other, files)| {
        let path = shared(&bead.files, files)?;
        let path = crate::core::text::one_line(path, 80);
        Some(format!(
            "it waits for {other}, which works on {path} of the same convoy"
        ))
    }))
}

fn now(bead: &crate::depot::Bead, waits_for: Option<&BeadId>) -> String {
    match bead.status {
        BeadStatus::Pending => {
            "nobody has looked at it yet; a foreman or a goal takes it up".into()
        }
        BeadStatus::Optimizing => "its prompt and estimate are being made".into(),
        BeadStatus::Queued if bead.open_deps > 0 => format!(
            "it waits for {}",
            crate::core::text::count(bead.open_deps as usize, "dependency", "dependencies")
        ),
        BeadStatus::Queued => READY.into(),
        BeadStatus::Assigned | BeadStatus::InProgress => match &bead.assigned_provider {
            Some(provider) => format!("{provider} works on it, attempt {}", bead.attempt),
            None => "it is being worked on".into(),
        },
        BeadStatus::Reviewing => "its result is being checked".into(),
        BeadStatus::Merging => match waits_for {
            Some(conflict_bead) => format!(
                "its work conflicts with what was merged meanwhile; {conflict_bead} brings both together"
            ),
            None => "its work is being merged".into(),
        },
        BeadStatus::Completed => "it is done".into(),
        BeadStatus::Deferred => bead
            .deferral
            .as_ref()
            .map_or("it waits for capacity".into(), |d| d.reason.clone()),
        BeadStatus::Blocked => bead
            .block_reason
            .clone()
            .unwrap_or_else(|| "it is blocked".into()),
        BeadStatus::Failed => bead.error.clone().unwrap_or_else(|| "it failed".into()),
        BeadStatus::Cancelled => "it was cancelled".into(),
    }
}
