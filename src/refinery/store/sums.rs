//! What the ledger holds for each window: sums over each window's own stretch, all windows in
//! one statement.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::load::Detail;
use super::{count, json};
use crate::config::LimitUnit;
use crate::core::{ProviderName, Timestamp};
use crate::db::{Conn, DbError};
use crate::provider::Scope;
use crate::refinery::frame::{Amounts, Count, Counted, Frame};
use crate::refinery::quota::Fall;
use crate::refinery::stored::scope_text;

/// An anchored stretch that was found further on than the stored one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Anchor {
    pub(super) provider: ProviderName,
    pub(super) scope: Scope,
    pub(super) duration_ms: i64,
    pub(super) starts_at: Timestamp,
}

/// What one window wants to know of the ledger.
pub(super) struct Want {
    provider: ProviderName,
    scope: Scope,
    unit: LimitUnit,
    count: Count,
}

impl Want {
    pub(super) fn new(provider: &ProviderName, frame: &Frame, count: Count) -> Self {
        Self {
            provider: provider.clone(),
            scope: frame.key.scope.clone(),
            unit: frame.unit,
            count,
        }
    }

    fn model(&self) -> Option<String> {
        match &self.scope {
            Scope::Account => None,
            Scope::Model(model) => Some(model.clone()),
        }
    }
}

/// The answers in the order of `wants`, and the anchored stretches that were found.
pub(super) async fn ask(
    conn: &mut Conn,
    wants: &[Want],
    detail: Detail,
    now: Timestamp,
) -> Result<(Vec<Counted>, Vec<Anchor>), DbError> {
    let mut counted = vec![Counted::default(); wants.len()];
    let anchors = anchors(conn, wants, now).await?;
    let mut sums = Vec::new();
    let mut rolling = Vec::new();
    for (i, want) in wants.iter().enumerate() {
        let span = |from, to, after| Span {
            i,
            provider: want.provider.clone(),
            model: want.model(),
            from,
            to,
            after,
        };
        match &want.count {
            Count::Nothing => {}
            Count::Anchored { length, .. } => {
                let start = anchors.get(&i).copied().filter(|s| *s + *length > now);
                counted[i].start = start;
                if let Some(start) = start {
                    sums.push(span(start, start + *length, None));
                }
            }
            // What is dated ahead of a clock that stepped back counts as used just now; what
            // is further ahead than the window is long comes from a clock that was wrong.
            Count::Rolling { length } => {
                let from = now.minus(*length) + Duration::from_millis(1);
                let of = match detail {
                    Detail::Sums => &mut sums,
                    Detail::Falls => &mut rolling,
                };
                of.push(span(from, now + *length, None));
            }
            Count::Since { from, began_after } => {
                sums.push(span(*from, Timestamp::from_millis(i64::MAX), *began_after));
            }
        }
    }
    for (i, used) in add_up(conn, &sums).await? {
        counted[i].used = used;
    }
    for (i, at, part) in parts(conn, &rolling).await? {
        let (want, counted) = (&wants[i], &mut counted[i]);
        let Count::Rolling { length } = want.count else {
            continue;
        };
        counted.used = add(counted.used, part);
        counted.falls.push(Fall {
            at: at.min(now) + length,
            amount: part.of(want.unit),
        });
    }
    let moved = anchors
        .into_iter()
        .filter_map(|(i, starts_at)| match &wants[i].count {
            Count::Anchored { length, .. } => Some(Anchor {
                provider: wants[i].provider.clone(),
                scope: wants[i].scope.clone(),
                duration_ms: i64::try_from(length.as_millis()).unwrap_or(i64::MAX),
                starts_at,
            }),
            Count::Nothing | Count::Rolling { .. } | Count::Since { .. } => None,
        })
        .collect();
    Ok((counted, moved))
}

fn add(a: Amounts, b: Amounts) -> Amounts {
    Amounts {
        tokens: a.tokens.saturating_add(b.tokens),
        requests: a.requests.saturating_add(b.requests),
        cost_micro_usd: a.cost_micro_usd.saturating_add(b.cost_micro_usd),
        runs: a.runs.saturating_add(b.runs),
    }
}

#[derive(Serialize)]
struct Chain {
    i: usize,
    provider: ProviderName,
    model: Option<String>,
    scope: String,
    ms: i64,
    /// The length as SQLite's date functions take it.
    span: String,
    floor: String,
    upto: Timestamp,
}

/// The newest start of each anchored window, by the index of its want. The chain of windows is
/// followed from the cached start, one index look-up per window that went by since; runs in
/// flight have begun one as well as runs in the ledger have.
async fn anchors(
    conn: &mut Conn,
    wants: &[Want],
    now: Timestamp,
) -> Result<BTreeMap<usize, Timestamp>, DbError> {
    let chains: Vec<Chain> = wants
        .iter()
        .enumerate()
        .filter_map(|(i, want)| match &want.count {
            Count::Anchored { length, from } => {
                let ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1);
                Some(Chain {
                    i,
                    provider: want.provider.clone(),
                    model: want.model(),
                    scope: scope_text(&want.scope),
                    ms,
                    span: format!("+{}.{:03} seconds", ms / 1000, ms % 1000),
                    floor: from.map_or_else(String::new, |t| t.to_string()),
                    upto: now + *length,
                })
            }
            Count::Nothing | Count::Rolling { .. } | Count::Since { .. } => None,
        })
        .collect();
    if chains.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found: Vec<(i64, Timestamp)> = sqlx::query_as(
        "WITH RECURSIVE
         wanted AS (
             SELECT value ->> 'i' AS i, value ->> 'provider' AS provider, value ->> 'model' AS model,
                 value ->> 'scope' AS scope, value ->> 'ms' AS ms, value ->> 'span' AS span,
                 value ->> 'floor' AS floor, value ->> 'upto' AS upto
             FROM json_each(?1)
         ),
         chain (i, provider, model, span, upto, start) AS (
             SELECT w.i, w.provider, w.model, w.span, w.upto, coalesce(
                 (SELECT a.starts_at FROM anchors a
                  WHERE a.provider = w.provider AND a.scope = w.scope AND a.duration_ms = w.ms
                      AND a.starts_at >= w.floor AND a.starts_at <= w.upto),
                 (SELECT min(t) FROM (
                      SELECT min(u.at) AS t FROM usage u
                      WHERE u.provider = w.provider AND u.at >= w.floor
                          AND (w.model IS NULL OR u.model IS NULL OR instr(lower(u.model), lower(w.model))
                              OR instr(lower(w.model), lower(u.model)))
                      UNION ALL
                      SELECT min(r.created_at) FROM reservations r
                      WHERE r.provider = w.provider AND r.created_at >= w.floor
                          AND r.outcome IS NOT 'released'
                          AND (w.model IS NULL OR r.model IS NULL OR instr(lower(r.model), lower(w.model))
                              OR instr(lower(w.model), lower(r.model))))))
             FROM wanted w
             UNION ALL
             SELECT c.i, c.provider, c.model, c.span, c.upto,
                 (SELECT min(t) FROM (
                      SELECT min(u.at) AS t FROM usage u
                      WHERE u.provider = c.provider
                          AND u.at >= strftime('%Y-%m-%dT%H:%M:%fZ', c.start, c.span)
                          AND (c.model IS NULL OR u.model IS NULL OR instr(lower(u.model), lower(c.model))
                              OR instr(lower(c.model), lower(u.model)))
                      UNION ALL
                      SELECT min(r.created_at) FROM reservations r
                      WHERE r.provider = c.provider
                          AND r.created_at >= strftime('%Y-%m-%dT%H:%M:%fZ', c.start, c.span)
                          AND r.outcome IS NOT 'released'
                          AND (c.model IS NULL OR r.model IS NULL OR instr(lower(r.model), lower(c.model))
                              OR instr(lower(c.model), lower(r.model)))))
             FROM chain c WHERE c.start IS NOT NULL
         )
         SELECT i, max(start) FROM chain WHERE start IS NOT NULL AND start <= upto GROUP BY i",
    )
    .bind(json(&chains))
    .fetch_all(conn)
    .await?;
    Ok(found
        .into_iter()
        .map(|(i, start)| (count(i) as usize, start))
        .collect())
}

#[derive(Serialize)]
struct Span {
    i: usize,
    provider: ProviderName,
    model: Option<String>,
    from: Timestamp,
    to: Timestamp,
    /// Only use that began after this.
    after: Option<Timestamp>,
}

async fn add_up(conn: &mut Conn, spans: &[Span]) -> Result<Vec<(usize, Amounts)>, DbError> {
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(
        "WITH w AS MATERIALIZED (
             SELECT value ->> 'i' AS i, value ->> 'provider' AS provider,
                 value ->> 'model' AS model, value ->> 'from' AS since, value ->> 'to' AS upto,
                 value ->> 'after' AS after
             FROM json_each(?1)
         )
         SELECT w.i, sum(u.tokens), sum(u.requests), sum(u.cost_micro_usd), sum(u.slice = 0)
         FROM w CROSS JOIN usage u
         WHERE u.provider = w.provider AND u.at >= w.since AND u.at < w.upto
             AND (w.model IS NULL OR u.model IS NULL OR instr(lower(u.model), lower(w.model))
                              OR instr(lower(w.model), lower(u.model)))
             AND (w.after IS NULL OR u.began_at > w.after)
         GROUP BY w.i",
    )
    .bind(json(&spans))
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(i, tokens, requests, cost, runs)| {
            (count(i) as usize, amounts(tokens, requests, cost, runs))
        })
        .collect())
}

/// The parts of rolling sums in order of time: each use by itself, or, when there are more than
/// a thousand, neighbours together under the time of the last of them.
async fn parts(
    conn: &mut Conn,
    spans: &[Span],
) -> Result<Vec<(usize, Timestamp, Amounts)>, DbError> {
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, Timestamp, i64, i64, i64, i64)> = sqlx::query_as(
        "WITH w AS MATERIALIZED (
             SELECT value ->> 'i' AS i, value ->> 'provider' AS provider,
                 value ->> 'model' AS model, value ->> 'from' AS since, value ->> 'to' AS upto
             FROM json_each(?1)
         )
         SELECT i, max(at), sum(tokens), sum(requests), sum(cost), sum(first)
         FROM (
             SELECT w.i AS i, u.at AS at, u.tokens AS tokens, u.requests AS requests,
                 u.cost_micro_usd AS cost, u.slice = 0 AS first,
                 ntile(1000) OVER (PARTITION BY w.i ORDER BY u.at) AS part
             FROM w CROSS JOIN usage u
             WHERE u.provider = w.provider AND u.at >= w.since AND u.at < w.upto
                 AND (w.model IS NULL OR u.model IS NULL OR instr(lower(u.model), lower(w.model))
                              OR instr(lower(w.model), lower(u.model)))
         )
         GROUP BY i, part ORDER BY i, part",
    )
    .bind(json(&spans))
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(i, at, tokens, requests, cost, runs)| {
            (count(i) as usize, at, amounts(tokens, requests, cost, runs))
        })
        .collect())
}

fn amounts(tokens: i64, requests: i64, cost: i64, runs: i64) -> Amounts {
    Amounts {
        tokens: count(tokens),
        requests: count(requests),
        cost_micro_usd: count(cost),
        runs: count(runs),
    }
}
