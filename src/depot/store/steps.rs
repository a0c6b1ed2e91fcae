//! Every change of a bead's status. Each step compares the state it expects (and the fence,
//! while a lease is held), sets the next one, and appends its event.

use serde_json::{Value, json};

use super::beads::status_of;
use super::{DepotError, Result};
use crate::core::{AttemptId, BeadEvent, BeadId, BeadStatus, ConvoyId, Estimate, Timestamp};
use crate::db::events::joint::bind_event;
use crate::db::{Conn, NewEvent};
use crate::depot::{Act, Deferral, Fence};

/// Which step of which bead, by whom.
pub(super) struct Step<'a> {
    pub(super) bead: &'a BeadId,
    pub(super) from: BeadStatus,
    pub(super) event: BeadEvent,
    pub(super) fence: Option<&'a Fence>,
    /// What the event says beside the two states.
    pub(super) payload: Value,
}

impl<'a> Step<'a> {
    pub(super) fn new(bead: &'a BeadId, from: BeadStatus, event: BeadEvent) -> Self {
        Self {
            bead,
            from,
            event,
            fence: None,
            payload: json!({}),
        }
    }

    fn held(self, fence: &'a Fence) -> Self {
        Self {
            fence: Some(fence),
            ..self
        }
    }

    pub(super) fn saying(self, payload: Value) -> Self {
        Self { payload, ..self }
    }
}

/// What the step itself needs of a bead that was moved.
#[derive(sqlx::FromRow)]
pub(super) struct Moved {
    pub(super) convoy_id: Option<ConvoyId>,
    failures: i64,
    not_before: Option<Timestamp>,
}

pub(super) type Query<'q> =
    sqlx::query::QueryAs<'q, sqlx::Sqlite, Moved, sqlx::sqlite::SqliteArguments>;

/// The change of a step with its event, what else it sets, and what else must hold; further values
/// begin at `?15`. Leaving the leased states ends the lease.
macro_rules! change {
    ($set:literal) => {
        $crate::depot::store::steps::change!($set, where "")
    };
    ($set:literal, where $also:literal) => {
        $crate::db::events::joint::with_event_of_bead!(
            "UPDATE beads SET status = ?11, updated_at = ?2,
                lease_owner = CASE WHEN ?12 THEN lease_owner END,
                lease_expires_at = CASE WHEN ?12 THEN lease_expires_at END",
            $set,
            " WHERE id = ?5 AND status = ?10 AND (?13 IS NULL OR (attempt = ?13 AND lease_owner = ?14))",
            $also,
            " RETURNING convoy_id, failures, not_before"
        )
    };
}
pub(super) use change;

/// A step that changes nothing else.
pub(super) async fn step(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    from: BeadStatus,
    event: BeadEvent,
    fence: Option<&Fence>,
    payload: Value,
) -> Result<BeadStatus> {
    let step = Step {
        bead: id,
        from,
        event,
        fence,
        payload,
    };
    take(conn, act, step, change!(""), |query| query).await?;
    Ok(from.apply(event).unwrap_or(from))
}

/// Takes a step with `sql`, a [`change`]; `more` binds the values that it adds.
pub(super) async fn take<'q>(
    conn: &mut Conn,
    act: Act<'_>,
    step: Step<'_>,
    sql: &'static str,
    more: impl FnOnce(Query<'q>) -> Query<'q>,
) -> Result<Moved> {
    let (id, from) = (step.bead, step.from);
    let to = from
        .apply(step.event)
        .map_err(|source| DepotError::Illegal {
            bead: id.clone(),
            source,
        })?;
    let mut body = json!({ "from": from, "to": to });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, step.payload) {
        body.extend(more);
    }
    if let Some(f) = step.fence {
        body["attempt"] = json!(f.attempt);
    }
    let event = NewEvent::new(step.event.into(), act.who)
        .bead(id)
        .payload(body);
    let query = bind_event!(sqlx::query_as(sql), act.ids, act.now, event)
        .bind(from)
        .bind(to)
        .bind(to.is_leased())
        .bind(step.fence.map(|f| f.attempt))
        .bind(step.fence.map(|f| f.owner.clone()));
    let moved: Vec<Moved> = more(query).fetch_all(&mut *conn).await?;
    let Some(moved) = moved.into_iter().next() else {
        let now = status_of(conn, id).await?;
        return Err(match step.fence {
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
    if (to.is_over() || to == BeadStatus::Blocked)
        && let Some(convoy) = &moved.convoy_id
    {
        super::refresh(conn, act, convoy).await?;
    }
    Ok(moved)
}

/// `pending` to `optimizing`, under a lease.
pub(crate) async fn assay(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    owner: &str,
    until: Timestamp,
) -> Result<()> {
    // Of two values for one column SQLite takes the last one.
    const SQL: &str = change!(", lease_owner = ?15, lease_expires_at = ?16");
    let step = Step::new(id, BeadStatus::Pending, BeadEvent::Assay);
    take(conn, act, step, SQL, |q| {
        q.bind(owner.to_owned()).bind(until)
    })
    .await?;
    Ok(())
}

/// `optimizing` to `queued` with what the assayer made and what that rests on; a bead that must not start yet is
/// deferred at once.
pub(crate) async fn queue(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    estimate: Estimate,
    estimate_from: &str,
    optimized_prompt: Option<&str>,
) -> Result<()> {
    const SQL: &str = change!(
        ", estimated_tokens = ?15, estimate_p80 = ?16, estimate_p95 = ?17, estimate_source = ?18,
           optimized_prompt = ?19"
    );
    let step = Step::new(id, BeadStatus::Optimizing, BeadEvent::Queue)
        .saying(json!({ "estimate": estimate, "estimate_from": estimate_from }));
    let moved = take(conn, act, step, SQL, |q| {
        q.bind(estimate.p50 as i64)
            .bind(estimate.p80 as i64)
            .bind(estimate.p95 as i64)
            .bind(estimate.source)
            .bind(optimized_prompt.map(str::to_owned))
    })
    .await?;
    match moved.not_before {
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
    const SQL: &str = change!(", started_at = coalesce(started_at, ?2)");
    let step = Step::new(id, BeadStatus::Assigned, BeadEvent::Start).held(fence);
    take(conn, act, step, SQL, |q| q).await?;
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
    const SQL: &str = change!(", output = ?15");
    let step = Step::new(id, BeadStatus::InProgress, BeadEvent::Finish).held(fence);
    take(conn, act, step, SQL, |q| q.bind(output.to_owned())).await?;
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
    let step = Step::new(id, BeadStatus::Reviewing, BeadEvent::Accept)
        .held(fence)
        .saying(json!({ "checks": checks }));
    take(conn, act, step, change!(""), |q| q).await?;
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
    const SQL: &str = change!(", feedback = ?15, failures = failures + 1");
    let payload = json!({ "feedback": crate::core::text::ellipsis(feedback, 2000) });
    let step = Step::new(id, from, BeadEvent::Revise)
        .held(fence)
        .saying(payload);
    let moved = take(conn, act, step, SQL, |q| q.bind(feedback.to_owned())).await?;
    Ok(moved.failures)
}

/// `merging` to `completed`; what waited only for this bead becomes ready.
pub(crate) async fn complete(
    conn: &mut Conn,
    act: Act<'_>,
    id: &BeadId,
    fence: &Fence,
    merged: Option<&str>,
) -> Result<()> {
    const SQL: &str = concat!(
        change!(", completed_at = ?2, feedback = NULL, error = NULL"),
        "; UPDATE beads SET open_deps = open_deps - 1
         WHERE id IN (SELECT bead_id FROM dependencies WHERE depends_on_id = ?5) AND changes() = 1"
    );
    let step = Step::new(id, BeadStatus::Merging, BeadEvent::Complete)
        .held(fence)
        .saying(json!({ "commit": merged }));
    take(conn, act, step, SQL, |q| q).await?;
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
    const SQL: &str = change!(", deferred_until = ?15, deferral = ?16");
    let step = Step {
        fence,
        ..Step::new(id, from, BeadEvent::Defer)
            .saying(json!({ "until": until, "waits_for": deferral }))
    };
    let deferral = sqlx::types::Json(deferral.clone());
    take(conn, act, step, SQL, |q| q.bind(until).bind(deferral)).await?;
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
