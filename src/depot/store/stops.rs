//! The ends that are not success, what they mean for the beads that wait, and the way back.

use serde_json::json;

use super::beads::{dependents_of, status_of};
use super::conflicts;
use super::steps::step;
use super::{DepotError, Result};
use crate::core::{BeadEvent, BeadId, BeadStatus, BlockCause, ConvoyId};
use crate::db::Conn;
use crate::depot::{Act, Fence};

/// To `blocked`, and everything that waits for it. A conflict bead leaves its original to a
/// person instead.
pub(crate) async fn block(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    fence: Option<&Fence>,
    cause: BlockCause,
    reason: &str,
) -> Result<()> {
    match conflicts::resolves(conn, id).await? {
        Some(conflict) => conflicts::give_up(conn, act, &conflict, from, fence, reason).await,
        None => block_it(conn, act, id, from, fence, cause, reason).await,
    }
}

pub(super) async fn block_it(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    fence: Option<&Fence>,
    cause: BlockCause,
    reason: &str,
) -> Result<()> {
    sqlx::query(
        "UPDATE beads SET block_cause = ?2, block_reason = ?3 WHERE id = ?1 AND status = ?4",
    )
    .bind(id)
    .bind(cause)
    .bind(reason)
    .bind(from)
    .execute(&mut *conn)
    .await?;
    let payload = json!({ "cause": cause, "reason": reason });
    step(conn, act, id, from, BeadEvent::Block, fence, payload).await?;
    block_dependents(conn, act, id, BeadStatus::Blocked).await
}

pub(crate) async fn unblock(conn: &mut Conn, act: Act<'_>, id: &BeadId) -> Result<()> {
    step(
        conn,
        act,
        id,
        BeadStatus::Blocked,
        BeadEvent::Unblock,
        None,
        json!({}),
    )
    .await?;
    clear_block(conn, id).await
}

pub(super) async fn clear_block(conn: &mut Conn, id: &BeadId) -> Result<()> {
    sqlx::query("UPDATE beads SET block_cause = NULL, block_reason = NULL WHERE id = ?1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// To `failed`, and everything that waits for it to `blocked`. A conflict bead leaves its
/// original to a person instead.
pub(crate) async fn fail(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    fence: Option<&Fence>,
    error: &str,
) -> Result<()> {
    if let Some(conflict) = conflicts::resolves(conn, id).await? {
        return conflicts::give_up(conn, act, &conflict, from, fence, error).await;
    }
    sqlx::query("UPDATE beads SET error = ?2, completed_at = ?3 WHERE id = ?1 AND status = ?4")
        .bind(id)
        .bind(error)
        .bind(act.now)
        .bind(from)
        .execute(&mut *conn)
        .await?;
    step(
        conn,
        act,
        id,
        from,
        BeadEvent::Fail,
        fence,
        json!({ "error": error }),
    )
    .await?;
    block_dependents(conn, act, id, BeadStatus::Failed).await
}

/// To `cancelled`, whatever it was doing; a polecat that runs it is ended by its foreman, whose
/// lease is gone.
pub(crate) async fn cancel(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    reason: &str,
) -> Result<BeadStatus> {
    let from = status_of(conn, id).await?;
    step(
        conn,
        act,
        id,
        from,
        BeadEvent::Cancel,
        None,
        json!({ "reason": reason }),
    )
    .await?;
    sqlx::query(
        "UPDATE beads SET completed_at = ?2, deferred_until = NULL, deferral = NULL,
            block_cause = NULL, block_reason = NULL WHERE id = ?1",
    )
    .bind(id)
    .bind(act.now)
    .execute(&mut *conn)
    .await?;
    block_dependents(conn, act, id, BeadStatus::Cancelled).await?;
    conflicts::drop_conflicts(conn, act, id).await?;
    if let Some(conflict) = conflicts::resolves(conn, id).await? {
        conflicts::hand_to_person(conn, act, &conflict, &format!("cancelled, {reason}")).await?;
    }
    Ok(from)
}

/// Everything not started that waits for `id`, directly or through others, is blocked.
pub(super) async fn block_dependents(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    status: BeadStatus,
) -> Result<()> {
    let mut open = vec![(id.clone(), status)];
    while let Some((cause, status)) = open.pop() {
        for waiting in dependents_of(conn, &cause).await? {
            let from = status_of(conn, &waiting).await?;
            if !matches!(
                from,
                BeadStatus::Pending | BeadStatus::Queued | BeadStatus::Deferred
            ) {
                continue;
            }
            let reason = format!("its dependency {cause} is {status}");
            sqlx::query(
                "UPDATE beads SET block_cause = 'dependency', block_reason = ?2 WHERE id = ?1",
            )
            .bind(&waiting)
            .bind(&reason)
            .execute(&mut *conn)
            .await?;
            let payload = json!({ "cause": BlockCause::Dependency, "reason": reason });
            step(conn, act, &waiting, from, BeadEvent::Block, None, payload).await?;
            open.push((waiting, BeadStatus::Blocked));
        }
    }
    Ok(())
}

/// Frees everything that a policy forbade; other rules hold now.
pub(crate) async fn lift_policy(conn: &mut Conn, act: Act<'_>) -> Result<Vec<BeadId>> {
    let forbidden: Vec<BeadId> = sqlx::query_scalar(
        "SELECT id FROM beads WHERE status = 'blocked' AND block_cause = ?1 ORDER BY created_at, id",
    )
    .bind(BlockCause::Policy)
    .fetch_all(&mut *conn)
    .await?;
    for id in &forbidden {
        unblock(conn, act, id).await?;
        lift_dependents(conn, act, id).await?;
        reopen(conn, act, id).await?;
    }
    Ok(forbidden)
}

/// Another try at a bead that failed, was cancelled or is blocked; its count of failures starts
/// anew, and what was blocked because of it waits for it again.
pub(crate) async fn retry(conn: &mut Conn, act: Act<'_>, id: &BeadId) -> Result<()> {
    let from = status_of(conn, id).await?;
    if let Some(conflict) = conflicts::resolves(conn, id).await?
        && status_of(conn, &conflict.original).await? != BeadStatus::Merging
    {
        return Err(DepotError::NotNeeded {
            bead: id.clone(),
            original: conflict.original,
        });
    }
    step(conn, act, id, from, BeadEvent::Retry, None, json!({})).await?;
    sqlx::query("UPDATE beads SET failures = 0, error = NULL, completed_at = NULL WHERE id = ?1")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    clear_block(conn, id).await?;
    lift_dependents(conn, act, id).await?;
    reopen(conn, act, id).await
}

/// What was blocked because of `id` waits for it again.
pub(super) async fn lift_dependents(conn: &mut Conn, act: Act<'_>, id: &BeadId) -> Result<()> {
    let mut open = vec![id.clone()];
    while let Some(lifted) = open.pop() {
        for waiting in dependents_of(conn, &lifted).await? {
            let still_hopeless: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM dependencies d JOIN beads b ON b.id = d.depends_on_id
                 WHERE d.bead_id = ?1 AND b.status IN ('failed', 'cancelled', 'blocked')",
            )
            .bind(&waiting)
            .fetch_one(&mut *conn)
            .await?;
            let cause: Option<BlockCause> = sqlx::query_scalar(
                "SELECT block_cause FROM beads WHERE id = ?1 AND status = 'blocked'",
            )
            .bind(&waiting)
            .fetch_optional(&mut *conn)
            .await?
            .flatten();
            if still_hopeless == 0 && cause == Some(BlockCause::Dependency) {
                unblock(conn, act, &waiting).await?;
                open.push(waiting);
            }
        }
    }
    Ok(())
}

pub(super) async fn reopen(conn: &mut Conn, act: Act<'_>, id: &BeadId) -> Result<()> {
    let convoy: Option<ConvoyId> = sqlx::query_scalar("SELECT convoy_id FROM beads WHERE id = ?1")
        .bind(id)
        .fetch_one(&mut *conn)
        .await?;
    if let Some(convoy) = convoy {
        super::convoys::reopen(conn, act, &convoy).await?;
    }
    Ok(())
}
