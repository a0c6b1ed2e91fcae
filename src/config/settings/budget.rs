//! `[budget]`, and the budget of one provider.

use serde::{Deserialize, Serialize};

use crate::core::Zone;
use crate::core::time::Span;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct BudgetSettings {
    /// Where the day begins at midnight, for example `Europe/Berlin`, or `local`.
    pub(crate) timezone: Zone,
    /// No bead is started that would bring the day above it.
    pub(crate) tokens_per_day: Option<u64>,
    /// No bead is started once the day has cost so much.
    pub(crate) usd_per_day: Option<f64>,
    /// Runs begun in a day.
    pub(crate) runs_per_day: Option<u64>,
    /// No attempt is started that would bring its bead above it.
    pub(crate) tokens_per_bead: Option<u64>,
    /// No attempt is started once its bead has cost so much.
    pub(crate) usd_per_bead: Option<f64>,
    /// Attempts of one bead, walls and crashes included.
    pub(crate) runs_per_bead: Option<u64>,
    /// No bead is started that would bring its convoy above it.
    pub(crate) tokens_per_convoy: Option<u64>,
    /// No bead is started once its convoy has cost so much.
    pub(crate) usd_per_convoy: Option<f64>,
    /// Runs of one convoy.
    pub(crate) runs_per_convoy: Option<u64>,
    /// Share of every window of known size that the runs of one bead may take, 0 to 1.
    pub(crate) window_share_per_bead: Option<f64>,
    /// Share of every window of known size that the runs of one convoy may take, 0 to 1.
    pub(crate) window_share_per_convoy: Option<f64>,
    /// Share of every window of a day or longer that one day may take, 0 to 1.
    pub(crate) window_share_per_day: Option<f64>,
    /// A run that uses more than the p95 of its estimate so many times is ended.
    pub(crate) envelope: f64,
    /// A run that uses more tokens is ended.
    pub(crate) tokens_per_run: Option<u64>,
    /// A run that makes more model calls is ended, where its program counts them.
    pub(crate) requests_per_run: Option<u64>,
    /// A run that costs more is ended, where its program tells the cost.
    pub(crate) usd_per_run: Option<f64>,
    /// A run that takes longer is ended as a runaway; `timeout` of its provider ends it as well.
    pub(crate) time_per_run: Option<Span>,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            timezone: Zone::default(),
            tokens_per_day: None,
            usd_per_day: None,
            runs_per_day: None,
            tokens_per_bead: None,
            usd_per_bead: None,
            runs_per_bead: None,
            tokens_per_convoy: None,
            usd_per_convoy: None,
            runs_per_convoy: None,
            window_share_per_bead: None,
            window_share_per_convoy: None,
            window_share_per_day: None,
            envelope: 3.0,
            tokens_per_run: None,
            requests_per_run: None,
            usd_per_run: None,
            time_per_run: None,
        }
    }
}

impl BudgetSettings {
    /// Amounts in dollars, by the name of their key.
    pub(crate) fn dollars(&self) -> [(&'static str, Option<f64>); 4] {
        [
            ("usd_per_day", self.usd_per_day),
            ("usd_per_bead", self.usd_per_bead),
            ("usd_per_convoy", self.usd_per_convoy),
            ("usd_per_run", self.usd_per_run),
        ]
    }

    /// Shares of windows, by the name of their key.
    pub(crate) fn shares(&self) -> [(&'static str, Option<f64>); 3] {
        [
            ("window_share_per_bead", self.window_share_per_bead),
            ("window_share_per_convoy", self.window_share_per_convoy),
            ("window_share_per_day", self.window_share_per_day),
        ]
    }
}

/// What rigs may spend at one provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct ProviderBudget {
    /// No bead is started here that would bring the day above it.
    pub(crate) tokens_per_day: Option<u64>,
    /// No bead is started here once the day has cost so much.
    pub(crate) usd_per_day: Option<f64>,
    /// Runs begun here in a day.
    pub(crate) runs_per_day: Option<u64>,
    /// Share of every window of known size that rigs may take, 0 to 1; what the person uses
    /// does not count.
    pub(crate) window_share: Option<f64>,
}
