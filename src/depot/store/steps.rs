//! Every change of a bead's status. Each step compares the state it expects (and the fence,
//! while a lease is held), sets the next one, and appends its event.

use serde_json::{Value, json};

use super::beads::status_of;
use super::{DepotError, Result};
use crate::core::{
    AttemptId, BeadEvent, BeadId, BeadStatus, ConvoyId, Estimate, ProviderName, Timestamp,
};
use crate::db::{Conn, NewEvent, events};
use crate::depot::{Act, Deferral, Fence};

/// The step itself. Leaving the leased states ends the lease.
pub(super) async fn step(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    event: BeadEvent,
    fence: Option<&Fence>,
    payload: Value,
) -> Result<BeadStatus> {
    let to = from.apply(event).map_err(|source| DepotError::Illegal {
        bead: id.clone(),
        source,
    })?;
    let moved: Option<(Option<ConvoyId>, Option<ProviderName>)> = sqlx::query_as(
        "UPDATE beads SET status = ?3, updated_at = ?4,
            lease_owner = CASE WHEN ?5 THEN lease_owner END,
            lease_expires_at = CASE WHEN ?5 THEN lease_expires_at END
         WHERE id = ?1 AND status = ?2 AND (?6 IS NULL OR (attempt = ?6 AND lease_owner = ?7))
         RETURNING convoy_id, assigned_provider",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .bind(act.now)
    .bind(to.is_leased())
    .bind(fence.map(|f| f.attempt))
    .bind(fence.map(|f| f.owner.as_str()))
    .fetch_optional(&mut *conn)
    .await?;
    let Some((convoy, provider)) = moved else {
        let now = status_of(conn, id).await?;
        return Err(match fence {
            Some(f) if now == from => DepotError::Fenced {
                bead: id.clone(),
                attempt: f.attempt,
            },
            _ => DepotError::LostRace {
                bead: id.clone(),
                expected: from,
                now,
            },
        });
    };
    let mut body = json!({ "from": from, "to": to });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, payload) {
        body.extend(more);
    }
    if let Some(f) = fence {
        body["attempt"] = json!(f.attempt);
    }
    let event = NewEvent::new(event.into(), act.who)
        .bead(id)
        .convoy(convoy.as_ref())
        .provider(provider.as_ref())
        .payload(body);
    events::append(&mut *conn, act.ids, act.now, event).await?;
    if (to.is_over() || to == BeadStatus::Blocked)
        && let Some(convoy) = &convoy
    {
        super::refresh(conn, act, convoy).await?;
    }
    Ok(to)
}

/// `pending` to `optimizing`, under a lease.
pub(crate) async fn assay(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    owner: &str,
    until: Timestamp,
) -> Result<()> {
    step(
        conn,
        act,
        id,
        BeadStatus::Pending,
        BeadEvent::Assay,
        None,
        json!({}),
    )
    .await?;
    sqlx::query("UPDATE beads SET lease_owner = ?2, lease_expires_at = ?3 WHERE id = ?1")
        .bind(id)
        .bind(owner)
        .bind(until)
        .execute(conn)
        .await?;
    Ok(())
}

/// `optimizing` to `queued` with what the assayer made; a bead that must not start yet is
/// deferred at once.
pub(crate) async fn queue(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    estimate: Estimate,
    optimized_prompt: Option<&str>,
) -> Result<()> {
    let payload = json!({ "estimate": estimate });
    step(
        conn,
        act,
        id,
        BeadStatus::Optimizing,
        BeadEvent::Queue,
        None,
        payload,
    )
    .await?;
    let not_before: Option<Timestamp> = sqlx::query_scalar(
        "UPDATE beads SET estimated_tokens = ?2, estimate_p80 = ?3, estimate_p95 = ?4, estimate_source = ?5,
            optimized_prompt = ?6
         WHERE id = ?1 RETURNING not_before",
    )
    .bind(id)
    .bind(estimate.p50 as i64)
    .bind(estimate.p80 as i64)
    .bind(estimate.p95 as i64)
    .bind(estimate.source)
    .bind(optimized_prompt)
    .fetch_one(&mut *conn)
    .await?;
    match not_before {
        Some(until) if until > act.now => {
            let deferral = Deferral {
                provider: None,
                window: None,
                reason: "not before the time it was given".into(),
            };
            defer(conn, act, id, BeadStatus::Queued, None, until, &deferral).await
        }
        _ => Ok(()),
    }
}

/// `assigned` to `in_progress`.
pub(crate) async fn start(conn: &mut Conn, act: Act<'_>, id: &BeadId, fence: &Fence) -> Result<()> {
    step(
        conn,
        act,
        id,
        BeadStatus::Assigned,
        BeadEvent::Start,
        Some(fence),
        json!({}),
    )
    .await?;
    sqlx::query("UPDATE beads SET started_at = coalesce(started_at, ?2) WHERE id = ?1")
        .bind(id)
        .bind(act.now)
        .execute(conn)
        .await?;
    Ok(())
}

/// `in_progress` to `reviewing`, with the agent's answer.
pub(crate) async fn finish(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    fence: &Fence,
    output: &str,
) -> Result<()> {
    step(
        conn,
        act,
        id,
        BeadStatus::InProgress,
        BeadEvent::Finish,
        Some(fence),
        json!({}),
    )
    .await?;
    sqlx::query("UPDATE beads SET output = ?2 WHERE id = ?1")
        .bind(id)
        .bind(output)
        .execute(conn)
        .await?;
    Ok(())
}

/// `reviewing` to `merging`.
pub(crate) async fn accept(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    fence: &Fence,
    checks: Value,
) -> Result<()> {
    step(
        conn,
        act,
        id,
        BeadStatus::Reviewing,
        BeadEvent::Accept,
        Some(fence),
        json!({ "checks": checks }),
    )
    .await?;
    Ok(())
}

/// Back to `queued` with feedback; counts as a failure. Returns how many it has now.
pub(crate) async fn revise(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    fence: &Fence,
    feedback: &str,
) -> Result<i64> {
    let payload = json!({ "feedback": crate::core::text::ellipsis(feedback, 2000) });
    step(conn, act, id, from, BeadEvent::Revise, Some(fence), payload).await?;
    Ok(sqlx::query_scalar(
        "UPDATE beads SET feedback = ?2, failures = failures + 1 WHERE id = ?1 RETURNING failures",
    )
    .bind(id)
    .bind(feedback)
    .fetch_one(conn)
    .await?)
}

/// `merging` to `completed`; what waited only for this bead becomes ready.
pub(crate) async fn complete(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    fence: &Fence,
    merged: Option<&str>,
) -> Result<()> {
    sqlx::query("UPDATE beads SET completed_at = ?2, feedback = NULL, error = NULL WHERE id = ?1")
        .bind(id)
        .bind(act.now)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE beads SET open_deps = open_deps - 1
         WHERE id IN (SELECT bead_id FROM dependencies WHERE depends_on_id = ?1)",
    )
    .bind(id)
    .execute(&mut *conn)
    .await?;
    step(
        conn,
        act,
        id,
        BeadStatus::Merging,
        BeadEvent::Complete,
        Some(fence),
        json!({ "commit": merged }),
    )
    .await?;
    Ok(())
}

/// To `deferred` until `until`: no capacity, and when there will be.
pub(crate) async fn defer(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    fence: Option<&Fence>,
    until: Timestamp,
    deferral: &Deferral,
) -> Result<()> {
    let payload = json!({ "until": until, "waits_for": deferral });
    step(conn, act, id, from, BeadEvent::Defer, fence, payload).await?;
    sqlx::query("UPDATE beads SET deferred_until = ?2, deferral = ?3 WHERE id = ?1")
        .bind(id)
        .bind(until)
        .bind(sqlx::types::Json(deferral))
        .execute(conn)
        .await?;
    Ok(())
}

/// Back to `queued` (or `pending`) without a verdict: crash, shutdown, provider fault.
pub(crate) async fn release(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    fence: Option<&Fence>,
    reason: &str,
) -> Result<()> {
    step(
        conn,
        act,
        id,
        from,
        BeadEvent::Release,
        fence,
        json!({ "reason": reason }),
    )
    .await?;
    Ok(())
}

/// Another failure of the bead itself, with what the next attempt should know.
pub(crate) async fn count_failure(conn: &mut Conn, id: &BeadId, feedback: &str) -> Result<()> {
    sqlx::query("UPDATE beads SET failures = failures + 1, feedback = ?2 WHERE id = ?1")
        .bind(id)
        .bind(feedback)
        .execute(conn)
        .await?;
    Ok(())
}

/// What all attempts at the bead used, as the ledger has it.
pub(crate) async fn charge(conn: &mut Conn, id: &BeadId, tokens: u64) -> Result<()> {
    sqlx::query("UPDATE beads SET actual_tokens = ?2 WHERE id = ?1")
        .bind(id)
        .bind(tokens as i64)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether the work of this attempt was in conflict with what was merged meanwhile.
pub(crate) async fn met_conflict(conn: &mut Conn, bead: &BeadId, of: AttemptId) -> Result<bool> {
    let met: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events WHERE bead_id = ?1 AND correlation_id = ?2 AND type = 'merge.conflict'",
    )
    .bind(bead)
    .bind(of)
    .fetch_one(conn)
    .await?;
    Ok(met > 0)
}
