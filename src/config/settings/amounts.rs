//! What tokens cost, and what a provider lets through, as configured.

use serde::{Deserialize, Serialize};

use crate::core::{Length, LimitKind, LimitUnit, Zone};

/// US dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Price {
    /// What is read and was not in a cache.
    pub(crate) input: f64,
    /// What is written, thoughts included.
    pub(crate) output: f64,
    /// What is read from a cache; as `input` when not set.
    pub(crate) cache_read: Option<f64>,
    /// What is put into a cache; as `input` when not set.
    pub(crate) cache_write: Option<f64>,
}

/// One limit of a provider, as configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct WindowLimit {
    /// The length; of kind `calendar` day, week (from Monday) or month. Not used by `concurrency`
    /// and `balance`.
    pub(crate) window: Option<Length>,
    #[serde(default = "rolling")]
    /// How the window moves.
    pub(crate) kind: LimitKind,
    /// What it counts.
    pub(crate) unit: LimitUnit,
    /// The amount; of kind `balance` all that was paid in. Not used by `percent`.
    pub(crate) amount: Option<u64>,
    /// The most that a `refill` holds; `amount` when not set.
    pub(crate) burst: Option<u64>,
    /// The time zone of a `calendar` window, such as `America/Los_Angeles` or `UTC`; that of this
    /// machine when not set.
    pub(crate) zone: Option<Zone>,
    /// The model it is for; the whole account when not set.
    pub(crate) model: Option<String>,
}

fn rolling() -> LimitKind {
    LimitKind::Rolling
}
