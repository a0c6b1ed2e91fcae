//! What a rule can ask about: one run that is wanted on one provider, and the state of things.

use serde::Serialize;

use crate::core::{MicroUsd, Priority, ProviderName, TaskType, Timestamp};

/// Who wants to run what, where, and what is left there. What is not known is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, schemars::JsonSchema)]
pub(crate) struct Facts {
    /// Who asks: `rigs` for its own beads, else the name that an agent gives.
    pub(crate) agent: String,
    pub(crate) provider: Option<ProviderName>,
    /// `None`: what the provider's program chooses.
    pub(crate) model: Option<String>,
    pub(crate) effort: Option<super::Effort>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) task_type: Option<TaskType>,
    pub(crate) priority: Option<Priority>,
    pub(crate) bead: Option<String>,
    /// Id and name; empty for a bead without one.
    pub(crate) convoy: Vec<String>,
    /// The repository's path; `None` for work without one.
    pub(crate) repo: Option<String>,
    /// The p80 of the estimate.
    pub(crate) estimated_tokens: Option<u64>,
    pub(crate) estimated_cost: Option<MicroUsd>,
    /// `None`: no tank is known.
    pub(crate) windows: Option<Vec<WindowFacts>>,
    /// Runs on this provider now.
    pub(crate) in_flight: u64,
    /// When the last run on this provider began.
    pub(crate) last_start: Option<Timestamp>,
    /// Share left of the tightest budget, 0 to 1; 1 where there is no budget.
    pub(crate) budget_left: Option<f64>,
    /// When the tightest budget begins anew, if time does that.
    pub(crate) budget_resets_at: Option<Timestamp>,
}

/// One window of the provider's tank that counts for the model.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub(crate) struct WindowFacts {
    pub(crate) name: String,
    /// Share left, 0 to 1.
    pub(crate) ratio: Option<f64>,
    pub(crate) resets_at: Option<Timestamp>,
    /// Chance that it is used up before its reset, 0 to 1.
    pub(crate) p_exhausted: Option<f64>,
}

impl WindowFacts {
    pub(super) fn ratio(&self) -> Option<f64> {
        share(self.ratio)
    }

    pub(super) fn p_exhausted(&self) -> Option<f64> {
        share(self.p_exhausted)
    }
}

fn share(x: Option<f64>) -> Option<f64> {
    x.filter(|x| !x.is_nan()).map(|x| x.clamp(0.0, 1.0))
}

impl Facts {
    pub(super) fn budget_left(&self) -> Option<f64> {
        share(self.budget_left)
    }
}
