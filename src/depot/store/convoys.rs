//! Convoys. Their status follows from their beads, except for what a person says.

use serde_json::json;

use super::{DepotError, Result, beads};
use crate::core::{BeadId, BeadStatus, ConvoyId, ConvoyStatus};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::rank::rank;
use crate::depot::{Act, Bead, Convoy, NewConvoy, Progress};

/// Creates a convoy in state `queued`.
pub(crate) async fn insert_convoy(conn: &mut Conn, act: Act<'_>, new: NewConvoy) -> Result<Convoy> {
    for len in [5, 5, 6, 8] {
        let id = act.ids.convoy(len);
        let base = new.base.as_ref();
        let inserted = sqlx::query(
            "INSERT INTO convoys (id, name, goal, status, repo, base_branch, base_commit, branch, gate, strategy,
                provider, max_parallel, budget_tokens, budget_micro_usd, deadline, served_by, planned_by,
                created_at, updated_at, settings_sha256)
             VALUES (?1, ?2, ?3, 'queued', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17, ?18)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&id)
        .bind(&new.name)
        .bind(&new.goal)
        .bind(base.map(|b| b.repo.to_string_lossy().into_owned()))
        .bind(base.map(|b| b.branch.as_str()))
        .bind(base.map(|b| b.commit.as_str()))
        .bind(base.map(|_| format!("rigs/{id}")))
        .bind(new.gate.as_ref().map(sqlx::types::Json))
        .bind(new.strategy)
        .bind(&new.provider)
        .bind(new.max_parallel)
        .bind(new.budget_tokens)
        .bind(new.budget_micro_usd)
        .bind(new.deadline)
        .bind(&new.served_by)
        .bind(&new.planned_by)
        .bind(act.now)
        .bind(base.and_then(|b| b.settings_sha256.as_deref()))
        .execute(&mut *conn)
        .await?
        .rows_affected();
        if inserted == 0 {
            continue;
        }
        let payload = json!({ "name": new.name, "goal": new.goal, "planned_by": new.planned_by });
        note(conn, act, EventType::ConvoyCreated, &id, payload).await?;
        return convoy(conn, &id).await?.ok_or(DepotError::NoConvoy(id));
    }
    Err(DepotError::Db(crate::db::DbError::Sqlx(
        sqlx::Error::Protocol("no free convoy id found".into()),
    )))
}

async fn note(
    conn: &mut Conn,
    act: Act<'_>,
    kind: EventType,
    id: &ConvoyId,
    payload: serde_json::Value,
) -> Result<()> {
    let event = NewEvent::new(kind, act.who)
        .convoy(Some(id))
        .payload(payload);
    Ok(events::append(conn, act.ids, act.now, event).await?)
}

pub(crate) async fn convoy(conn: &mut Conn, id: &ConvoyId) -> Result<Option<Convoy>> {
    Ok(sqlx::query_as("SELECT * FROM convoys WHERE id = ?1")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// The newest convoys first.
pub(crate) async fn list_convoys(conn: &mut Conn, limit: i64) -> Result<Vec<Convoy>> {
    Ok(
        sqlx::query_as("SELECT * FROM convoys ORDER BY created_at DESC, id DESC LIMIT ?1")
            .bind(limit)
            .fetch_all(conn)
            .await?,
    )
}

/// The beads of a convoy, archived ones too, in the order they were made.
pub(crate) async fn beads_of(conn: &mut Conn, id: &ConvoyId) -> Result<Vec<Bead>> {
    Ok(sqlx::query_as(
        "SELECT *, '' AS archived_at, rowid AS at_row FROM beads WHERE convoy_id = ?1
         UNION ALL SELECT * FROM archived_beads WHERE convoy_id = ?1 ORDER BY created_at, at_row",
    )
    .bind(id)
    .fetch_all(conn)
    .await?)
}

pub(crate) async fn progress(conn: &mut Conn, id: &ConvoyId) -> Result<Progress> {
    let mut progress = Progress::of(&super::status_counts(conn, Some(id)).await?);
    let waiting = super::conflicts::waiting_originals(conn, id).await?;
    progress.active -= waiting;
    progress.waiting += waiting;
    Ok(progress)
}

/// Puts a bead that has no convoy, or one it has all for itself, into this one.
pub(crate) async fn add_bead(
    conn: &mut Conn,
    act: Act<'_>,
    id: &ConvoyId,
    bead: &BeadId,
) -> Result<()> {
    let status = status(conn, id).await?;
    if status.is_over() {
        return Err(DepotError::ConvoyOver {
            convoy: id.clone(),
            status,
        });
    }
    let found = super::get(conn, bead)
        .await?
        .ok_or_else(|| DepotError::NoBead(bead.clone()))?;
    if let Some(convoy) = found.convoy_id.filter(|c| c != id) {
        return Err(DepotError::InConvoy {
            bead: bead.clone(),
            convoy,
        });
    }
    if !matches!(
        found.status,
        BeadStatus::Pending | BeadStatus::Queued | BeadStatus::Deferred
    ) {
        return Err(DepotError::LostRace {
            bead: bead.clone(),
            expected: BeadStatus::Queued,
            now: found.status,
        });
    }
    let deadline = beads::earlier(found.deadline, beads::due(conn, Some(id)).await?);
    sqlx::query("UPDATE beads SET convoy_id = ?2, updated_at = ?3, rank = ?4 WHERE id = ?1")
        .bind(bead)
        .bind(id)
        .bind(act.now)
        .bind(rank(found.priority, found.created_at, deadline))
        .execute(&mut *conn)
        .await?;
    let event = NewEvent::new(EventType::ConvoyBeadAdded, act.who)
        .bead(bead)
        .convoy(Some(id));
    Ok(events::append(conn, act.ids, act.now, event).await?)
}

async fn status(conn: &mut Conn, id: &ConvoyId) -> Result<ConvoyStatus> {
    sqlx::query_scalar("SELECT status FROM convoys WHERE id = ?1")
        .bind(id)
        .fetch_optional(conn)
        .await?
        .ok_or_else(|| DepotError::NoConvoy(id.clone()))
}

async fn set_status(
    conn: &mut Conn,
    act: Act<'_>,
    id: &ConvoyId,
    from: ConvoyStatus,
    to: ConvoyStatus,
    kind: EventType,
) -> Result<()> {
    let over = to.is_over().then_some(act.now);
    let changed = sqlx::query(
        "UPDATE convoys SET status = ?3, updated_at = ?4, completed_at = ?5,
            started_at = CASE WHEN ?3 = 'in_progress' THEN coalesce(started_at, ?4) ELSE started_at END
         WHERE id = ?1 AND status = ?2",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .bind(act.now)
    .bind(over)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if changed == 1 {
        note(conn, act, kind, id, json!({ "from": from, "to": to })).await?;
    }
    Ok(())
}

/// The first claim of a bead of it.
pub(super) async fn started(conn: &mut Conn, act: Act<'_>, id: &ConvoyId) -> Result<()> {
    match status(conn, id).await? {
        from @ (ConvoyStatus::Planning | ConvoyStatus::Queued) => {
            set_status(
                conn,
                act,
                id,
                from,
                ConvoyStatus::InProgress,
                EventType::ConvoyStarted,
            )
            .await
        }
        ConvoyStatus::InProgress
        | ConvoyStatus::Paused
        | ConvoyStatus::Completed
        | ConvoyStatus::Failed
        | ConvoyStatus::Cancelled => Ok(()),
    }
}

/// Brings the convoy's status in line with its beads.
pub(crate) async fn refresh(conn: &mut Conn, act: Act<'_>, id: &ConvoyId) -> Result<()> {
    let from = status(conn, id).await?;
    if from.is_over() {
        return Ok(());
    }
    let Some(to) = progress(conn, id).await?.verdict() else {
        return Ok(());
    };
    let kind = match to {
        ConvoyStatus::Completed => EventType::ConvoyCompleted,
        ConvoyStatus::Failed => EventType::ConvoyFailed,
        ConvoyStatus::Cancelled => EventType::ConvoyCancelled,
        ConvoyStatus::Planning
        | ConvoyStatus::Queued
        | ConvoyStatus::InProgress
        | ConvoyStatus::Paused => {
            return Ok(());
        }
    };
    set_status(conn, act, id, from, to, kind).await
}

/// A bead of a convoy that was over is tried again.
pub(super) async fn reopen(conn: &mut Conn, act: Act<'_>, id: &ConvoyId) -> Result<()> {
    let from = status(conn, id).await?;
    if from.is_over() {
        set_status(
            conn,
            act,
            id,
            from,
            ConvoyStatus::InProgress,
            EventType::ConvoyResumed,
        )
        .await?;
    }
    Ok(())
}

/// No bead of it is claimed until `resume`; what runs goes on.
pub(crate) async fn pause(conn: &mut Conn, act: Act<'_>, id: &ConvoyId) -> Result<()> {
    let from = status(conn, id).await?;
    if from.is_over() {
        return Err(DepotError::ConvoyOver {
            convoy: id.clone(),
            status: from,
        });
    }
    set_status(
        conn,
        act,
        id,
        from,
        ConvoyStatus::Paused,
        EventType::ConvoyPaused,
    )
    .await
}

pub(crate) async fn resume(conn: &mut Conn, act: Act<'_>, id: &ConvoyId) -> Result<()> {
    let from = status(conn, id).await?;
    if from.is_over() {
        return Err(DepotError::ConvoyOver {
            convoy: id.clone(),
            status: from,
        });
    }
    if from == ConvoyStatus::Paused {
        set_status(
            conn,
            act,
            id,
            from,
            ConvoyStatus::InProgress,
            EventType::ConvoyResumed,
        )
        .await?;
    }
    Ok(())
}

/// Cancels every bead that is not over, and the convoy.
pub(crate) async fn cancel_convoy(
    conn: &mut Conn,
    act: Act<'_>,
    id: &ConvoyId,
    reason: &str,
) -> Result<Vec<BeadId>> {
    let from = status(conn, id).await?;
    if from.is_over() {
        return Err(DepotError::ConvoyOver {
            convoy: id.clone(),
            status: from,
        });
    }
    set_status(
        conn,
        act,
        id,
        from,
        ConvoyStatus::Cancelled,
        EventType::ConvoyCancelled,
    )
    .await?;
    let mut cancelled = Vec::new();
    for bead in beads_of(conn, id).await? {
        // With a bead goes what was to resolve its conflict.
        let now = super::beads::status_of(conn, &bead.id).await?;
        if !now.is_over() {
            super::cancel(conn, act, &bead.id, reason).await?;
            cancelled.push(bead.id);
        }
    }
    Ok(cancelled)
}

/// Records that the integration branch is in its base.
pub(crate) async fn landed(
    conn: &mut Conn,
    act: Act<'_>,
    id: &ConvoyId,
    commit: &str,
) -> Result<()> {
    sqlx::query(
        "UPDATE convoys SET landed_at = ?2, landed_commit = ?3, updated_at = ?2 WHERE id = ?1",
    )
    .bind(id)
    .bind(act.now)
    .bind(commit)
    .execute(&mut *conn)
    .await?;
    note(
        conn,
        act,
        EventType::ConvoyLanded,
        id,
        json!({ "commit": commit }),
    )
    .await
}

/// Says which process waits for the convoy.
pub(crate) async fn serve(conn: &mut Conn, id: &ConvoyId, process: Option<&str>) -> Result<()> {
    sqlx::query("UPDATE convoys SET served_by = ?2 WHERE id = ?1")
        .bind(id)
        .bind(process)
        .execute(conn)
        .await?;
    Ok(())
}

/// Convoys that are not over and that some process waits for.
pub(crate) async fn served(conn: &mut Conn) -> Result<Vec<(ConvoyId, String)>> {
    Ok(sqlx::query_as(
        "SELECT id, served_by FROM convoys
         WHERE status IN ('planning', 'queued', 'in_progress') AND served_by IS NOT NULL",
    )
    .fetch_all(conn)
    .await?)
}

/// Sets the convoy's budgets where they are given.
pub(crate) async fn set_budget(
    conn: &mut Conn,
    id: &ConvoyId,
    tokens: Option<i64>,
    micro_usd: Option<i64>,
) -> Result<()> {
    sqlx::query(
        "UPDATE convoys SET budget_tokens = coalesce(?2, budget_tokens),
            budget_micro_usd = coalesce(?3, budget_micro_usd) WHERE id = ?1",
    )
    .bind(id)
    .bind(tokens)
    .bind(micro_usd)
    .execute(conn)
    .await?;
    Ok(())
}
