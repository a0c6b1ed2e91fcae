//! The append-only event log. Every change of state writes its event in the same transaction.

pub(crate) mod joint;

use serde::Serialize;
use serde_json::Value;

use super::{Conn, DbError};
use crate::core::words::word_enum;
use crate::core::{AttemptId, BeadEvent, BeadId, ConvoyId, EventId, Ids, ProviderName, Timestamp};

word_enum! {
    /// What happened. The payload of each is described in `docs/database.md`.
    pub(crate) enum EventType as "event type" {
        BeadCreated = "bead.created",
        BeadEdited = "bead.edited",
        BeadAssay = "bead.assay",
        BeadQueue = "bead.queue",
        BeadClaim = "bead.claim",
        BeadStart = "bead.start",
        BeadFinish = "bead.finish",
        BeadAccept = "bead.accept",
        BeadRevise = "bead.revise",
        BeadComplete = "bead.complete",
        BeadDefer = "bead.defer",
        BeadPromote = "bead.promote",
        BeadRelease = "bead.release",
        BeadBlock = "bead.block",
        BeadUnblock = "bead.unblock",
        BeadReview = "bead.review",
        BeadFail = "bead.fail",
        BeadCancel = "bead.cancel",
        BeadRetry = "bead.retry",
        BeadsArchived = "beads.archived",
        BeadAdopted = "bead.adopted",
        ConvoyCreated = "convoy.created",
        ConvoyBeadAdded = "convoy.bead_added",
        ConvoyStarted = "convoy.started",
        ConvoyPaused = "convoy.paused",
        ConvoyResumed = "convoy.resumed",
        ConvoyCompleted = "convoy.completed",
        ConvoyFailed = "convoy.failed",
        ConvoyCancelled = "convoy.cancelled",
        ConvoyLanded = "convoy.landed",
        AttemptEnded = "attempt.ended",
        GateChecked = "gate.checked",
        MergeConflict = "merge.conflict",
        CapacityReserved = "capacity.reserved",
        CapacitySettled = "capacity.settled",
        WindowObserved = "window.observed",
        WindowClosed = "window.closed",
        WindowDrift = "window.drift",
        WindowSet = "window.set",
        SourceAnswered = "source.answered",
        SourceFailed = "source.failed",
        WindowsRebuilt = "windows.rebuilt",
        CircuitChanged = "circuit.changed",
        ForemanRecovered = "foreman.recovered",
        ForemanWaited = "foreman.waited",
        DispatchDecided = "dispatch.decided",
        DispatchHalted = "dispatch.halted",
        DispatchThawed = "dispatch.thawed",
        ConfigLoaded = "config.loaded",
        ConfigRefused = "config.refused",
        PolicyLoaded = "policy.loaded",
        PolicyRefused = "policy.refused",
        TrustGranted = "trust.granted",
        TrustRevoked = "trust.revoked",
        NotifyFailed = "notify.failed",
    }
}

impl From<BeadEvent> for EventType {
    fn from(event: BeadEvent) -> Self {
        match event {
            BeadEvent::Assay => Self::BeadAssay,
            BeadEvent::Queue => Self::BeadQueue,
            BeadEvent::Claim => Self::BeadClaim,
            BeadEvent::Start => Self::BeadStart,
            BeadEvent::Finish => Self::BeadFinish,
            BeadEvent::Accept => Self::BeadAccept,
            BeadEvent::Revise => Self::BeadRevise,
            BeadEvent::Complete => Self::BeadComplete,
            BeadEvent::Defer => Self::BeadDefer,
            BeadEvent::Promote => Self::BeadPromote,
            BeadEvent::Release => Self::BeadRelease,
            BeadEvent::Block => Self::BeadBlock,
            BeadEvent::Unblock => Self::BeadUnblock,
            BeadEvent::Review => Self::BeadReview,
            BeadEvent::Fail => Self::BeadFail,
            BeadEvent::Cancel => Self::BeadCancel,
            BeadEvent::Retry => Self::BeadRetry,
        }
    }
}

/// An event about to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) kind: EventType,
    /// Who did it: `user`, `foreman`, or a provider's name.
    pub(crate) actor: String,
    pub(crate) bead: Option<BeadId>,
    pub(crate) convoy: Option<ConvoyId>,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) attempt: Option<AttemptId>,
    pub(crate) payload: Value,
}

impl NewEvent {
    pub(crate) fn new(kind: EventType, actor: &str) -> Self {
        Self {
            kind,
            actor: actor.to_owned(),
            bead: None,
            convoy: None,
            provider: None,
            attempt: None,
            payload: Value::Object(serde_json::Map::new()),
        }
    }

    pub(crate) fn bead(mut self, id: &BeadId) -> Self {
        self.bead = Some(id.clone());
        self
    }

    pub(crate) fn convoy(mut self, id: Option<&ConvoyId>) -> Self {
        self.convoy = id.cloned();
        self
    }

    pub(crate) fn provider(mut self, name: Option<&ProviderName>) -> Self {
        self.provider = name.cloned();
        self
    }

    pub(crate) fn attempt(mut self, id: Option<AttemptId>) -> Self {
        self.attempt = id;
        self
    }

    pub(crate) fn payload(mut self, payload: Value) -> Self {
        self.payload = payload;
        self
    }
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow, schemars::JsonSchema)]
pub(crate) struct Event {
    /// Position in the log; grows by at least one per event.
    pub(crate) seq: i64,
    pub(crate) id: EventId,
    pub(crate) at: Timestamp,
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub(crate) kind: EventType,
    pub(crate) schema_version: i64,
    pub(crate) actor: String,
    pub(crate) bead_id: Option<BeadId>,
    pub(crate) convoy_id: Option<ConvoyId>,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) correlation_id: Option<AttemptId>,
    #[sqlx(json)]
    pub(crate) payload: Value,
}

const COLUMNS: &str = "SELECT seq, id, at, type, schema_version, actor, bead_id, convoy_id, provider, correlation_id, payload FROM events";

/// Appends one event. Secrets in the payload's texts are masked on the way.
pub(crate) async fn append(
    conn: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    event: NewEvent,
) -> Result<(), DbError> {
    let query = sqlx::query(
        "INSERT INTO events (id, at, type, actor, bead_id, convoy_id, provider, correlation_id, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    );
    joint::bind_event!(query, ids, now, event)
        .execute(conn)
        .await?;
    Ok(())
}

/// Appends many events in a few statements.
pub(crate) async fn append_many(
    conn: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    events: Vec<NewEvent>,
) -> Result<(), DbError> {
    for chunk in events.chunks(250) {
        let mut sql: sqlx::QueryBuilder<sqlx::Sqlite> = sqlx::QueryBuilder::new(
            "INSERT INTO events (id, at, type, actor, bead_id, convoy_id, provider, correlation_id, payload) ",
        );
        sql.push_values(chunk, |mut row, event| {
            let payload = crate::core::redact::redact_json(event.payload.clone()).to_string();
            row.push_bind(ids.event())
                .push_bind(now)
                .push_bind(event.kind)
                .push_bind(&event.actor)
                .push_bind(&event.bead)
                .push_bind(&event.convoy)
                .push_bind(&event.provider)
                .push_bind(event.attempt)
                .push_bind(payload);
        });
        sql.build().execute(&mut *conn).await?;
    }
    Ok(())
}

/// Who does something, when, and with which ids: what every change carries into its event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) ids: &'a Ids,
    pub(crate) now: Timestamp,
    /// `user`, `foreman` or a provider's name.
    pub(crate) who: &'a str,
}

/// What of the log is wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventFilter {
    /// Only events after this position.
    pub(crate) after: i64,
    pub(crate) since: Option<Timestamp>,
    pub(crate) bead: Option<BeadId>,
    pub(crate) convoy: Option<ConvoyId>,
}

/// The oldest `limit` events that the filter lets through, in order.
pub(crate) async fn list(
    conn: &mut Conn,
    filter: &EventFilter,
    limit: i64,
) -> Result<Vec<Event>, DbError> {
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE seq > ?1 AND (?2 IS NULL OR at >= ?2) AND (?3 IS NULL OR bead_id = ?3)
         AND (?4 IS NULL OR convoy_id = ?4) ORDER BY seq LIMIT ?5"
    )))
    .bind(filter.after)
    .bind(filter.since)
    .bind(&filter.bead)
    .bind(&filter.convoy)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// The newest event of a type.
pub(crate) async fn latest(conn: &mut Conn, kind: EventType) -> Result<Option<Event>, DbError> {
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE type = ?1 ORDER BY seq DESC LIMIT 1"
    )))
    .bind(kind)
    .fetch_optional(conn)
    .await?)
}

/// The position of the newest event; 0 when there is none.
pub(crate) async fn last_seq(conn: &mut Conn) -> Result<i64, DbError> {
    Ok(
        sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM events")
            .fetch_one(conn)
            .await?,
    )
}
