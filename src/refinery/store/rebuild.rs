//! The stored windows and anchors made again from what they are derived from: the evidence in
//! `observations` and the uses in `usage` and `reservations`.

use std::fmt;

use serde_json::json;

use super::windows::{self, StoredRow};
use super::{count, from_json};
use crate::core::{Ids, ProviderName, Timestamp};
use crate::db::{Conn, DbError, EventType, NewEvent, events};
use crate::provider::Scope;
use crate::refinery::quota::Anchored;
use crate::refinery::stored::{Evidence, Key, Stored, apply, scope_from, scope_text};

/// A derived row that is not what it is derived from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Difference {
    Window {
        stored: Option<Box<Stored>>,
        rebuilt: Option<Box<Stored>>,
    },
    /// The cached start of an anchored window.
    Anchor {
        provider: ProviderName,
        scope: String,
        length_ms: i64,
        stored: Timestamp,
        rebuilt: Option<Timestamp>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window { stored, rebuilt } => {
                let Some(any) = stored.as_ref().or(rebuilt.as_ref()) else {
                    return Ok(());
                };
                let (scope, id) = (scope_text(&any.key.scope), &any.key.limit_id);
                let what = match (stored, rebuilt) {
                    (Some(_), Some(_)) => "is not what was observed",
                    (Some(_), None) => "was never observed",
                    (None, Some(_) | None) => "was observed and is missing",
                };
                write!(f, "{} {scope} {id}: {what}", any.provider)
            }
            Self::Anchor {
                provider,
                scope,
                stored,
                ..
            } => write!(f, "{provider} {scope}: no window began at {stored}"),
        }
    }
}

/// Makes every row that differs anew, in the caller's transaction, and says what it was.
pub(crate) async fn repair(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
) -> Result<Vec<Difference>, DbError> {
    let differences = check(tx).await?;
    if differences.is_empty() {
        return Ok(differences);
    }
    for difference in &differences {
        match difference {
            Difference::Window { stored, rebuilt } => {
                if let Some(stored) = stored {
                    windows::remove(tx, stored).await?;
                }
                if let Some(rebuilt) = rebuilt {
                    windows::put(tx, rebuilt).await?;
                }
            }
            // A cache: the next look follows the chain from its begin.
            Difference::Anchor {
                provider,
                scope,
                length_ms,
                ..
            } => {
                sqlx::query(
                    "DELETE FROM anchors
                     WHERE provider = ?1 AND scope = ?2 AND duration_ms = ?3",
                )
                .bind(provider)
                .bind(scope)
                .bind(length_ms)
                .execute(&mut *tx)
                .await?;
            }
        }
    }
    let told: Vec<String> = differences.iter().map(Difference::to_string).collect();
    let event =
        NewEvent::new(EventType::WindowsRebuilt, "user").payload(json!({ "differences": told }));
    events::append(tx, ids, now, event).await?;
    Ok(differences)
}

/// Replays all evidence and compares: nothing comes back from a healthy store.
pub(crate) async fn check(conn: &mut Conn) -> Result<Vec<Difference>, DbError> {
    let mut rebuilt = replay(conn).await?;
    let rows: Vec<StoredRow> = sqlx::query_as("SELECT * FROM windows")
        .fetch_all(&mut *conn)
        .await?;
    let mut differences = Vec::new();
    for row in rows {
        let row = windows::decode(row)?;
        let again = rebuilt
            .iter()
            .position(|r| r.provider == row.provider && r.key == row.key)
            .map(|at| rebuilt.swap_remove(at));
        if again.as_ref() != Some(&row) {
            differences.push(Difference::Window {
                stored: Some(Box::new(row)),
                rebuilt: again.map(Box::new),
            });
        }
    }
    differences.extend(rebuilt.into_iter().map(|row| Difference::Window {
        stored: None,
        rebuilt: Some(Box::new(row)),
    }));
    differences.extend(anchors(conn).await?);
    Ok(differences)
}

async fn replay(conn: &mut Conn) -> Result<Vec<Stored>, DbError> {
    let (mut rebuilt, mut last): (Vec<Stored>, i64) = (Vec::new(), 0);
    loop {
        // Page by page: the log grows for ever.
        let page: Vec<(i64, ProviderName, String)> = sqlx::query_as(
            "SELECT seq, provider, body FROM observations WHERE seq > ?1 ORDER BY seq LIMIT 1000",
        )
        .bind(last)
        .fetch_all(&mut *conn)
        .await?;
        if page.is_empty() {
            return Ok(rebuilt);
        }
        for (seq, provider, body) in page {
            last = seq;
            let said: Evidence = from_json(&body)?;
            let key = said.key();
            let before = of_same_limit(&rebuilt, &provider, &key).map(|at| rebuilt.swap_remove(at));
            let tokens = windows::tokens_for(conn, before.as_ref(), &provider, &said).await?;
            rebuilt.extend(apply(before, &provider, &said, tokens));
        }
    }
}

fn of_same_limit(rows: &[Stored], provider: &ProviderName, key: &Key) -> Option<usize> {
    rows.iter()
        .enumerate()
        .filter(|(_, row)| row.provider == *provider)
        .filter_map(|(at, row)| Some((row.key.matches(key)?, at)))
        .min()
        .map(|(_, at)| at)
}

/// Folds the whole ledger once per cached anchor. An anchor that follows a reset the provider
/// stated begins another chain, and is not compared.
async fn anchors(conn: &mut Conn) -> Result<Vec<Difference>, DbError> {
    let cached: Vec<(ProviderName, String, i64, Timestamp)> = sqlx::query_as(
        "SELECT provider, scope, duration_ms, starts_at FROM anchors a
         WHERE NOT EXISTS (
             SELECT 1 FROM windows w
             WHERE w.provider = a.provider AND w.scope = a.scope AND w.resets_at IS NOT NULL)",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut differences = Vec::new();
    for (provider, scope, ms, starts_at) in cached {
        let model = match scope_from(&scope) {
            Scope::Account => None,
            Scope::Model(model) => Some(model),
        };
        let uses: Vec<(Timestamp, i64)> = sqlx::query_as(
            "SELECT at, tokens FROM usage
             WHERE provider = ?1 AND at <= ?3
                 AND (?2 IS NULL OR model IS NULL OR instr(lower(model), lower(?2))
                     OR instr(lower(?2), lower(model)))
             UNION ALL
             SELECT created_at, 0 FROM reservations
             WHERE provider = ?1 AND created_at <= ?3 AND outcome IS NOT 'released'
                 AND (?2 IS NULL OR model IS NULL OR instr(lower(model), lower(?2))
                     OR instr(lower(?2), lower(model)))
             ORDER BY 1",
        )
        .bind(&provider)
        .bind(model)
        .bind(starts_at)
        .fetch_all(&mut *conn)
        .await?;
        let length = std::time::Duration::from_millis(count(ms));
        let window = uses
            .iter()
            .fold(Anchored::new(length), |w, (at, n)| w.add(*at, count(*n)));
        if window.last_start() != Some(starts_at) {
            differences.push(Difference::Anchor {
                provider,
                scope,
                length_ms: ms,
                stored: starts_at,
                rebuilt: window.last_start(),
            });
        }
    }
    Ok(differences)
}
