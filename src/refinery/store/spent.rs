//! What was used and what it cost, summed by provider, day or convoy.

use super::count;
use crate::core::words::word_enum;
use crate::core::{MicroUsd, Timestamp, Usage};
use crate::db::{Conn, DbError};

word_enum! {
    /// What costs are summed by.
    pub(crate) enum By as "grouping" {
        Provider = "provider",
        /// Of UTC.
        Day = "day",
        Convoy = "convoy",
    }
}

/// The sum of one provider, day or convoy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spent {
    /// The provider's name, the day (`2026-11-20`) or the convoy's id; `None` for beads outside
    /// of any convoy.
    pub(crate) key: Option<String>,
    pub(crate) usage: Usage,
    /// Attempts that used anything.
    pub(crate) runs: u64,
    /// Of these, attempts of which no cost is known; of simulated ones it is: none.
    pub(crate) unpriced: u64,
    /// Of these, attempts that were only simulated.
    pub(crate) simulated: u64,
    /// Of these, attempts charged with an estimate, wholly or in part: nobody reported their use.
    pub(crate) estimated: u64,
}

#[derive(sqlx::FromRow)]
struct Row {
    key: Option<String>,
    requests: i64,
    input: i64,
    output: i64,
    cache_read: i64,
    cache_write: i64,
    cost: i64,
    runs: i64,
    unpriced: i64,
    estimated: i64,
    simulated: i64,
}

macro_rules! spent {
    ($key:literal) => {
        concat!(
            "SELECT key, sum(requests) AS requests, sum(input) AS input, sum(output) AS output,
                 sum(cache_read) AS cache_read, sum(cache_write) AS cache_write, sum(cost) AS cost,
                 count(*) AS runs, sum(cost = 0 AND NOT simulated) AS unpriced, sum(estimated) AS estimated,
                 sum(simulated) AS simulated
             FROM (SELECT ",
            $key,
            " AS key, sum(requests) AS requests, sum(input) AS input, sum(output) AS output,
                   sum(cache_read) AS cache_read, sum(cache_write) AS cache_write,
                   sum(cost_micro_usd) AS cost, max(source = 'estimate') AS estimated,
                   max(model IS 'simulated') AS simulated
                 FROM usage WHERE at >= ?1 GROUP BY 1, attempt_id
                 HAVING sum(requests) + sum(tokens) + sum(cache_read) + sum(cost_micro_usd) > 0)
             GROUP BY key ORDER BY key"
        )
    };
}

/// What was used since then. An attempt over midnight counts in both days.
pub(crate) async fn spent(
    conn: &mut Conn,
    by: By,
    since: Timestamp,
) -> Result<Vec<Spent>, DbError> {
    let query = match by {
        By::Provider => sqlx::query_as(spent!("provider")),
        By::Day => sqlx::query_as(spent!("substr(at, 1, 10)")),
        By::Convoy => sqlx::query_as(spent!("convoy_id")),
    };
    let rows: Vec<Row> = query.bind(since).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Row::sum).collect())
}

impl Row {
    fn sum(self) -> Spent {
        Spent {
            key: self.key,
            usage: Usage {
                input: count(self.input),
                output: count(self.output),
                cache_read: count(self.cache_read),
                cache_write: count(self.cache_write),
                requests: count(self.requests),
                cost_micro_usd: MicroUsd(self.cost),
            },
            runs: count(self.runs),
            unpriced: count(self.unpriced),
            estimated: count(self.estimated),
            simulated: count(self.simulated),
        }
    }
}
