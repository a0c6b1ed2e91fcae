//! What a window is before it is evaluated: a configured limit with what is stored about it,
//! and what the ledger must be asked for it.

use std::time::Duration;

use super::quota::Fall;
use super::risk::Expected;
use super::stored::{Key, Level, Stored, UNTIL_PROBE, WALL};
use crate::config::{LimitKind, LimitUnit, WindowLimit};
use crate::core::time::Span;
use crate::core::{ProviderName, Timestamp};
use crate::provider::{DefaultWindow, Scope};

/// Amounts of everything that a limit can count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    /// Input, output and cache writes.
    pub(crate) tokens: u64,
    pub(crate) requests: u64,
    pub(crate) cost_micro_usd: u64,
    pub(crate) runs: u64,
}

impl Amounts {
    /// The amount in `unit`; a percent window is counted in tokens.
    pub(crate) fn of(&self, unit: LimitUnit) -> u64 {
        match unit {
            LimitUnit::Tokens | LimitUnit::Percent => self.tokens,
            LimitUnit::Requests => self.requests,
            LimitUnit::MicroUsd => self.cost_micro_usd,
            LimitUnit::Runs => self.runs,
        }
    }
}

/// A reservation that is not settled, as far as windows care.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Open {
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) run: Expected,
}

/// What a window is, before it is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) key: Key,
    pub(crate) kind: LimitKind,
    pub(crate) unit: LimitUnit,
    pub(crate) limit: Option<u64>,
    /// Taken for granted from the provider's kind, not given by a person.
    pub(crate) guess: bool,
    pub(crate) stored: Option<Stored>,
}

/// What the ledger must be asked for one frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Count {
    Nothing,
    /// The running stretch; `from`: the last reset that is known otherwise.
    Anchored {
        length: Duration,
        from: Option<Timestamp>,
    },
    Rolling {
        length: Duration,
    },
    /// Everything since, of runs that began after `began_after`.
    Since {
        from: Timestamp,
        began_after: Option<Timestamp>,
    },
}

/// The ledger's answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counted {
    /// Start of the running stretch of an anchored window.
    pub(crate) start: Option<Timestamp>,
    pub(crate) used: Amounts,
    /// Parts of a rolling sum in order of time; empty when not asked for.
    pub(crate) falls: Vec<Fall>,
}

impl Frame {
    /// A limit that a person gave: `5h_tokens`, `7d_percent`, `1m_requests`, `runs`.
    pub(crate) fn configured(limit: &WindowLimit) -> Self {
        let limit_id = match (limit.kind, limit.window) {
            (LimitKind::Concurrency, _) | (_, None) => limit.unit.to_string(),
            (LimitKind::Anchored | LimitKind::Rolling | LimitKind::Percent, Some(length)) => {
                format!("{}_{}", short(length), limit.unit)
            }
        };
        let is_percent = limit.kind == LimitKind::Percent;
        Self {
            key: Key {
                scope: limit.model.clone().map_or(Scope::Account, Scope::Model),
                limit_id,
                duration: limit.window.map(|Span(d)| d),
            },
            kind: limit.kind,
            unit: limit.unit,
            limit: limit.amount.filter(|_| !is_percent),
            guess: false,
            stored: None,
        }
    }

    /// A window that the provider's kind is known to have.
    pub(crate) fn guessed(window: &DefaultWindow) -> Self {
        Self {
            key: Key {
                scope: window.scope.clone(),
                limit_id: window.limit_id.to_owned(),
                duration: Some(window.duration),
            },
            kind: window.kind,
            unit: window.unit,
            limit: None,
            guess: true,
            stored: None,
        }
    }

    /// So many runs at once.
    pub(crate) fn slots(max_parallel: u32) -> Self {
        Self {
            key: Key {
                scope: Scope::Account,
                limit_id: "parallel".into(),
                duration: None,
            },
            kind: LimitKind::Concurrency,
            unit: LimitUnit::Runs,
            limit: Some(u64::from(max_parallel)),
            guess: false,
            stored: None,
        }
    }

    /// A window of which only its provider or a person has spoken.
    pub(crate) fn stored(row: Stored) -> Self {
        Self {
            key: row.key.clone(),
            kind: row.kind,
            unit: row.unit,
            limit: row.limit,
            guess: false,
            stored: Some(row),
        }
    }

    /// The limit's id, with its length where the id does not tell it: `codex_5h`.
    pub(crate) fn name(&self) -> String {
        let id = &self.key.limit_id;
        let tells = id.starts_with(|c: char| c.is_ascii_digit())
            || ["minute", "hour", "day", "week", "month"]
                .iter()
                .any(|unit| id.contains(unit));
        match self.key.duration {
            Some(length) if !tells => format!("{id}_{}", short(Span(length))),
            Some(_) | None => id.clone(),
        }
    }

    /// A wall without a window says nothing once it is proven open.
    pub(crate) fn is_idle_wall(&self) -> bool {
        self.key.limit_id == WALL && self.stored.as_ref().is_none_or(|s| s.closed.is_none())
    }

    /// The level that still holds at `now`: said, and not followed by a reset.
    pub(super) fn level(&self, now: Timestamp) -> Option<Level> {
        let stored = self.stored.as_ref()?;
        let level = stored.level?;
        let over = match (stored.resets_at, self.key.duration) {
            (Some(reset), _) => reset <= now,
            (None, Some(length)) => level.at + length <= now,
            // Nobody knows when it ends: it may not block for ever.
            (None, None) => level.is_used_up() && level.at + UNTIL_PROBE <= now,
        };
        (!over).then_some(level)
    }

    pub(crate) fn count(&self, now: Timestamp) -> Count {
        if let Some(level) = self.level(now) {
            return Count::Since {
                from: level.at,
                began_after: Some(level.began_at),
            };
        }
        let reset = self.stored.as_ref().and_then(|s| s.resets_at);
        match (self.kind, self.key.duration, reset) {
            (LimitKind::Rolling, Some(length), _) => Count::Rolling { length },
            // The running stretch by its end.
            (LimitKind::Anchored, Some(length), Some(end)) if end > now => Count::Since {
                from: end.minus(length),
                began_after: None,
            },
            (LimitKind::Anchored, Some(length), from) => Count::Anchored { length, from },
            (LimitKind::Percent, Some(length), Some(reset)) if reset <= now => Count::Anchored {
                length,
                from: Some(reset),
            },
            (LimitKind::Anchored | LimitKind::Rolling | LimitKind::Percent, _, Some(reset))
                if reset <= now =>
            {
                Count::Since {
                    from: reset,
                    began_after: None,
                }
            }
            (
                LimitKind::Concurrency
                | LimitKind::Anchored
                | LimitKind::Rolling
                | LimitKind::Percent,
                ..,
            ) => Count::Nothing,
        }
    }
}

pub(super) fn short(length: Span) -> String {
    length.to_string().replace(' ', "")
}
