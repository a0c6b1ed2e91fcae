//! What a person says about a bead that waits for one, and the work that is looked at again
//! because of it.

use serde_json::json;

use super::steps::{met_conflict, step};
use super::stops::{clear_block, lift_dependents, reopen};
use super::{Result, attempts, conflicts};
use crate::core::{BeadEvent, BeadId, BeadStatus, BlockCause, ConvoyId};
use crate::db::Conn;
use crate::depot::{Act, Bead};

/// A person has looked at a bead that waits for one: it goes on. With an answer its agent does,
/// told what they say; without one the work that it left is checked again as it is, which costs
/// nothing. Its count of failures starts anew. Gives its new status; a bead that is blocked for
/// another cause is left as it is, and `None`.
pub(crate) async fn approve(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    answer: Option<&str>,
) -> Result<Option<BeadStatus>> {
    let waits: Option<(Option<BlockCause>, Option<String>)> = sqlx::query_as(
        "SELECT block_cause, feedback FROM beads WHERE id = ?1 AND status = 'blocked'",
    )
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((Some(BlockCause::Person), feedback)) = waits else {
        return Ok(None);
    };
    let event = if answer.is_none() && has_finished_work(conn, id).await? {
        BeadEvent::Review
    } else {
        BeadEvent::Unblock
    };
    let payload = json!({ "approved": true, "answer": answer });
    let blocked = BeadStatus::Blocked;
    let status = step(conn, act, id, blocked, event, None, payload).await?;
    let told = match (answer, feedback) {
        (Some(answer), Some(before)) => Some(format!(
            "A person has looked at it and says:\n{answer}\n\nWhat was found before:\n{before}"
        )),
        (Some(answer), None) => Some(format!("A person has looked at it and says:\n{answer}")),
        (None, before) => before,
    };
    sqlx::query("UPDATE beads SET failures = 0, feedback = ?2 WHERE id = ?1")
        .bind(id)
        .bind(told)
        .execute(&mut *conn)
        .await?;
    clear_block(conn, id).await?;
    lift_dependents(conn, act, id).await?;
    reopen(conn, act, id).await?;
    Ok(Some(status))
}

/// Whether its last run ended well and left a commit. Work that met a conflict is done again on
/// top of what is merged: checked as it is, it would only meet it once more.
async fn has_finished_work(conn: &mut Conn, id: &BeadId) -> Result<bool> {
    let Some(last) = attempts::last_attempt(conn, id).await? else {
        return Ok(false);
    };
    Ok(last.status == "done"
        && last.commit_id.is_some()
        && conflicts::resolves(conn, id).await?.is_none()
        && !met_conflict(conn, id, last.id).await?)
}

/// Beads whose work waits to be checked and that nobody holds, of the whole store or of the
/// convoys that somebody waits for.
pub(crate) async fn to_review(conn: &mut Conn, served: Option<&[ConvoyId]>) -> Result<Vec<Bead>> {
    let served = served.map(|ids| sqlx::types::Json(ids.to_vec()));
    Ok(sqlx::query_as(
        "SELECT * FROM beads WHERE status = 'reviewing' AND lease_owner IS NULL
           AND (?1 IS NULL OR convoy_id IN (SELECT value FROM json_each(?1)))
         ORDER BY created_at LIMIT 100",
    )
    .bind(served)
    .fetch_all(conn)
    .await?)
}
