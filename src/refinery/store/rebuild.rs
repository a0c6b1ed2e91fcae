//! The stored windows and anchors made again from what they are derived from.

use super::windows::{self, StoredRow};
use super::{count, from_json};
use crate::core::{ProviderName, Timestamp};
use crate::db::{Conn, DbError};
use crate::provider::Scope;
use crate::refinery::quota::Anchored;
use crate::refinery::stored::{Evidence, Key, Stored, apply, scope_from, scope_text};

/// A derived row that is not what it is derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) provider: ProviderName,
    pub(crate) scope: String,
    /// The window's id, or the length of an anchored window in milliseconds.
    pub(crate) window: String,
    pub(crate) stored: String,
    pub(crate) rebuilt: String,
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
            differences.push(difference(&row, Some(&row), again.as_ref()));
        }
    }
    differences.extend(rebuilt.iter().map(|row| difference(row, None, Some(row))));
    differences.extend(anchors(conn).await?);
    Ok(differences)
}

fn difference(which: &Stored, stored: Option<&Stored>, rebuilt: Option<&Stored>) -> Difference {
    Difference {
        provider: which.provider.clone(),
        scope: scope_text(&which.key.scope),
        window: which.key.limit_id.clone(),
        stored: format!("{stored:?}"),
        rebuilt: format!("{rebuilt:?}"),
    }
}

async fn replay(conn: &mut Conn) -> Result<Vec<Stored>, DbError> {
    let log: Vec<(ProviderName, String)> =
        sqlx::query_as("SELECT provider, body FROM observations ORDER BY seq")
            .fetch_all(&mut *conn)
            .await?;
    let mut rebuilt: Vec<Stored> = Vec::new();
    for (provider, body) in log {
        let said: Evidence = from_json(&body)?;
        let key = said.key();
        let before = of_same_limit(&rebuilt, &provider, &key).map(|at| rebuilt.swap_remove(at));
        let tokens = windows::tokens_for(conn, before.as_ref(), &provider, &said).await?;
        rebuilt.extend(apply(before, &provider, &said, tokens));
    }
    Ok(rebuilt)
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
            differences.push(Difference {
                provider,
                scope,
                window: ms.to_string(),
                stored: starts_at.to_string(),
                rebuilt: format!("{:?}", window.last_start()),
            });
        }
    }
    Ok(differences)
}
