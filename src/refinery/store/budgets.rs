//! What counts against budgets: used and set aside, by provider.

use std::collections::BTreeMap;

use super::count;
use crate::core::{BeadId, ConvoyId, MicroUsd, ProviderName, Timestamp};
use crate::db::{Conn, DbError};

/// Used up to now, and promised to runs that go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) tokens: u64,
    pub(crate) cost: MicroUsd,
    pub(crate) runs: u64,
    /// Not yet used of open reservations.
    pub(crate) set_aside: u64,
    pub(crate) running: u64,
}

/// The day, one convoy and one bead, at one provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spending {
    pub(crate) day: Sums,
    pub(crate) convoy: Sums,
    pub(crate) bead: Sums,
}

#[derive(sqlx::FromRow)]
struct Row {
    provider: ProviderName,
    whose: String,
    tokens: i64,
    cost: i64,
    runs: i64,
    set_aside: i64,
    running: i64,
}

/// Since `midnight` for the day, since ever for the convoy and the bead.
pub(crate) async fn spending(
    conn: &mut Conn,
    bead: &BeadId,
    convoy: Option<&ConvoyId>,
    midnight: Timestamp,
) -> Result<BTreeMap<ProviderName, Spending>, DbError> {
    let rows: Vec<Row> = sqlx::query_as(
        "WITH part AS (
             SELECT 'day' AS whose, provider, tokens, cost_micro_usd AS cost, slice = 0 AS runs,
                 0 AS set_aside, 0 AS running
             FROM usage WHERE at >= ?1
             UNION ALL
             SELECT 'convoy', provider, tokens, cost_micro_usd, slice = 0, 0, 0
             FROM usage WHERE convoy_id = ?2
             UNION ALL
             SELECT 'bead', provider, tokens, cost_micro_usd, slice = 0, 0, 0
             FROM usage WHERE bead_id = ?3
             UNION ALL
             SELECT w.value, provider, 0, 0, used_tokens = 0 AND used_requests = 0,
                 max(tokens - used_tokens, 0), 1
             FROM reservations CROSS JOIN json_each('[\"day\", \"convoy\", \"bead\"]') w
             WHERE settled_at IS NULL AND (w.value = 'day' OR (w.value = 'convoy' AND convoy_id = ?2)
                 OR (w.value = 'bead' AND bead_id = ?3))
         )
         SELECT provider, whose, sum(tokens) AS tokens, sum(cost) AS cost, sum(runs) AS runs,
             sum(set_aside) AS set_aside, sum(running) AS running
         FROM part GROUP BY provider, whose",
    )
    .bind(midnight)
    .bind(convoy)
    .bind(bead)
    .fetch_all(conn)
    .await?;
    let mut all: BTreeMap<ProviderName, Spending> = BTreeMap::new();
    for row in rows {
        let of = all.entry(row.provider).or_default();
        let sums = match row.whose.as_str() {
            "day" => &mut of.day,
            "convoy" => &mut of.convoy,
            _ => &mut of.bead,
        };
        *sums = Sums {
            tokens: count(row.tokens),
            cost: MicroUsd(row.cost),
            runs: count(row.runs),
            set_aside: count(row.set_aside),
            running: count(row.running),
        };
    }
    Ok(all)
}

/// Whose use within a window counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share<'a> {
    Bead(&'a BeadId),
    Convoy(&'a ConvoyId),
    Everybody,
}

/// Tokens used at a provider since then, and set aside there.
pub(crate) async fn used_at(
    conn: &mut Conn,
    provider: &ProviderName,
    of: Share<'_>,
    since: Timestamp,
) -> Result<Sums, DbError> {
    let (bead, convoy) = match of {
        Share::Bead(id) => (Some(id), None),
        Share::Convoy(id) => (None, Some(id)),
        Share::Everybody => (None, None),
    };
    let (tokens, set_aside, running): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT coalesce(sum(tokens), 0) FROM usage
                 WHERE provider = ?1 AND at >= ?2 AND (?3 IS NULL OR bead_id = ?3)
                     AND (?4 IS NULL OR convoy_id = ?4)),
             coalesce(sum(max(tokens - used_tokens, 0)), 0), count(*)
         FROM reservations
         WHERE settled_at IS NULL AND provider = ?1 AND (?3 IS NULL OR bead_id = ?3)
             AND (?4 IS NULL OR convoy_id = ?4)",
    )
    .bind(provider)
    .bind(since)
    .bind(bead)
    .bind(convoy)
    .fetch_one(conn)
    .await?;
    Ok(Sums {
        tokens: count(tokens),
        set_aside: count(set_aside),
        running: count(running),
        ..Sums::default()
    })
}

/// When the last run of each provider began, as far as it really did.
pub(crate) async fn last_starts(
    conn: &mut Conn,
) -> Result<BTreeMap<ProviderName, Timestamp>, DbError> {
    let rows: Vec<(ProviderName, Timestamp)> = sqlx::query_as(
        "SELECT provider, max(created_at) FROM reservations
         WHERE outcome IS NULL OR outcome <> 'released' GROUP BY provider",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}
