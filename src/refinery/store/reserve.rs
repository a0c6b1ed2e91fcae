//! Reservations: capacity promised to an attempt on every window of its provider at once,
//! settled exactly once with what the run used.

use serde_json::json;

use super::ledger::{UsageRow, UsageSource, record};
use super::load::{Detail, load_one, load_with_anchors, only};
use super::sums::Anchor;
use super::{count, int};
use crate::core::words::word_enum;
use crate::core::{
    AttemptId, BeadId, ConvoyId, Ids, MicroUsd, ProviderName, ReservationId, Timestamp, Usage,
    text::one_line,
};
use crate::db::events::joint::{bind_event, with_event};
use crate::db::{Conn, DbError, EventType, NewEvent};
use crate::refinery::admit::{Admit, Ask, Refusal, admit};
use crate::refinery::stored::scope_text;
use crate::refinery::tank::TankSettings;

/// Who asks, for how much and how long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) attempt: AttemptId,
    pub(crate) bead: BeadId,
    pub(crate) convoy: Option<ConvoyId>,
    /// [`crate::core::id::Owner`] as text.
    pub(crate) owner: String,
    pub(crate) ask: Ask,
    /// Without a renewal it counts as lost from then on.
    pub(crate) expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reservation {
    pub(crate) id: ReservationId,
    pub(crate) attempt: AttemptId,
    pub(crate) bead: BeadId,
    pub(crate) convoy: Option<ConvoyId>,
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    pub(crate) owner: String,
    pub(crate) tokens: u64,
    pub(crate) requests: u64,
    pub(crate) cost: MicroUsd,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

word_enum! {
    /// How a reservation ended.
    pub(crate) enum Outcome as "outcome of a reservation" {
        /// With what the provider reported.
        Settled = "settled",
        /// With the estimate, because nobody knows.
        Charged = "charged",
        /// The run never started.
        Released = "released",
    }
}

/// One part of what a run used, for example per model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// From 0; distinct within the attempt, also from slices recorded while it ran.
    pub(crate) number: u32,
    pub(crate) model: Option<String>,
    pub(crate) usage: Usage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Now(Outcome),
    /// There was no open reservation: it ended before. Nothing was charged.
    Before,
}

/// Reserves on all windows of the provider, or on none and says why. The windows are read in
/// the caller's write transaction, so two processes never promise the same capacity.
pub(crate) async fn reserve(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    settings: &TankSettings,
    claim: &Claim,
) -> Result<Result<Reservation, Refusal>, DbError> {
    let one = std::slice::from_ref(settings);
    let (tanks, anchors) = load_with_anchors(tx, one, Detail::Sums, now).await?;
    keep(tx, &anchors).await?;
    if let Admit::No(refusal) = admit(&only(tanks), &claim.ask, now) {
        // Again with what it takes to say when it will fit; the answer is the same.
        return Ok(
            match admit(&load_one(tx, settings, now).await?, &claim.ask, now) {
                Admit::No(exact) => Err(exact),
                Admit::Yes => Err(refusal),
            },
        );
    }
    let ask = &claim.ask;
    let reservation = Reservation {
        id: ids.reservation(),
        attempt: claim.attempt,
        bead: claim.bead.clone(),
        convoy: claim.convoy.clone(),
        provider: settings.provider.clone(),
        model: ask.model.as_deref().map(|m| one_line(m, 96)),
        owner: claim.owner.clone(),
        tokens: ask.tokens,
        requests: ask.requests,
        cost: MicroUsd(ask.cost.0.max(0)),
        created_at: now,
        expires_at: claim.expires_at,
    };
    let event = event(EventType::CapacityReserved, &reservation).payload(json!({
        "tokens": reservation.tokens,
        "requests": reservation.requests,
        "cost_micro_usd": reservation.cost,
        "model": reservation.model,
        "expires_at": reservation.expires_at,
    }));
    bind_event!(sqlx::query(RESERVE), ids, now, event)
        .bind(reservation.id)
        .bind(&reservation.model)
        .bind(&reservation.owner)
        .bind(int(reservation.tokens))
        .bind(int(reservation.requests))
        .bind(reservation.cost)
        .bind(reservation.expires_at)
        .bind(ask.spread)
        .bind(int(ask.lasts.map_or(0, |d| d.as_millis() as u64)))
        .execute(&mut *tx)
        .await?;
    Ok(Ok(reservation))
}

const RESERVE: &str = with_event!(
    "INSERT INTO reservations (id, attempt_id, bead_id, convoy_id, provider, model, owner,
         tokens, requests, cost_micro_usd, created_at, expires_at, spread, lasts_ms)
     VALUES (?10, ?8, ?5, ?6, ?7, ?11, ?12, ?13, ?14, ?15, ?2, ?16, ?17, ?18)"
);

fn event(kind: EventType, r: &Reservation) -> NewEvent {
    NewEvent::new(kind, "foreman")
        .bead(&r.bead)
        .convoy(r.convoy.as_ref())
        .provider(Some(&r.provider))
        .attempt(Some(r.attempt))
}

async fn keep(tx: &mut Conn, anchors: &[Anchor]) -> Result<(), DbError> {
    if anchors.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = anchors
        .iter()
        .map(|a| json!([a.provider, scope_text(&a.scope), a.duration_ms, a.starts_at]))
        .collect();
    sqlx::query(
        "INSERT INTO anchors (provider, scope, duration_ms, starts_at)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true
         ON CONFLICT (provider, scope, duration_ms) DO UPDATE SET starts_at = excluded.starts_at",
    )
    .bind(super::json(&rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Holds it until then; `false` when it is settled already.
pub(crate) async fn renew(
    tx: &mut Conn,
    attempt: AttemptId,
    until: Timestamp,
) -> Result<bool, DbError> {
    let renewed = sqlx::query(
        "UPDATE reservations SET expires_at = ?2 WHERE attempt_id = ?1 AND settled_at IS NULL",
    )
    .bind(attempt)
    .bind(until)
    .execute(tx)
    .await?;
    Ok(renewed.rows_affected() > 0)
}

/// Ends the reservation with what the run used, exactly once: less than was reserved is given
/// back, more is charged. `reported`: the provider counted all of it; otherwise `slices` is the
/// part that is known, and whatever of the estimate it leaves is charged on top, never refunded
/// (all together the larger of the reported part and the estimate).
pub(crate) async fn settle(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    attempt: AttemptId,
    slices: &[Slice],
    reported: bool,
) -> Result<Settled, DbError> {
    let Some((reservation, mut began_at, mut next)) = find_open(tx, attempt).await? else {
        return Ok(Settled::Before);
    };
    began_at = began_at.max(reservation.created_at);
    let row = |number, model: Option<&str>, usage, source| UsageRow {
        attempt,
        slice: number,
        bead: reservation.bead.clone(),
        convoy: reservation.convoy.clone(),
        provider: reservation.provider.clone(),
        model: model
            .map(str::to_owned)
            .or_else(|| reservation.model.clone()),
        usage,
        source,
        began_at,
        at: now,
    };
    for slice in slices {
        let row = row(
            slice.number,
            slice.model.as_deref(),
            slice.usage,
            UsageSource::Reported,
        );
        record(tx, &row).await?;
        next = next.max(slice.number.saturating_add(1));
    }
    let (outcome, source, rest) = if reported {
        (Outcome::Settled, UsageSource::Reported, Usage::default())
    } else {
        let left = left(tx, attempt).await?;
        (Outcome::Charged, UsageSource::Estimate, left)
    };
    // A run counts as one even where it used nothing.
    if !rest.is_zero() || next == 0 {
        record(tx, &row(next, None, rest, source)).await?;
    }
    end(tx, ids, now, &reservation, outcome).await?;
    Ok(Settled::Now(outcome))
}

/// Ends it with the estimate: a run of which nobody knows what it used.
pub(crate) async fn charge_estimate(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    attempt: AttemptId,
) -> Result<Settled, DbError> {
    settle(tx, ids, now, attempt, &[], false).await
}

/// Gives all of it back: the run never started.
pub(crate) async fn release(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    attempt: AttemptId,
) -> Result<Settled, DbError> {
    match find_open(tx, attempt).await? {
        None => Ok(Settled::Before),
        // It did start: something of it is in the ledger.
        Some((.., next)) if next > 0 => settle(tx, ids, now, attempt, &[], true).await,
        Some((reservation, ..)) => {
            end(tx, ids, now, &reservation, Outcome::Released).await?;
            Ok(Settled::Now(Outcome::Released))
        }
    }
}

/// Reservations that nobody renewed: their runs are lost, and must be charged.
pub(crate) async fn expired(conn: &mut Conn, now: Timestamp) -> Result<Vec<Reservation>, DbError> {
    let rows: Vec<ReservationRow> = sqlx::query_as(
        "SELECT id, attempt_id, bead_id, convoy_id, provider, model, owner, tokens, requests,
             cost_micro_usd, created_at, expires_at
         FROM reservations WHERE settled_at IS NULL AND expires_at <= ?1 ORDER BY expires_at, id",
    )
    .bind(now)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Reservation::from).collect())
}

/// The open reservation of an attempt, with the time of its last slice (else its own) and the
/// number of the next slice.
async fn find_open(
    tx: &mut Conn,
    attempt: AttemptId,
) -> Result<Option<(Reservation, Timestamp, u32)>, DbError> {
    #[derive(sqlx::FromRow)]
    struct OpenRow {
        #[sqlx(flatten)]
        reservation: ReservationRow,
        last: Option<Timestamp>,
        next: i64,
    }
    let row: Option<OpenRow> = sqlx::query_as(
        "SELECT id, attempt_id, bead_id, convoy_id, provider, model, owner, tokens, requests,
             cost_micro_usd, created_at, expires_at,
             (SELECT max(u.at) FROM usage u WHERE u.attempt_id = ?1) AS last,
             (SELECT coalesce(max(u.slice) + 1, 0) FROM usage u WHERE u.attempt_id = ?1) AS next
         FROM reservations WHERE attempt_id = ?1 AND settled_at IS NULL",
    )
    .bind(attempt)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| {
        let reservation = Reservation::from(row.reservation);
        let began_at = row.last.unwrap_or(reservation.created_at);
        let next = u32::try_from(row.next).unwrap_or(u32::MAX);
        (reservation, began_at, next)
    }))
}

/// What of the estimate no slice has used yet. Of tokens whose kind nobody knows, all count as
/// input.
async fn left(tx: &mut Conn, attempt: AttemptId) -> Result<Usage, DbError> {
    let (tokens, requests, cost): (i64, i64, i64) = sqlx::query_as(
        "SELECT tokens - used_tokens, requests - used_requests, cost_micro_usd - used_cost_micro_usd
         FROM reservations WHERE attempt_id = ?1",
    )
    .bind(attempt)
    .fetch_one(tx)
    .await?;
    Ok(Usage {
        input: count(tokens),
        requests: count(requests),
        cost_micro_usd: MicroUsd(cost.max(0)),
        ..Usage::default()
    })
}

async fn end(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    reservation: &Reservation,
    outcome: Outcome,
) -> Result<(), DbError> {
    let used = super::used(tx, super::Of::Attempt(reservation.attempt), None).await?;
    let event = event(EventType::CapacitySettled, reservation).payload(json!({
        "outcome": outcome,
        "reserved_tokens": reservation.tokens,
        "tokens": used.tokens(),
        "usage": used,
    }));
    bind_event!(sqlx::query(END), ids, now, event)
        .bind(outcome.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

const END: &str = with_event!(
    "UPDATE reservations SET settled_at = ?2, outcome = ?10
     WHERE attempt_id = ?8 AND settled_at IS NULL"
);

#[derive(sqlx::FromRow)]
struct ReservationRow {
    id: ReservationId,
    attempt_id: AttemptId,
    bead_id: BeadId,
    convoy_id: Option<ConvoyId>,
    provider: ProviderName,
    model: Option<String>,
    owner: String,
    tokens: i64,
    requests: i64,
    cost_micro_usd: MicroUsd,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl From<ReservationRow> for Reservation {
    fn from(row: ReservationRow) -> Self {
        Self {
            id: row.id,
            attempt: row.attempt_id,
            bead: row.bead_id,
            convoy: row.convoy_id,
            provider: row.provider,
            model: row.model,
            owner: row.owner,
            tokens: count(row.tokens),
            requests: count(row.requests),
            cost: row.cost_micro_usd,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}
