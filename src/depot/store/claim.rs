//! Claiming beads, keeping the claim, and what the loop asks each time around.

use serde_json::{Value, json};

use super::steps::{Step, change, take};
use super::{DepotError, Result};
use crate::core::{AttemptId, BeadEvent, BeadId, BeadStatus, ConvoyId, ProviderName, Timestamp};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::{Act, Attempt, Bead, Fence, Ready};

/// Beads that could be claimed, best first (of equals the one made first), at most `limit`. `served` narrows it to the convoys
/// that somebody waits for; `None` means the whole store.
pub(crate) async fn ready(
    conn: &mut Conn,
    served: Option<&[ConvoyId]>,
    limit: i64,
) -> Result<Vec<Ready>> {
    // The indexes are named: without statistics SQLite takes another one, and sorts the queue.
    let Some(served) = served else {
        return Ok(sqlx::query_as(READY).bind(limit).fetch_all(conn).await?);
    };
    Ok(sqlx::query_as(READY_OF)
        .bind(limit)
        .bind(sqlx::types::Json(served))
        .fetch_all(conn)
        .await?)
}

pub(super) const READY: &str = "SELECT b.id, b.title, b.task_type, b.priority, b.permission, b.files, b.estimated_tokens, b.estimate_p80,
            b.estimate_p95, b.estimate_source, b.preferred_provider, b.preferred_model, b.assigned_provider,
            b.attempt, b.convoy_id, c.name AS convoy_name, c.repo,
            c.provider AS convoy_provider, c.strategy, c.max_parallel AS convoy_max_parallel,
            c.budget_tokens, c.budget_micro_usd, b.rank,
            min(coalesce(b.deadline, c.deadline), coalesce(c.deadline, b.deadline)) AS due_at
         FROM beads b INDEXED BY beads_ready LEFT JOIN convoys c ON c.id = b.convoy_id
         WHERE b.status = 'queued' AND b.open_deps = 0
           AND (c.id IS NULL OR c.status NOT IN ('paused', 'cancelled'))
         ORDER BY b.rank DESC, b.created_at, b.rowid LIMIT ?1";

pub(super) const READY_OF: &str = "SELECT b.id, b.title, b.task_type, b.priority, b.permission, b.files, b.estimated_tokens, b.estimate_p80,
            b.estimate_p95, b.estimate_source, b.preferred_provider, b.preferred_model, b.assigned_provider,
            b.attempt, b.convoy_id, c.name AS convoy_name, c.repo,
            c.provider AS convoy_provider, c.strategy, c.max_parallel AS convoy_max_parallel,
            c.budget_tokens, c.budget_micro_usd, b.rank,
            min(coalesce(b.deadline, c.deadline), coalesce(c.deadline, b.deadline)) AS due_at
         FROM json_each(?2) s
         CROSS JOIN beads b INDEXED BY beads_by_convoy ON b.convoy_id = s.value AND b.status = 'queued'
         JOIN convoys c ON c.id = b.convoy_id
         WHERE b.open_deps = 0 AND c.status NOT IN ('paused', 'cancelled')
         ORDER BY b.rank DESC, b.created_at, b.rowid LIMIT ?1";

/// The same of one bead, whatever its state.
pub(crate) async fn as_ready(conn: &mut Conn, id: &BeadId) -> Result<Ready> {
    sqlx::query_as(
        "SELECT b.id, b.title, b.task_type, b.priority, b.permission, b.files, b.estimated_tokens, b.estimate_p80,
            b.estimate_p95, b.estimate_source, b.preferred_provider, b.preferred_model,
            b.assigned_provider, b.attempt, b.convoy_id, c.name AS convoy_name, c.repo, c.provider AS convoy_provider, c.strategy,
            c.max_parallel AS convoy_max_parallel, c.budget_tokens, c.budget_micro_usd, b.rank,
            min(coalesce(b.deadline, c.deadline), coalesce(c.deadline, b.deadline)) AS due_at
         FROM beads b LEFT JOIN convoys c ON c.id = b.convoy_id WHERE b.id = ?1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| DepotError::NoBead(id.clone()))
}

/// Beads to assay, oldest first.
pub(crate) async fn pending(
    conn: &mut Conn,
    served: Option<&[ConvoyId]>,
    limit: i64,
) -> Result<Vec<Bead>> {
    let Some(served) = served else {
        return Ok(sqlx::query_as(PENDING).bind(limit).fetch_all(conn).await?);
    };
    Ok(sqlx::query_as(PENDING_OF)
        .bind(limit)
        .bind(sqlx::types::Json(served))
        .fetch_all(conn)
        .await?)
}

pub(super) const PENDING: &str = "SELECT * FROM beads INDEXED BY beads_pending
         WHERE status = 'pending' ORDER BY created_at, rowid LIMIT ?1";

pub(super) const PENDING_OF: &str = "SELECT b.* FROM json_each(?2) s
         CROSS JOIN beads b INDEXED BY beads_by_convoy ON b.convoy_id = s.value AND b.status = 'pending'
         ORDER BY b.created_at, b.rowid LIMIT ?1";

/// When the next deferred bead is due, of one convoy or of the whole store.
pub(crate) async fn next_due(
    conn: &mut Conn,
    convoy: Option<&ConvoyId>,
) -> Result<Option<Timestamp>> {
    let Some(convoy) = convoy else {
        return Ok(sqlx::query_scalar(NEXT_DUE).fetch_optional(conn).await?);
    };
    Ok(sqlx::query_scalar(
        "SELECT min(deferred_until) FROM beads INDEXED BY beads_by_convoy
         WHERE convoy_id = ?1 AND status = 'deferred'",
    )
    .bind(convoy)
    .fetch_one(conn)
    .await?)
}

pub(super) const NEXT_DUE: &str = "SELECT deferred_until FROM beads INDEXED BY beads_deferred
         WHERE status = 'deferred' ORDER BY deferred_until, id LIMIT 1";

/// The deferred bead that is due first, of the whole store.
pub(crate) async fn first_deferred(conn: &mut Conn) -> Result<Option<Bead>> {
    Ok(sqlx::query_as(FIRST_DEFERRED).fetch_optional(conn).await?)
}

pub(super) const FIRST_DEFERRED: &str = "SELECT * FROM beads INDEXED BY beads_deferred
         WHERE status = 'deferred' ORDER BY deferred_until, id LIMIT 1";

/// A claim about to be made.
#[derive(Debug, Clone)]
pub(crate) struct Claim<'a> {
    pub(crate) bead: &'a BeadId,
    /// The attempt that the decision was made on; somebody else's claim changes it.
    pub(crate) after_attempt: i64,
    pub(crate) provider: &'a ProviderName,
    pub(crate) model: Option<&'a str>,
    pub(crate) owner: &'a str,
    pub(crate) lease_until: Timestamp,
    /// The session to go on with.
    pub(crate) resumes: Option<&'a str>,
    /// Goes into the environment of everything the attempt starts.
    pub(crate) marker: &'a str,
    pub(crate) log_path: &'a str,
    /// The decision with its reasons, for `rigs why`.
    pub(crate) decision: Value,
}

/// `queued` to `assigned`: a new attempt with its lease. The caller reserves capacity in the same
/// transaction.
pub(crate) async fn claim(conn: &mut Conn, act: Act<'_>, claim: Claim<'_>) -> Result<AttemptId> {
    const SQL: &str = concat!(
        change!(
            ", attempt = ?15, assigned_provider = ?16, lease_owner = ?17, lease_expires_at = ?18",
            where " AND attempt = ?15 - 1 AND open_deps = 0"
        ),
        "; INSERT INTO attempts (id, bead_id, number, provider, model, owner, resumes, marker, log_path, started_at)
         SELECT ?19, ?5, ?15, ?16, ?20, ?17, ?21, ?22, ?23, ?2 WHERE changes() = 1"
    );
    let number = claim.after_attempt + 1;
    let payload = json!({ "attempt": number, "model": claim.model, "decision": claim.decision });
    let step = Step::new(claim.bead, BeadStatus::Queued, BeadEvent::Claim).saying(payload);
    let id = act.ids.attempt();
    let claimed = take(conn, act, step, SQL, |query| {
        query
            .bind(number)
            .bind(claim.provider.clone())
            .bind(claim.owner.to_owned())
            .bind(claim.lease_until)
            .bind(id)
            .bind(claim.model.map(str::to_owned))
            .bind(claim.resumes.map(str::to_owned))
            .bind(claim.marker.to_owned())
            .bind(claim.log_path.to_owned())
    })
    .await?;
    if let Some(convoy) = &claimed.convoy_id {
        super::convoys::started(conn, act, convoy).await?;
    }
    Ok(id)
}

/// The heartbeat: everything this owner holds stays held until `until`.
pub(crate) async fn renew_leases(conn: &mut Conn, owner: &str, until: Timestamp) -> Result<u64> {
    Ok(
        sqlx::query("UPDATE beads SET lease_expires_at = ?2 WHERE lease_owner = ?1")
            .bind(owner)
            .bind(until)
            .execute(conn)
            .await?
            .rows_affected(),
    )
}

/// Everything under a lease, with its owner, and what a foreman that was stopped let go of in a
/// state that needs one; not what waits for its conflict bead.
pub(crate) async fn leased(conn: &mut Conn) -> Result<Vec<Bead>> {
    Ok(sqlx::query_as(
        "SELECT * FROM beads WHERE lease_owner IS NOT NULL
         UNION ALL
         SELECT * FROM beads b WHERE status IN ('reviewing', 'merging') AND lease_owner IS NULL
           AND NOT EXISTS (SELECT 1 FROM conflicts c JOIN beads by ON by.id = c.bead_id
                           WHERE c.original = b.id
                             AND by.status NOT IN ('completed', 'failed', 'cancelled', 'blocked'))
         ORDER BY id",
    )
    .fetch_all(conn)
    .await?)
}

/// Gives up the lease of a bead whose work is done and committed; it stays where it is, for the
/// next foreman to take up. False when it was not ours any more.
pub(crate) async fn let_go(conn: &mut Conn, id: &BeadId, fence: &Fence) -> Result<bool> {
    let gone = sqlx::query(
        "UPDATE beads SET lease_owner = NULL, lease_expires_at = NULL
         WHERE id = ?1 AND attempt = ?2 AND lease_owner = ?3 AND status IN ('reviewing', 'merging')",
    )
    .bind(id)
    .bind(fence.attempt)
    .bind(&fence.owner)
    .execute(conn)
    .await?
    .rows_affected();
    Ok(gone == 1)
}

/// Takes over a bead in `reviewing` or `merging` from an owner that is gone: its work is done
/// and committed, only the rest is to do. The state stays, the lease changes hands.
pub(crate) async fn adopt(
    conn: &mut Conn,
    act: Act<'_>,
    bead: &Bead,
    owner: &str,
    until: Timestamp,
) -> Result<Attempt> {
    let adopted = sqlx::query(
        "UPDATE beads SET lease_owner = ?3, lease_expires_at = ?4, updated_at = ?5
         WHERE id = ?1 AND lease_owner IS ?2 AND status IN ('reviewing', 'merging')",
    )
    .bind(&bead.id)
    .bind(&bead.lease_owner)
    .bind(owner)
    .bind(until)
    .bind(act.now)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if adopted == 0 {
        let now = super::beads::status_of(conn, &bead.id).await?;
        return Err(DepotError::LostRace {
            bead: bead.id.clone(),
            expected: bead.status,
            now,
        });
    }
    let event = NewEvent::new(EventType::BeadAdopted, act.who)
        .bead(&bead.id)
        .convoy(bead.convoy_id.as_ref())
        .payload(json!({ "state": bead.status, "attempt": bead.attempt }));
    events::append(&mut *conn, act.ids, act.now, event).await?;
    super::last_attempt(conn, &bead.id)
        .await?
        .ok_or_else(|| DepotError::NoBead(bead.id.clone()))
}
