//! The table `sources`, and what is known of a window before a source adds to it.

use super::pace::Last;
use crate::core::{ProviderName, Timestamp};
use crate::db::{Conn, DbError};
use crate::provider::Observation;
use crate::provider::probe::Probe;
use crate::refinery::stored::scope_text;

pub(super) async fn last(
    conn: &mut Conn,
    provider: &ProviderName,
    source: Probe,
) -> Result<Option<Last>, DbError> {
    type Row = (Timestamp, Option<Timestamp>, Option<Timestamp>, i64);
    let row: Option<Row> = sqlx::query_as(
        "SELECT asked_at, answered_at, blocked_until, failures FROM sources
         WHERE provider = ?1 AND source = ?2",
    )
    .bind(provider)
    .bind(source.as_str())
    .fetch_optional(conn)
    .await?;
    let last = row.map(|(asked_at, answered_at, blocked_until, failures)| Last {
        asked_at,
        answered_at,
        blocked_until,
        failures: u32::try_from(failures.max(0)).unwrap_or(u32::MAX),
    });
    Ok(last)
}

/// It is asked now.
pub(super) async fn asked(
    tx: &mut Conn,
    provider: &ProviderName,
    source: Probe,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO sources (provider, source, asked_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (provider, source) DO UPDATE SET asked_at = excluded.asked_at",
    )
    .bind(provider)
    .bind(source.as_str())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn answered(
    tx: &mut Conn,
    provider: &ProviderName,
    source: Probe,
    now: Timestamp,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE sources SET answered_at = ?3, blocked_until = NULL, failures = 0
         WHERE provider = ?1 AND source = ?2",
    )
    .bind(provider)
    .bind(source.as_str())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn failed(
    tx: &mut Conn,
    provider: &ProviderName,
    source: Probe,
    blocked_until: Option<Timestamp>,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE sources SET failures = failures + 1, blocked_until = ?3
         WHERE provider = ?1 AND source = ?2",
    )
    .bind(provider)
    .bind(source.as_str())
    .bind(blocked_until)
    .execute(tx)
    .await?;
    Ok(())
}

/// The last word on a window.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(super) struct Known {
    pub(super) source: String,
    pub(super) used_fraction: Option<f64>,
    pub(super) level_at: Option<Timestamp>,
    pub(super) resets_at: Option<Timestamp>,
}

pub(super) async fn known(
    conn: &mut Conn,
    provider: &ProviderName,
    said: &Observation,
) -> Result<Option<Known>, DbError> {
    Ok(sqlx::query_as(
        "SELECT source, used_fraction, level_at, resets_at FROM windows
         WHERE provider = ?1 AND scope = ?2 AND limit_id = ?3
         ORDER BY level_at DESC LIMIT 1",
    )
    .bind(provider)
    .bind(scope_text(&said.scope))
    .bind(&said.limit_id)
    .fetch_optional(conn)
    .await?)
}

/// Tokens of the ledger since then.
pub(super) async fn tokens_since(
    conn: &mut Conn,
    provider: &ProviderName,
    since: Timestamp,
) -> Result<u64, DbError> {
    let tokens: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(tokens), 0) FROM usage WHERE provider = ?1 AND at >= ?2",
    )
    .bind(provider)
    .bind(since)
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(tokens).unwrap_or(0))
}
