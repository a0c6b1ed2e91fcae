//! The usage ledger: append-only, one row per slice of an attempt.

use super::{count, int};
use crate::core::words::word_enum;
use crate::core::{
    AttemptId, BeadId, ConvoyId, MicroUsd, ProviderName, Timestamp, Usage, text::one_line,
};
use crate::db::{Conn, DbError};

word_enum! {
    /// Who counted.
    pub(crate) enum UsageSource as "usage source" {
        /// The provider.
        Reported = "reported",
        /// Nobody: the estimate is charged.
        Estimate = "estimate",
    }
}

/// One slice of an attempt's use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsageRow {
    pub(crate) attempt: AttemptId,
    /// From 0; a slice is recorded once.
    pub(crate) slice: u32,
    pub(crate) bead: BeadId,
    pub(crate) convoy: Option<ConvoyId>,
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    pub(crate) usage: Usage,
    pub(crate) source: UsageSource,
    /// When the use began: the reservation, or the slice before.
    pub(crate) began_at: Timestamp,
    pub(crate) at: Timestamp,
}

/// Adds a slice, once: a second time it changes nothing and says `false`. What it used is no
/// longer held by the attempt's open reservation.
pub(crate) async fn record(conn: &mut Conn, row: &UsageRow) -> Result<bool, DbError> {
    let u = &row.usage;
    let added = sqlx::query(
        "INSERT INTO usage (attempt_id, slice, bead_id, convoy_id, provider, model, requests,
             input, output, cache_read, cache_write, cost_micro_usd, source, began_at, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT (attempt_id, slice) DO NOTHING",
    )
    .bind(row.attempt)
    .bind(row.slice)
    .bind(&row.bead)
    .bind(&row.convoy)
    .bind(&row.provider)
    .bind(row.model.as_deref().map(|m| one_line(m, 96)))
    .bind(int(u.requests))
    .bind(int(u.input))
    .bind(int(u.output))
    .bind(int(u.cache_read))
    .bind(int(u.cache_write))
    .bind(int(u.cost_micro_usd.0.max(0).unsigned_abs()))
    .bind(row.source.as_str())
    .bind(row.began_at.min(row.at))
    .bind(row.at)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if added == 0 {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE reservations SET used_tokens = used_tokens + ?2, used_requests = used_requests + ?3,
             used_cost_micro_usd = used_cost_micro_usd + ?4
         WHERE attempt_id = ?1 AND settled_at IS NULL",
    )
    .bind(row.attempt)
    .bind(int(u.tokens()))
    .bind(int(u.requests))
    .bind(int(u.cost_micro_usd.0.max(0).unsigned_abs()))
    .execute(conn)
    .await?;
    Ok(true)
}

/// Whose use is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    Bead(&'a BeadId),
    Convoy(&'a ConvoyId),
    Attempt(AttemptId),
    All,
}

type Sums = (i64, i64, i64, i64, i64, i64);

fn usage((requests, input, output, cache_read, cache_write, cost): Sums) -> Usage {
    Usage {
        input: count(input),
        output: count(output),
        cache_read: count(cache_read),
        cache_write: count(cache_write),
        requests: count(requests),
        cost_micro_usd: MicroUsd(cost),
    }
}

macro_rules! sums {
    ($rest:literal) => {
        concat!(
            "SELECT coalesce(sum(requests), 0), coalesce(sum(input), 0), coalesce(sum(output), 0),
                 coalesce(sum(cache_read), 0), coalesce(sum(cache_write), 0),
                 coalesce(sum(cost_micro_usd), 0) FROM usage ",
            $rest
        )
    };
}

/// What was used, at `since` or later where that is given.
pub(crate) async fn used(
    conn: &mut Conn,
    of: Of<'_>,
    since: Option<Timestamp>,
) -> Result<Usage, DbError> {
    let query = match of {
        Of::Bead(id) => sqlx::query_as(sums!("WHERE bead_id = ?2 AND at >= coalesce(?1, '')"))
            .bind(since)
            .bind(id),
        Of::Convoy(id) => sqlx::query_as(sums!("WHERE convoy_id = ?2 AND at >= coalesce(?1, '')"))
            .bind(since)
            .bind(id),
        Of::Attempt(id) => {
            sqlx::query_as(sums!("WHERE attempt_id = ?2 AND at >= coalesce(?1, '')"))
                .bind(since)
                .bind(id)
        }
        Of::All => sqlx::query_as(sums!("WHERE at >= coalesce(?1, '')")).bind(since),
    };
    Ok(usage(query.fetch_one(conn).await?))
}
