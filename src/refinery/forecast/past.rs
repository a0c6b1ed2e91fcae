//! The past of one provider as the store holds it, and the history of each of its windows.

use super::history::{History, Use};
use crate::config::LimitUnit;
use crate::core::Timestamp;
use crate::provider::Scope;
use crate::refinery::frame::Amounts;
use crate::refinery::stored::Key;

/// What was used in a minute, by one model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Minute {
    /// The first use of that minute.
    pub(crate) at: Timestamp,
    pub(crate) model: Option<String>,
    pub(crate) used: Amounts,
}

/// When a window let nothing through.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shut {
    pub(crate) scope: Scope,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

/// The provider's figure was far from ours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drift {
    pub(crate) key: Key,
    /// Shares of the window used: counted here, and said by the provider.
    pub(crate) counted: f64,
    pub(crate) said: f64,
    pub(crate) at: Timestamp,
}

impl Drift {
    /// Share of the use that one side did not see, 0 to 1.
    pub(crate) fn unseen(&self) -> f64 {
        let most = self.said.max(self.counted);
        let apart = (self.said - self.counted).abs() / most;
        if apart.is_finite() {
            apart.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Past {
    /// In order of time.
    pub(crate) minutes: Vec<Minute>,
    pub(crate) shut: Vec<Shut>,
    pub(crate) drifts: Vec<Drift>,
}

impl Past {
    /// What counts in a window of this scope and unit.
    pub(crate) fn history(&self, scope: &Scope, unit: LimitUnit) -> History {
        let uses = self
            .minutes
            .iter()
            .filter(|m| scope.covers(m.model.as_deref()))
            .map(|m| Use {
                at: m.at,
                tokens: m.used.of(unit),
            })
            .collect();
        let shut: Vec<_> = self
            .shut
            .iter()
            .filter(|s| s.scope == Scope::Account || s.scope == *scope)
            .map(|s| (s.from, s.until))
            .collect();
        History::new(uses, &shut)
    }

    /// Share of the use of a window that was not seen, as far as that still matters: for one
    /// length of the window.
    pub(super) fn unseen(&self, key: &Key, now: Timestamp) -> f64 {
        self.drifts
            .iter()
            .filter(|d| d.key == *key)
            .filter(|d| key.duration.is_none_or(|length| d.at + length > now))
            .map(Drift::unseen)
            .fold(0.0, f64::max)
    }
}
