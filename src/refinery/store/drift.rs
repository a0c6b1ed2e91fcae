//! Where the provider's figure and the ledger's count are far apart.

use serde_json::json;

use super::json as to_json;
use super::load::{Detail, reservations};
use super::sums::{self, Want};
use crate::config::LimitKind;
use crate::core::{AttemptId, Ids, ProviderName, Timestamp};
use crate::db::{Conn, DbError, EventType, NewEvent, events};
use crate::provider::Observation;
use crate::refinery::forecast::Drift;
use crate::refinery::frame::Frame;
use crate::refinery::learn::Size;
use crate::refinery::stored::{Key, Stored, scope_from, scope_text};
use crate::refinery::window::Window;

/// Closer than this share of the window is no drift: reports are rounded and late.
const NEAR: f64 = 0.05;

/// Compares what was just said with what the ledger made of the word before it. The level is
/// the provider's either way; where both are far apart, that is kept and told, and forecasts
/// are wider for one length of the window. What running attempts hold may be used already, so
/// anything up to that is no drift.
pub(super) async fn note(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    attempt: Option<AttemptId>,
    before: Option<&Stored>,
    said: &Observation,
) -> Result<(), DbError> {
    // The word before may not have been about a level, or about another stretch of the window.
    let Some(before) = before.filter(|b| b.level.is_some() && !b.is_stale(said.observed_at)) else {
        return Ok(());
    };
    match before.kind {
        LimitKind::Anchored | LimitKind::Rolling | LimitKind::Calendar | LimitKind::Percent => {}
        LimitKind::Refill | LimitKind::Concurrency | LimitKind::Balance => return Ok(()),
    }
    let is_older = said.observed_at < before.observed_at;
    let Some(told) = share(said).filter(|_| !is_older) else {
        return Ok(());
    };
    let at = said.observed_at;
    let frame = Frame::stored(before.clone());
    let want = Want::new(&before.provider, &frame, frame.count(at));
    let (counted, _) = sums::ask(tx, &[want], Detail::Sums, at).await?;
    let Some(counted) = counted.into_iter().next() else {
        return Ok(());
    };
    let open = reservations(tx, &to_json(&[before.provider.as_str()])).await?;
    let window = Window::at(&frame, &before.provider, counted, &open, at);
    let (Some(counted), Some(limit)) = (window.share, window.limit.filter(|l| *l > 0)) else {
        return Ok(());
    };
    // A learned size is uncertain, and so is what was counted with it since the last word.
    let since = before
        .level
        .and_then(|l| l.share)
        .map_or(0.0, |l| counted - l);
    let spread = match (before.limit, &before.learned) {
        (None, Some(learned)) => learned.size().map_or(0.0, Size::spread),
        (Some(_), _) | (None, None) => 0.0,
    };
    let least = counted - since.abs() * spread;
    let most = counted + since.abs() * spread + window.reserved as f64 / limit as f64;
    if told >= least - NEAR && told <= most + NEAR {
        return Ok(());
    }
    let drift = Drift {
        key: before.key.clone(),
        counted,
        said: told,
        at,
    };
    keep(tx, &before.provider, &drift).await?;
    let event = NewEvent::new(EventType::WindowDrift, before.provider.as_str())
        .provider(Some(&before.provider))
        .attempt(attempt)
        .payload(json!({
            "window": drift.key.limit_id,
            "seconds": drift.key.duration.map(|d| d.as_secs()),
            "scope": scope_text(&drift.key.scope),
            "counted": rounded(drift.counted),
            "said": rounded(drift.said),
            "source": said.source,
        }));
    events::append(tx, ids, now, event).await?;
    Ok(())
}

fn rounded(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

fn share(said: &Observation) -> Option<f64> {
    said.used_fraction.or_else(|| {
        let (limit, left) = (said.limit_amount?, said.remaining_amount?);
        (limit > 0).then(|| 1.0 - left.min(limit) as f64 / limit as f64)
    })
}

fn millis(key: &Key) -> i64 {
    key.duration
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

async fn keep(tx: &mut Conn, provider: &ProviderName, drift: &Drift) -> Result<(), DbError> {
    sqlx::query(
        "INSERT OR REPLACE INTO drift (provider, scope, limit_id, duration_ms, counted, said, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(provider)
    .bind(scope_text(&drift.key.scope))
    .bind(&drift.key.limit_id)
    .bind(millis(&drift.key))
    .bind(drift.counted)
    .bind(drift.said)
    .bind(drift.at)
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct DriftRow {
    scope: String,
    limit_id: String,
    duration_ms: i64,
    counted: f64,
    said: f64,
    at: Timestamp,
}

/// The last drift of each window.
pub(super) async fn drifts(
    conn: &mut Conn,
    provider: &ProviderName,
) -> Result<Vec<Drift>, DbError> {
    let rows: Vec<DriftRow> = sqlx::query_as(
        "SELECT scope, limit_id, duration_ms, counted, said, at FROM drift WHERE provider = ?1
         ORDER BY scope, limit_id, duration_ms",
    )
    .bind(provider)
    .fetch_all(conn)
    .await?;
    let drifts = rows.into_iter().map(|row| Drift {
        key: Key {
            scope: scope_from(&row.scope),
            limit_id: row.limit_id,
            duration: u64::try_from(row.duration_ms)
                .ok()
                .filter(|ms| *ms > 0)
                .map(std::time::Duration::from_millis),
        },
        counted: row.counted,
        said: row.said,
        at: row.at,
    });
    Ok(drifts.collect())
}
