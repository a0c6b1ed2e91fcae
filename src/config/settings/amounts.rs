//! What tokens cost, what a provider lets through and how much of it is kept, as configured.

use serde::{Deserialize, Serialize};

use crate::core::schedule::{Days, Hours, Schedule};
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

/// One entry of `[[providers.NAME.reserve_hours]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ReserveHours {
    /// Such as `09-18` or, over midnight, `22:30-06:00`; the whole day when not set.
    pub(crate) hours: Option<Hours>,
    /// Such as `mon-fri` or `sat,sun`; every day when not set. Hours over midnight belong to the
    /// day on which they begin.
    pub(crate) days: Option<Days>,
    /// Share of every window that is kept for you then, instead of `reserve`. Where several
    /// entries hold, the largest counts.
    pub(crate) share: f64,
    /// The time zone, such as `Europe/Berlin`; that of this machine when not set.
    pub(crate) zone: Option<Zone>,
}

impl ReserveHours {
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule {
            hours: self.hours,
            days: self.days,
            zone: self.zone.unwrap_or(Zone::Local),
        }
    }
}
