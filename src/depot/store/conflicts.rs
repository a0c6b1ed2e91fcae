//! Conflict beads: each brings the work of one bead, the original, together with what was merged
//! meanwhile. The original waits in `merging` without a lease until its conflict bead is over: it
//! is merged when that one is completed, and blocked for a person when it comes to any other end.

use serde_json::json;

use super::Result;
use super::beads::status_of;
use super::steps::step;
use crate::core::{BeadEvent, BeadId, BeadStatus, BlockCause};
use crate::db::Conn;
use crate::depot::{Act, Conflict, Fence, NewBead};

/// A conflict about to be handed to a bead of its own.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) original: &'a BeadId,
    pub(crate) fence: &'a Fence,
    /// The work of the original.
    pub(crate) commit: &'a str,
    pub(crate) files: &'a [String],
    pub(crate) bead: NewBead,
}

/// Creates the conflict bead and lets the original wait for it.
pub(crate) async fn open_conflict(
    conn: &mut Conn,
    act: Act<'_>,
    opening: Opening<'_>,
) -> Result<BeadId> {
    let bead = super::insert(conn, act, opening.bead).await?.id;
    sqlx::query(
        "INSERT INTO conflicts (bead_id, original, commit_id, files, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(&bead)
    .bind(opening.original)
    .bind(opening.commit)
    .bind(sqlx::types::Json(opening.files))
    .bind(act.now)
    .execute(&mut *conn)
    .await?;
    if super::let_go(conn, opening.original, opening.fence).await? {
        Ok(bead)
    } else {
        Err(super::DepotError::Fenced {
            bead: opening.original.clone(),
            attempt: opening.fence.attempt,
        })
    }
}

/// What `bead` is to bring together, when it is a conflict bead.
pub(crate) async fn resolves(conn: &mut Conn, bead: &BeadId) -> Result<Option<Conflict>> {
    Ok(sqlx::query_as("SELECT * FROM conflicts WHERE bead_id = ?1")
        .bind(bead)
        .fetch_optional(conn)
        .await?)
}

/// The conflict bead that was made for this very work, and where it stands.
pub(crate) async fn conflict_of(
    conn: &mut Conn,
    original: &BeadId,
    commit: &str,
) -> Result<Option<(BeadId, BeadStatus)>> {
    Ok(sqlx::query_as(
        "SELECT b.id, b.status FROM conflicts c JOIN beads b ON b.id = c.bead_id
         WHERE c.original = ?1 AND c.commit_id = ?2 ORDER BY c.created_at DESC LIMIT 1",
    )
    .bind(original)
    .bind(commit)
    .fetch_optional(conn)
    .await?)
}

/// Conflict beads that are not over, of one original or of all.
pub(crate) async fn open_conflicts(
    conn: &mut Conn,
    original: Option<&BeadId>,
) -> Result<Vec<BeadId>> {
    Ok(sqlx::query_scalar(
        "SELECT b.id FROM conflicts c JOIN beads b ON b.id = c.bead_id
         WHERE (?1 IS NULL OR c.original = ?1)
           AND b.status NOT IN ('completed', 'failed', 'cancelled', 'blocked')
         ORDER BY c.created_at, b.id",
    )
    .bind(original)
    .fetch_all(conn)
    .await?)
}

/// A conflict bead that cannot go on has no use of its own: it is cancelled, and the person finds
/// the original, which says why.
pub(super) async fn give_up(
    conn: &mut Conn,
    act: Act<'_>,
    conflict: &Conflict,
    from: BeadStatus,
    fence: Option<&Fence>,
    reason: &str,
) -> Result<()> {
    let bead = &conflict.bead_id;
    let payload = json!({ "reason": reason });
    step(conn, act, bead, from, BeadEvent::Cancel, fence, payload).await?;
    sqlx::query(
        "UPDATE beads SET completed_at = ?2, error = ?3, deferred_until = NULL, deferral = NULL
         WHERE id = ?1",
    )
    .bind(bead)
    .bind(act.now)
    .bind(reason)
    .execute(&mut *conn)
    .await?;
    super::stops::block_dependents(conn, act, bead, BeadStatus::Cancelled).await?;
    hand_to_person(conn, act, conflict, reason).await
}

/// The original is a person's now. Tried again, it is done anew on top of what was merged.
pub(super) async fn hand_to_person(
    conn: &mut Conn,
    act: Act<'_>,
    conflict: &Conflict,
    reason: &str,
) -> Result<()> {
    let original = &conflict.original;
    let from = status_of(conn, original).await?;
    if from != BeadStatus::Merging {
        return Ok(());
    }
    let files = conflict.files.join(", ");
    let feedback = format!(
        "Work that was merged meanwhile touches the same places: {files}. The worktree has that work now and not \
         yours: do the task again on top of it. Your earlier work is the commit {}.",
        conflict.commit_id,
    );
    sqlx::query("UPDATE beads SET feedback = ?2 WHERE id = ?1")
        .bind(original)
        .bind(feedback)
        .execute(&mut *conn)
        .await?;
    let reason = format!(
        "its work and what was merged meanwhile could not be brought together by {}: {reason}",
        conflict.bead_id
    );
    let cause = BlockCause::Person;
    super::stops::block_it(conn, act, original, from, None, cause, &reason).await
}

/// The original is wanted no more, and with it what was to bring it in.
pub(super) async fn drop_conflicts(conn: &mut Conn, act: Act<'_>, original: &BeadId) -> Result<()> {
    for bead in open_conflicts(conn, Some(original)).await? {
        let from = status_of(conn, &bead).await?;
        let payload = json!({ "reason": format!("{original} is cancelled") });
        step(conn, act, &bead, from, BeadEvent::Cancel, None, payload).await?;
        sqlx::query(
            "UPDATE beads SET completed_at = ?2, deferred_until = NULL, deferral = NULL WHERE id = ?1",
        )
        .bind(&bead)
        .bind(act.now)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// How many originals of a convoy wait for their conflict bead.
pub(super) async fn waiting_originals(
    conn: &mut Conn,
    convoy: &crate::core::ConvoyId,
) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM beads o
         WHERE o.convoy_id = ?1 AND o.status = 'merging' AND o.lease_owner IS NULL
           AND EXISTS (SELECT 1 FROM conflicts c JOIN beads b ON b.id = c.bead_id
                       WHERE c.original = o.id
                         AND b.status NOT IN ('completed', 'failed', 'cancelled', 'blocked'))",
    )
    .bind(convoy)
    .fetch_one(conn)
    .await?)
}
