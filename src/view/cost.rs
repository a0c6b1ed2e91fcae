//! What was used and what it cost, out of the ledger.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{ConvoyId, Timestamp, Usage};
use crate::db::Conn;
use crate::depot::{self, DepotError};
use crate::refinery::store::{By, Spent, spent};

/// Costs by provider, day or convoy, largest effort first; days in their order.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Cost {
    pub(crate) by: By,
    pub(crate) since: Timestamp,
    pub(crate) rows: Vec<CostRow>,
    pub(crate) total: Sum,
}

/// One provider, day or convoy.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CostRow {
    /// The provider, the day (UTC, `2026-11-20`) or the convoy's id; `null` for beads outside of
    /// any convoy.
    pub(crate) key: Option<String>,
    /// The convoy's name.
    pub(crate) name: Option<String>,
    #[serde(flatten)]
    pub(crate) sum: Sum,
}

/// What runs used. A cost of 0 is not a price: `unpriced_runs` says of how many none is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "CostSum")]
pub(crate) struct Sum {
    pub(crate) usage: Usage,
    /// Attempts that used anything.
    pub(crate) runs: u64,
    /// Of these, attempts of which no cost is known: subscriptions, local models, programs that
    /// report none.
    pub(crate) unpriced_runs: u64,
    /// Of these, attempts that were only simulated: their tokens were never used, their cost is 0.
    pub(crate) simulated_runs: u64,
    /// Of these, attempts that were charged with an estimate, because nobody reported their use.
    pub(crate) estimated_runs: u64,
}

pub(crate) async fn cost(conn: &mut Conn, by: By, since: Timestamp) -> Result<Cost, DepotError> {
    let mut rows = Vec::new();
    let mut total = Sum::default();
    for one in spent(conn, by, since).await? {
        let name = match (by, &one.key) {
            (By::Convoy, Some(id)) => name(conn, id).await?,
            (By::Provider | By::Day | By::Convoy, _) => None,
        };
        let sum = Sum::from(&one);
        // An attempt over midnight is in two days, but is one run.
        total = Sum {
            usage: total.usage + sum.usage,
            runs: total.runs + sum.runs,
            unpriced_runs: total.unpriced_runs + sum.unpriced_runs,
            simulated_runs: total.simulated_runs + sum.simulated_runs,
            estimated_runs: total.estimated_runs + sum.estimated_runs,
        };
        rows.push(CostRow {
            key: one.key,
            name,
            sum,
        });
    }
    match by {
        By::Day => {}
        By::Provider | By::Convoy => rows.sort_by_key(|row| {
            let used = &row.sum.usage;
            std::cmp::Reverse((used.cost_micro_usd, used.tokens()))
        }),
    }
    Ok(Cost {
        by,
        since,
        rows,
        total,
    })
}

async fn name(conn: &mut Conn, id: &str) -> Result<Option<String>, DepotError> {
    let Ok(id) = id.parse::<ConvoyId>() else {
        return Ok(None);
    };
    Ok(depot::store::convoy(conn, &id).await?.map(|c| c.name))
}

impl From<&Spent> for Sum {
    fn from(spent: &Spent) -> Self {
        Self {
            usage: spent.usage,
            runs: spent.runs,
            unpriced_runs: spent.unpriced,
            simulated_runs: spent.simulated,
            estimated_runs: spent.estimated,
        }
    }
}
