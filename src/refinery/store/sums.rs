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
    let (mut rolling, mut each) = (Vec::new(), Vec::new());
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
            Count::Rolling { length, from } => {
                let since = now.minus(*length) + Duration::from_millis(1);
                let from = from.map_or(since, |from| from.max(since));
                let of = match detail {
                    Detail::Sums => &mut sums,
                    Detail::Falls => &mut rolling,
                };
                of.push(span(from, now + *length, None));
            }
            Count::Since { from, began_after } => {
                sums.push(span(*from, Timestamp::from_millis(i64::MAX), *began_after));
            }
            Count::Each { from, began_after } => {
                each.push(span(*from, Timestamp::from_millis(i64::MAX), *began_after));
            }
        }
    }
    for (i, used) in add_up(conn, &sums).await? {
        counted[i].used = used;
    }
    for (i, at, part) in parts(conn, &rolling).await? {
        let (want, counted) = (&wants[i], &mut counted[i]);
        let Count::Rolling { length, .. } = want.count else {
            continue;
        };
        counted.used = add(counted.used, part);
        counted.falls.push(Fall {
            at: at.min(now) + length,
            amount: part.of(want.unit),
        });
    }
    for (i, at, part) in parts(conn, &each).await? {
        let amount = part.of(wants[i].unit);
        counted[i].used = add(counted[i].used, part);
        counted[i].uses.push((at, amount));
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
            Count::Nothing | Count::Rolling { .. } | Count::Each { .. } | Count::Since { .. } => {
                None
            }
        })
        .collect();
    Ok((counted, moved))
}

fn add(a: Amounts, b: Amounts) -> Amounts {
    Amounts {
        tokens: a.tokens.saturating_add(b.tokens),
        input_tokens: a.input_tokens.saturating_add(b.input_tokens),
        output_tokens: a.output_tokens.saturating_add(b.output_tokens),
        all_tokens: a.all_tokens.saturating_add(b.all_tokens),
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
            Count::Nothing | Count::Rolling { .. } | Count::Each { .. } | Count::Since { .. } => {
                None
            }
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
    let rows: Vec<SumRow> = sqlx::query_as(
        "WITH w AS MATERIALIZED (
             SELECT value ->> 'i' AS i, value ->> 'provider' AS provider,
                 value ->> 'model' AS model, value ->> 'from' AS since, value ->> 'to' AS upto,
                 value ->> 'after' AS after
             FROM json_each(?1)
         )
         SELECT w.i, max(u.at) AS at, sum(u.input) AS input, sum(u.output) AS output,
             sum(u.cache_write) AS cache_write, sum(u.cache_read) AS cache_read,
             sum(u.requests) AS requests, sum(u.cost_micro_usd) AS cost, sum(u.slice = 0) AS runs
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
    let sums = rows
        .iter()
        .map(|row| (count(row.i) as usize, row.amounts()));
    Ok(sums.collect())
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
    let rows: Vec<SumRow> = sqlx::query_as(
        "WITH w AS MATERIALIZED (
             SELECT value ->> 'i' AS i, value ->> 'provider' AS provider,
                 value ->> 'model' AS model, value ->> 'from' AS since, value ->> 'to' AS upto,
                 value ->> 'after' AS after
             FROM json_each(?1)
         )
         SELECT i, max(at) AS at, sum(input) AS input, sum(output) AS output,
             sum(cache_write) AS cache_write, sum(cache_read) AS cache_read,
             sum(requests) AS requests, sum(cost) AS cost, sum(first) AS runs
         FROM (
             SELECT w.i AS i, u.at AS at, u.input AS input, u.output AS output,
                 u.cache_write AS cache_write, u.cache_read AS cache_read,
                 u.requests AS requests, u.cost_micro_usd AS cost, u.slice = 0 AS first,
                 ntile(1000) OVER (PARTITION BY w.i ORDER BY u.at) AS part
             FROM w CROSS JOIN usage u
             WHERE u.provider = w.provider AND u.at >= w.since AND u.at < w.upto
                 AND (w.model IS NULL OR u.model IS NULL OR instr(lower(u.model), lower(w.model))
                              OR instr(lower(w.model), lower(u.model)))
                 AND (w.after IS NULL OR u.began_at > w.after)
         )
         GROUP BY i, part ORDER BY i, part",
    )
    .bind(json(&spans))
    .fetch_all(conn)
    .await?;
    let parts = rows
        .iter()
        .map(|row| (count(row.i) as usize, row.at, row.amounts()));
    Ok(parts.collect())
}

/// What one window, or one part of it, used; never more than a thousand million million each.
#[derive(sqlx::FromRow)]
struct SumRow {
    i: i64,
    at: Timestamp,
    input: i64,
    output: i64,
    cache_write: i64,
    cache_read: i64,
    requests: i64,
    cost: i64,
    runs: i64,
}

impl SumRow {
    fn amounts(&self) -> Amounts {
        let (input, output) = (count(self.input), count(self.output));
        let input = input.saturating_add(count(self.cache_write));
        let tokens = input.saturating_add(output);
        Amounts {
            tokens,
            input_tokens: input,
            output_tokens: output,
            all_tokens: tokens.saturating_add(count(self.cache_read)),
            requests: count(self.requests),
            cost_micro_usd: count(self.cost),
            runs: count(self.runs),
        }
    }
}
