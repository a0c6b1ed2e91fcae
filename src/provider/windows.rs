//! Windows that a kind of provider is known to have before it has been run.

use std::time::Duration;

use super::Scope;
use crate::config::{LimitKind, LimitUnit};
use crate::core::Calendar;

/// A window in state unknown. Its key is (scope, limit id, duration), as for an observation:
/// never its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DefaultWindow {
    pub(crate) scope: Scope,
    pub(crate) limit_id: &'static str,
    pub(crate) duration: Duration,
    pub(crate) kind: LimitKind,
    pub(crate) unit: LimitUnit,
    /// How much it holds, in `unit`, where that is published.
    pub(crate) amount: Option<u64>,
    /// Of kind `calendar`.
    pub(crate) calendar: Option<Calendar>,
}

impl DefaultWindow {
    /// A share of a size nobody publishes, of the whole account.
    pub(super) fn percent(limit_id: &'static str, duration: Duration) -> Self {
        Self {
            scope: Scope::Account,
            limit_id,
            duration,
            kind: LimitKind::Percent,
            unit: LimitUnit::Percent,
            amount: None,
            calendar: None,
        }
    }
}
