//! Circuits in the store: each change is one [`Event`] applied to the row.

use serde_json::json;
use sqlx::FromRow as _;
use sqlx::sqlite::SqliteRow;

use super::evidence::{self, By};
use super::{count, undecodable, word};
use crate::core::redact::redact;
use crate::core::text::one_line;
use crate::core::{Ids, ProviderName, Timestamp};
use crate::db::{Conn, DbError, EventType, NewEvent, events};
use crate::provider::{Class, Scope};
use crate::refinery::circuit::{Circuit, Event, State, remedy};
use crate::refinery::stored::{scope_from, scope_text};
use crate::refinery::tank::TankSettings;

/// A transient error of a run. The circuit as it stands then.
pub(crate) async fn failure(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    provider: &ProviderName,
    scope: &Scope,
    class: Class,
) -> Result<Circuit, DbError> {
    change(tx, ids, now, provider, scope, Event::Failed { class, now }).await
}

/// A run of `model` that began at `began_at` went well: circuits on its way close, and walls
/// that were hit before it began and whose time is over are gone.
pub(crate) async fn success(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    provider: &ProviderName,
    model: Option<&str>,
    began_at: Timestamp,
) -> Result<(), DbError> {
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT scope FROM circuits
         WHERE provider = ?1 AND (state = 'open' OR failures > 0) AND state <> 'disabled'",
    )
    .bind(provider)
    .fetch_all(&mut *tx)
    .await?;
    // By its family where the run says the model in full, or the other way round.
    let on_its_way = open.iter().map(|scope| scope_from(scope));
    for scope in on_its_way.filter(|scope| scope.covers(model)) {
        change(tx, ids, now, provider, &scope, Event::Succeeded).await?;
    }
    evidence::open(tx, provider, &By::Run { model, began_at }, now).await?;
    Ok(())
}

/// An error that only a person can mend. `reason` is the provider's; what to do is added. A
/// change of the provider's configuration lifts it, as [`lift`] does.
pub(crate) async fn disable(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    settings: &TankSettings,
    scope: &Scope,
    class: Class,
    reason: &str,
) -> Result<Circuit, DbError> {
    let provider = &settings.provider;
    let reason = redact(&one_line(reason, 300));
    let reason = match remedy(class, provider) {
        Some(remedy) if reason.is_empty() => remedy,
        Some(remedy) => format!("{reason}; {remedy}"),
        None => reason,
    };
    let event = Event::Disabled {
        class,
        reason,
        fingerprint: Some(settings.fingerprint.clone()),
    };
    change(tx, ids, now, provider, scope, event).await
}

/// `tank reset`, `provider test` that went well: circuits and walls of the provider are
/// forgotten. Which windows were opened by it.
pub(crate) async fn lift(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    provider: &ProviderName,
) -> Result<Vec<String>, DbError> {
    let scopes: Vec<String> = sqlx::query_scalar(
        "SELECT scope FROM circuits WHERE provider = ?1 AND (state <> 'closed' OR failures > 0)",
    )
    .bind(provider)
    .fetch_all(&mut *tx)
    .await?;
    for scope in scopes {
        change(tx, ids, now, provider, &scope_from(&scope), Event::Lifted).await?;
    }
    let opened = evidence::open(tx, provider, &By::Person, now).await?;
    if !opened.is_empty() {
        let event = NewEvent::new(EventType::WindowSet, "user")
            .provider(Some(provider))
            .payload(json!({ "opened": opened }));
        events::append(tx, ids, now, event).await?;
    }
    Ok(opened)
}

async fn change(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    provider: &ProviderName,
    scope: &Scope,
    event: Event,
) -> Result<Circuit, DbError> {
    let before: Option<CircuitRow> =
        sqlx::query_as("SELECT * FROM circuits WHERE provider = ?1 AND scope = ?2")
            .bind(provider)
            .bind(scope_text(scope))
            .fetch_optional(&mut *tx)
            .await?;
    let before = before
        .map(decode)
        .transpose()?
        .map_or_else(Circuit::default, |(.., c)| c);
    let after = before.clone().apply(event);
    if after == before {
        return Ok(after);
    }
    put(tx, now, provider, scope, &after).await?;
    if after.state != before.state {
        let (until, class, reason) = columns(&after);
        let event = NewEvent::new(EventType::CircuitChanged, provider.as_str())
            .provider(Some(provider))
            .payload(json!({
                "scope": scope_text(scope),
                "state": after.word(now),
                "failures": after.failures,
                "until": until,
                "class": class,
                "reason": reason,
            }));
        events::append(tx, ids, now, event).await?;
    }
    Ok(after)
}

fn columns(circuit: &Circuit) -> (Option<Timestamp>, Option<Class>, Option<&str>) {
    match &circuit.state {
        State::Closed => (None, None, None),
        State::Open { until, class } => (Some(*until), Some(*class), None),
        State::Disabled { class, reason, .. } => (None, Some(*class), Some(reason)),
    }
}

async fn put(
    tx: &mut Conn,
    now: Timestamp,
    provider: &ProviderName,
    scope: &Scope,
    circuit: &Circuit,
) -> Result<(), DbError> {
    let (until, class, reason) = columns(circuit);
    let (state, fingerprint) = match &circuit.state {
        State::Closed => ("closed", None),
        State::Open { .. } => ("open", None),
        State::Disabled { fingerprint, .. } => ("disabled", fingerprint.as_deref()),
    };
    sqlx::query(
        "INSERT OR REPLACE INTO circuits (provider, scope, state, failures, open_until, class,
             reason, fingerprint, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .bind(provider)
    .bind(scope_text(scope))
    .bind(state)
    .bind(circuit.failures)
    .bind(until)
    .bind(class.map(Class::as_str))
    .bind(reason)
    .bind(fingerprint)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct CircuitRow {
    provider: ProviderName,
    scope: String,
    state: String,
    failures: i64,
    open_until: Option<Timestamp>,
    class: Option<String>,
    reason: Option<String>,
    fingerprint: Option<String>,
}

fn decode(row: CircuitRow) -> Result<(ProviderName, Scope, Circuit), DbError> {
    let class = row.class.as_deref().map(word).transpose()?;
    let state = match (row.state.as_str(), row.open_until, class) {
        ("closed", ..) => State::Closed,
        ("open", Some(until), Some(class)) => State::Open { until, class },
        ("disabled", _, Some(class)) => State::Disabled {
            class,
            reason: row.reason.unwrap_or_default(),
            fingerprint: row.fingerprint,
        },
        (state, ..) => {
            return Err(undecodable(&format!(
                "a circuit that is {state} and no more"
            )));
        }
    };
    let circuit = Circuit {
        state,
        failures: u32::try_from(count(row.failures)).unwrap_or(u32::MAX),
    };
    Ok((row.provider, scope_from(&row.scope), circuit))
}

/// Those that are not simply closed, of the providers named in a JSON list.
macro_rules! not_closed {
    () => {
        "SELECT 1 AS part, * FROM circuits
         WHERE state <> 'closed' AND provider IN (SELECT value FROM json_each(?1))
         ORDER BY provider, scope"
    };
}
pub(super) use not_closed;

pub(super) fn read(row: &SqliteRow) -> Result<(ProviderName, Scope, Circuit), DbError> {
    decode(CircuitRow::from_row(row)?)
}
