//! The rows of `windows` and the log they are folded from.

use std::time::Duration;

use super::{count, from_json, int, json as to_json, undecodable, word};
use crate::config::{LimitKind, LimitUnit};
use crate::core::{AttemptId, ProviderName, Timestamp};
use crate::db::{Conn, DbError};
use crate::provider::{Scope, WindowStatus};
use crate::refinery::stored::{
    Closed, Evidence, Key, Level, Stored, apply, scope_from, scope_text,
};

/// Keeps the evidence and folds it in: the row before and after.
pub(super) async fn take_in(
    tx: &mut Conn,
    provider: &ProviderName,
    attempt: Option<AttemptId>,
    evidence: &Evidence,
) -> Result<(Option<Stored>, Option<Stored>), DbError> {
    let before = find(tx, provider, &evidence.key()).await?;
    let tokens = tokens_for(tx, before.as_ref(), provider, evidence).await?;
    let after = apply(before.clone(), provider, evidence, tokens);
    sqlx::query(
        "INSERT INTO observations (provider, attempt_id, observed_at, body) VALUES (?1, ?2, ?3, ?4)",
    )
    .bind(provider)
    .bind(attempt)
    .bind(evidence.at())
    .bind(to_json(evidence))
    .execute(&mut *tx)
    .await?;
    if let Some(row) = after.as_ref().filter(|row| before.as_ref() != Some(*row)) {
        if let Some(before) = before.as_ref().filter(|b| b.key != row.key) {
            remove(tx, before).await?;
        }
        put(tx, row).await?;
    }
    Ok((before, after))
}

/// Tokens of the ledger from the base of what was learned up to a new observation of a share.
pub(super) async fn tokens_for(
    conn: &mut Conn,
    row: Option<&Stored>,
    provider: &ProviderName,
    evidence: &Evidence,
) -> Result<u64, DbError> {
    let (Some(learned), Evidence::Observed { observation, .. }) =
        (row.and_then(|r| r.learned.as_ref()), evidence)
    else {
        return Ok(0);
    };
    if observation.used_fraction.is_none() {
        return Ok(0);
    }
    let model = match &observation.scope {
        Scope::Account => None,
        Scope::Model(model) => Some(model.as_str()),
    };
    let tokens: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(tokens), 0) FROM usage
         WHERE provider = ?1 AND at >= ?2 AND at < ?3
             AND (?4 IS NULL OR model IS NULL OR instr(lower(model), lower(?4))
                 OR instr(lower(?4), lower(model)))",
    )
    .bind(provider)
    .bind(learned.base_at)
    .bind(observation.observed_at)
    .bind(model)
    .fetch_one(conn)
    .await?;
    Ok(count(tokens))
}

/// The window that is meant: of this scope and name, and of this length where both sides know one.
pub(super) async fn find(
    conn: &mut Conn,
    provider: &ProviderName,
    key: &Key,
) -> Result<Option<Stored>, DbError> {
    let row: Option<StoredRow> = sqlx::query_as(
        "SELECT * FROM windows
         WHERE provider = ?1 AND scope = ?2 AND limit_id = ?3
             AND (duration_ms = ?4 OR duration_ms = 0 OR ?4 = 0)
         ORDER BY duration_ms <> ?4, duration_ms LIMIT 1",
    )
    .bind(provider)
    .bind(scope_text(&key.scope))
    .bind(&key.limit_id)
    .bind(millis(key.duration))
    .fetch_optional(conn)
    .await?;
    row.map(decode).transpose()
}

fn millis(duration: Option<Duration>) -> i64 {
    duration.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

pub(super) async fn remove(conn: &mut Conn, row: &Stored) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM windows
         WHERE provider = ?1 AND scope = ?2 AND limit_id = ?3 AND duration_ms = ?4",
    )
    .bind(&row.provider)
    .bind(scope_text(&row.key.scope))
    .bind(&row.key.limit_id)
    .bind(millis(row.key.duration))
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn put(conn: &mut Conn, row: &Stored) -> Result<(), DbError> {
    sqlx::query(
        "INSERT OR REPLACE INTO windows (provider, scope, limit_id, kind, unit, duration_ms,
             limit_amount, used_fraction, remaining_amount, level_at, began_at, status, resets_at,
             closed_at, closed_until, learned, source, observed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )
    .bind(&row.provider)
    .bind(scope_text(&row.key.scope))
    .bind(&row.key.limit_id)
    .bind(row.kind)
    .bind(row.unit)
    .bind(millis(row.key.duration))
    .bind(row.limit.map(int))
    .bind(row.level.and_then(|l| l.share))
    .bind(row.level.and_then(|l| l.remaining).map(int))
    .bind(row.level.map(|l| l.at))
    .bind(row.level.map(|l| l.began_at))
    .bind(row.status.map(WindowStatus::as_str))
    .bind(row.resets_at)
    .bind(row.closed.map(|c| c.at))
    .bind(row.closed.map(|c| c.until))
    .bind(row.learned.as_ref().map(to_json))
    .bind(&row.source)
    .bind(row.observed_at)
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(super) struct StoredRow {
    provider: ProviderName,
    scope: String,
    limit_id: String,
    kind: LimitKind,
    unit: LimitUnit,
    duration_ms: i64,
    limit_amount: Option<i64>,
    used_fraction: Option<f64>,
    remaining_amount: Option<i64>,
    level_at: Option<Timestamp>,
    began_at: Option<Timestamp>,
    status: Option<String>,
    resets_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    closed_until: Option<Timestamp>,
    learned: Option<String>,
    source: String,
    observed_at: Timestamp,
}

pub(super) fn decode(row: StoredRow) -> Result<Stored, DbError> {
    let level = match (row.level_at, row.began_at) {
        (Some(at), Some(began_at)) => Some(Level {
            share: row.used_fraction,
            remaining: row.remaining_amount.map(count),
            at,
            began_at,
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(undecodable(&"a level with half of its times"));
        }
    };
    Ok(Stored {
        provider: row.provider,
        key: Key {
            scope: scope_from(&row.scope),
            limit_id: row.limit_id,
            duration: Some(Duration::from_millis(count(row.duration_ms))).filter(|d| !d.is_zero()),
        },
        kind: row.kind,
        unit: row.unit,
        limit: row.limit_amount.map(count),
        level,
        status: row.status.as_deref().map(word).transpose()?,
        resets_at: row.resets_at,
        closed: match (row.closed_at, row.closed_until) {
            (Some(at), Some(until)) => Some(Closed { at, until }),
            (Some(_) | None, _) => None,
        },
        learned: row.learned.as_deref().map(from_json).transpose()?,
        source: row.source,
        observed_at: row.observed_at,
    })
}
