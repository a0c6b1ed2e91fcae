//! Tokens and money that were really used, summed from the ledger.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{BeadId, ConvoyId, MicroUsd, Timestamp};
use crate::db::{Conn, DbError};

/// A sum of the ledger. The four kinds of tokens are disjoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
#[schemars(rename = "Usage")]
pub(crate) struct Used {
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) cache_read: i64,
    pub(crate) cache_write: i64,
    /// Model calls.
    pub(crate) requests: i64,
    pub(crate) cost_micro_usd: MicroUsd,
}

impl Used {
    /// What is charged: input, output and cache writes.
    pub(crate) fn tokens(&self) -> u64 {
        u64::try_from(self.input + self.output + self.cache_write).unwrap_or(0)
    }
}

const SUMS: &str = "SELECT coalesce(sum(input), 0) AS input, coalesce(sum(output), 0) AS output,
    coalesce(sum(cache_read), 0) AS cache_read, coalesce(sum(cache_write), 0) AS cache_write,
    coalesce(sum(requests), 0) AS requests, coalesce(sum(cost_micro_usd), 0) AS cost_micro_usd
    FROM usage WHERE";

pub(crate) async fn of_bead(conn: &mut Conn, id: &BeadId) -> Result<Used, DbError> {
    Ok(
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{SUMS} bead_id = ?1")))
            .bind(id)
            .fetch_one(conn)
            .await?,
    )
}

pub(crate) async fn of_convoy(conn: &mut Conn, id: &ConvoyId) -> Result<Used, DbError> {
    Ok(
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{SUMS} convoy_id = ?1")))
            .bind(id)
            .fetch_one(conn)
            .await?,
    )
}

pub(crate) async fn since(conn: &mut Conn, since: Timestamp) -> Result<Used, DbError> {
    Ok(
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{SUMS} at >= ?1")))
            .bind(since)
            .fetch_one(conn)
            .await?,
    )
}
