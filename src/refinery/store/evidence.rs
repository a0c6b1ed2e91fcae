//! What is said about windows: by providers, by walls, by a person. Each piece is kept in
//! `observations` and folded into `windows` in the same transaction.

use std::time::Duration;

use serde_json::json;

use super::drift;
use super::windows::{StoredRow, decode, find, take_in};
use crate::core::text::one_line;
use crate::core::{AttemptId, Ids, ProviderName, Timestamp};
use crate::db::{Conn, DbError, EventType, NewEvent, events};
use crate::provider::{Class, Observation, Scope, WindowStatus};
use crate::refinery::stored::{Evidence, Key, Stored, UNTIL_PROBE, WALL, scope_text};
use crate::refinery::tidy::{tidy, tidy_scope};

/// Takes in what a provider said about one of its windows. `false`: older than what is known,
/// or no news worth an event.
pub(crate) async fn observe(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    provider: &ProviderName,
    attempt: Option<AttemptId>,
    observation: &Observation,
) -> Result<bool, DbError> {
    let mut observation = tidy(observation.clone());
    // A clock that ran ahead must not silence the observations after it.
    observation.observed_at = observation.observed_at.min(now);
    let began_at = match attempt {
        Some(attempt) => reserved_at(tx, attempt).await?,
        None => None,
    }
    .unwrap_or(observation.observed_at)
    .min(observation.observed_at);
    let (said, scope) = (observation.clone(), observation.scope.clone());
    let says_allowed = observation.status == Some(WindowStatus::Allowed);
    let used = observation.used_fraction;
    let evidence = Evidence::Observed {
        observation,
        began_at,
        taken_at: now,
    };
    let (before, after) = take_in(tx, provider, attempt, &evidence).await?;
    drift::note(tx, ids, now, attempt, before.as_ref(), &said).await?;
    // Or the share fell: the window was reset early, whoever found it.
    let has_fallen = before
        .as_ref()
        .filter(|b| !b.is_stale(said.observed_at))
        .and_then(|b| b.level?.share)
        .is_some_and(|old| used.is_some_and(|new| new + 0.05 < old));
    if says_allowed || has_fallen {
        open_wall(tx, provider, &scope, began_at, now).await?;
    }
    let Some(after) = after.filter(|a| is_news(before.as_ref(), a)) else {
        return Ok(false);
    };
    let event = NewEvent::new(EventType::WindowObserved, provider.as_str())
        .provider(Some(provider))
        .attempt(attempt)
        .payload(json!({
            "window": after.key.limit_id,
            "seconds": after.key.duration.map(|d| d.as_secs()),
            "scope": scope_text(&after.key.scope),
            "status": after.status,
            "used_fraction": after.level.and_then(|l| l.share),
            "remaining": after.level.and_then(|l| l.remaining),
            "limit": after.limit,
            "resets_at": after.resets_at,
            "source": after.source,
        }));
    events::append(tx, ids, now, event).await?;
    Ok(true)
}

/// A wall that was hit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CloseOrder {
    pub(crate) provider: ProviderName,
    pub(crate) scope: Scope,
    /// The window that the provider named.
    pub(crate) limit_id: Option<String>,
    /// When it falls, if the provider said so; else [`default_wait`] of `class` is waited.
    pub(crate) resets_at: Option<Timestamp>,
    pub(crate) class: Class,
    /// The rule that recognised it.
    pub(crate) rule: String,
    /// Added to the reset, 1 to 30 s, so that not all come back at once.
    pub(crate) jitter: Duration,
    pub(crate) attempt: Option<AttemptId>,
}

/// How long a wall is left alone whose end nobody stated; afterwards one bead may probe.
pub(crate) fn default_wait(class: Class) -> Duration {
    match class {
        Class::RateLimited | Class::Overloaded | Class::Network => Duration::from_mins(1),
        Class::Limit | Class::OutOfCredit | Class::Auth | Class::BadModel => UNTIL_PROBE,
        Class::Done
        | Class::ContextTooLong
        | Class::Silent
        | Class::TimedOut
        | Class::Runaway
        | Class::Stopped
        | Class::NotStarted
        | Class::Broken
        | Class::Failed => Duration::from_mins(5),
    }
}

/// Closes the named window, or the one whose reset is the stated one, or else the whole scope,
/// and says until when. The last word on a window is the newest wall.
pub(crate) async fn close(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    order: &CloseOrder,
) -> Result<Timestamp, DbError> {
    // A reset in the past is no wait: the window is full again, one bead may probe at once.
    let until = order
        .resets_at
        .unwrap_or_else(|| now + default_wait(order.class))
        .max(now)
        + order.jitter;
    let scope = tidy_scope(&order.scope);
    let window = closing(tx, order, scope).await?;
    let evidence = Evidence::Closed {
        window: window.clone(),
        at: now,
        until,
        resets_at: order.resets_at,
        rule: one_line(&order.rule, 64),
    };
    take_in(tx, &order.provider, order.attempt, &evidence).await?;
    let event = NewEvent::new(EventType::WindowClosed, order.provider.as_str())
        .provider(Some(&order.provider))
        .attempt(order.attempt)
        .payload(json!({
            "window": window.limit_id,
            "seconds": window.duration.map(|d| d.as_secs()),
            "scope": scope_text(&window.scope),
            "until": until,
            "resets_at": order.resets_at,
            "class": order.class,
            "rule": order.rule,
        }));
    events::append(tx, ids, now, event).await?;
    Ok(until)
}

/// Who says that walls are gone.
pub(super) enum By<'a> {
    /// All of them, with the levels that block.
    Person,
    /// A run of this model that went well: those on its way that were hit before it began.
    Run {
        model: Option<&'a str>,
        began_at: Timestamp,
    },
}

/// Forgets walls, and says which.
pub(super) async fn open(
    tx: &mut Conn,
    provider: &ProviderName,
    by: &By<'_>,
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT * FROM windows WHERE provider = ?1
             AND (closed_until IS NOT NULL OR status = 'rejected' OR used_fraction >= 1
                  OR remaining_amount = 0)",
    )
    .bind(provider)
    .fetch_all(&mut *tx)
    .await?;
    let mut opened = Vec::new();
    for row in rows.into_iter().map(decode) {
        let row = row?;
        let (forget, is_gone) = match by {
            By::Person => (true, true),
            By::Run { model, began_at } => {
                let is_over = row
                    .closed
                    .is_some_and(|c| c.at < *began_at && c.until <= now);
                let is_refuted = row.status == Some(WindowStatus::Rejected)
                    && row.observed_at < *began_at
                    && row.resets_at.is_none_or(|r| r <= now);
                (
                    false,
                    row.key.scope.covers(*model) && (is_over || is_refuted),
                )
            }
        };
        if is_gone {
            let evidence = Evidence::Opened {
                window: row.key.clone(),
                at: now,
                forget,
            };
            take_in(tx, provider, None, &evidence).await?;
            opened.push(row.key.limit_id);
        }
    }
    Ok(opened)
}

/// An "allowed" from a request that began after it proves a wall without a window gone.
async fn open_wall(
    tx: &mut Conn,
    provider: &ProviderName,
    scope: &Scope,
    began_at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    let window = Key {
        scope: scope.clone(),
        limit_id: WALL.into(),
        duration: None,
    };
    let wall = find(tx, provider, &window).await?;
    if wall.and_then(|w| w.closed).is_some_and(|c| c.at < began_at) {
        let evidence = Evidence::Opened {
            window,
            at: now,
            forget: false,
        };
        take_in(tx, provider, None, &evidence).await?;
    }
    Ok(())
}

/// A change that a person or a program would want to hear of.
fn is_news(before: Option<&Stored>, after: &Stored) -> bool {
    let Some(before) = before else { return true };
    let share = |s: &Stored| s.level.and_then(|l| l.share);
    let moved = match (share(before), share(after)) {
        (Some(a), Some(b)) => (a - b).abs() >= 0.01,
        (a, b) => a.is_some() != b.is_some(),
    };
    let reset_moved = match (before.resets_at, after.resets_at) {
        (Some(a), Some(b)) => a.since(b).max(b.since(a)) > Duration::from_mins(1),
        (a, b) => a.is_some() != b.is_some(),
    };
    moved
        || reset_moved
        || before.status != after.status
        || before.limit != after.limit
        || before.closed != after.closed
        || before
            .level
            .and_then(|l| l.remaining)
            .is_some_and(|r| r > 0)
            != after.level.and_then(|l| l.remaining).is_some_and(|r| r > 0)
}

async fn reserved_at(tx: &mut Conn, attempt: AttemptId) -> Result<Option<Timestamp>, DbError> {
    Ok(
        sqlx::query_scalar("SELECT created_at FROM reservations WHERE attempt_id = ?1")
            .bind(attempt)
            .fetch_optional(tx)
            .await?,
    )
}

/// The window that a wall closes: the one whose reset is the stated one; the named one, where
/// that is clear; else one that stands for the whole scope.
async fn closing(tx: &mut Conn, order: &CloseOrder, scope: Scope) -> Result<Key, DbError> {
    const NEAR: Duration = Duration::from_mins(2);
    let name = order.limit_id.as_deref().map(|id| one_line(id, 64));
    let rows: Vec<StoredRow> = sqlx::query_as(
        "SELECT * FROM windows WHERE provider = ?1 AND scope = ?2 AND limit_id <> ?3",
    )
    .bind(&order.provider)
    .bind(scope_text(&scope))
    .bind(WALL)
    .fetch_all(tx)
    .await?;
    let mut rows = rows
        .into_iter()
        .map(decode)
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(name) = &name {
        rows.retain(|row| row.key.limit_id == *name);
    }
    rows.sort_by_key(|row| row.key.duration);
    let resets_there = |row: &&Stored| match (row.resets_at, order.resets_at) {
        (Some(a), Some(b)) => a.since(b).max(b.since(a)) <= NEAR,
        (Some(_) | None, _) => false,
    };
    let known = rows.iter().find(resets_there);
    let limit_id = match (known, name, rows.as_slice()) {
        (Some(row), ..) | (None, Some(_), [row]) => return Ok(row.key.clone()),
        (None, Some(name), []) => name,
        (None, ..) => WALL.into(),
    };
    Ok(Key {
        scope,
        limit_id,
        duration: None,
    })
}
