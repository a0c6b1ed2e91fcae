//! What a window is before it is evaluated: a configured limit with what is stored about it,
//! and what the ledger must be asked for it.

use std::time::Duration;

use super::quota::{Bucket, Fall};
use super::risk::Expected;
use super::stored::{Key, Level, Stored, UNTIL_PROBE, WALL};
use crate::config::{LimitKind, LimitUnit, WindowLimit};
use crate::core::time::Span;
use crate::core::{Calendar, Length, ProviderName, Timestamp, Zone};
use crate::provider::{DefaultWindow, Scope};

/// Amounts of everything that a limit can count, one field per unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    /// Input, output and cache writes.
    pub(crate) tokens: u64,
    /// Input and cache writes.
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// Cache reads as well.
    pub(crate) all_tokens: u64,
    pub(crate) requests: u64,
    pub(crate) cost_micro_usd: u64,
    pub(crate) runs: u64,
}

impl Amounts {
    /// One run of which only the sum of its tokens is expected. That sum stands for each kind of
    /// them: it is never below what the kind alone will be, cache reads apart.
    pub(crate) fn expected(tokens: u64, requests: u64, cost_micro_usd: u64) -> Self {
        Self {
            tokens,
            input_tokens: tokens,
            output_tokens: tokens,
            all_tokens: tokens,
            requests,
            cost_micro_usd,
            runs: 1,
        }
    }

    /// The amount in `unit`; a percent window is counted in tokens.
    pub(crate) fn of(&self, unit: LimitUnit) -> u64 {
        match unit {
            LimitUnit::Tokens | LimitUnit::Percent => self.tokens,
            LimitUnit::InputTokens => self.input_tokens,
            LimitUnit::OutputTokens => self.output_tokens,
            LimitUnit::AllTokens => self.all_tokens,
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
    /// The most that a refill window holds, where that is not `limit`.
    pub(crate) burst: Option<u64>,
    /// Of a calendar window; `None` where only its provider has spoken of it.
    pub(crate) calendar: Option<Calendar>,
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
    /// The last stretch of that length; nothing from before `from`, when it was said to be full.
    Rolling {
        length: Duration,
        from: Option<Timestamp>,
    },
    /// Every use since then by itself, in order of time: what a bucket went through.
    Each {
        from: Timestamp,
        began_after: Option<Timestamp>,
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
    /// What [`Count::Each`] asked for, in order of time.
    pub(crate) uses: Vec<(Timestamp, u64)>,
}

/// So many times its own filling a bucket's past is read back; it was full then, as far as
/// anybody remembers.
const REMEMBERED: u32 = 10;

impl Frame {
    /// A limit that a person gave: `5h_tokens`, `7d_percent`, `1m_requests`, `day_requests`,
    /// `runs`, `balance`.
    pub(crate) fn configured(limit: &WindowLimit) -> Self {
        let limit_id = match (limit.kind, limit.window) {
            (LimitKind::Balance, _) => "balance".into(),
            (LimitKind::Concurrency, _) | (_, None) => limit.unit.to_string(),
            (
                LimitKind::Refill
                | LimitKind::Anchored
                | LimitKind::Rolling
                | LimitKind::Calendar
                | LimitKind::Percent,
                Some(length),
            ) => match length {
                Length::For(span) => format!("{}_{}", short(span), limit.unit),
                Length::Each(period) => format!("{period}_{}", limit.unit),
            },
        };
        let is_percent = limit.kind == LimitKind::Percent;
        Self {
            key: Key {
                scope: limit.model.clone().map_or(Scope::Account, Scope::Model),
                limit_id,
                duration: limit.window.map(|length| match length {
                    Length::For(Span(d)) => d,
                    Length::Each(period) => period.nominal(),
                }),
            },
            kind: limit.kind,
            unit: limit.unit,
            limit: limit.amount.filter(|_| !is_percent),
            burst: limit.burst,
            calendar: limit
                .window
                .and_then(Length::period)
                .map(|period| Calendar {
                    period,
                    zone: limit.zone.unwrap_or(Zone::Local),
                }),
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
            limit: window.amount,
            burst: None,
            calendar: window.calendar,
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
            burst: None,
            calendar: None,
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
            burst: None,
            calendar: None,
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
            // Money does not come back by itself.
            _ if self.kind == LimitKind::Balance => false,
            (Some(reset), _) => reset <= now,
            (None, Some(length)) => {
                let end = self.calendar.map(|calendar| calendar.span(level.at).1);
                end.unwrap_or(level.at + length) <= now
            }
            // Nobody knows when it ends: it may not block for ever.
            (None, None) => level.is_used_up() && level.at + UNTIL_PROBE <= now,
        };
        (!over).then_some(level)
    }

    pub(crate) fn count(&self, now: Timestamp) -> Count {
        if let Some(level) = self.level(now) {
            let (from, began_after) = (level.at, Some(level.began_at));
            return match self.kind {
                LimitKind::Refill => Count::Each { from, began_after },
                LimitKind::Anchored
                | LimitKind::Rolling
                | LimitKind::Calendar
                | LimitKind::Concurrency
                | LimitKind::Balance
                | LimitKind::Percent => Count::Since { from, began_after },
            };
        }
        let reset = self.stored.as_ref().and_then(|s| s.resets_at);
        let since = |from| Count::Since {
            from,
            began_after: None,
        };
        match (self.kind, self.key.duration, reset) {
            (LimitKind::Refill, Some(length), reset) => {
                let fillings = self.bucket(now).map_or(length, |b| b.filling());
                let from = now.minus(fillings.saturating_mul(REMEMBERED));
                let full = reset.filter(|r| *r <= now);
                Count::Each {
                    from: full.map_or(from, |full| full.max(from)),
                    began_after: None,
                }
            }
            (LimitKind::Calendar, ..) => match self.stretch(now) {
                Some((from, _)) => since(from),
                None => Count::Nothing,
            },
            // Everything that was ever used of what was ever paid in.
            (LimitKind::Balance, ..) if self.limit.is_some() => since(Timestamp::from_millis(0)),
            (LimitKind::Rolling, Some(length), _) => Count::Rolling {
                length,
                from: self.full_at().filter(|full| *full <= now),
            },
            // The running stretch by its end.
            (LimitKind::Anchored, Some(length), Some(end)) if end > now => since(end.minus(length)),
            (LimitKind::Anchored, Some(length), from) => Count::Anchored { length, from },
            (LimitKind::Percent, Some(length), Some(reset)) if reset <= now => Count::Anchored {
                length,
                from: Some(reset),
            },
            (LimitKind::Anchored | LimitKind::Rolling | LimitKind::Percent, _, Some(reset))
                if reset <= now =>
            {
                since(reset)
            }
            (
                LimitKind::Refill
                | LimitKind::Concurrency
                | LimitKind::Balance
                | LimitKind::Anchored
                | LimitKind::Rolling
                | LimitKind::Percent,
                ..,
            ) => Count::Nothing,
        }
    }

    /// When a rolling window is full, as its provider said with a level. The reset that a wall
    /// states is none: the next request fits from then on, and no more than that.
    fn full_at(&self) -> Option<Timestamp> {
        let stored = self.stored.as_ref()?;
        let level = stored.level?;
        let is_of_a_wall = stored.closed.is_some_and(|closed| closed.at >= level.at);
        stored.resets_at.filter(|_| !is_of_a_wall)
    }

    /// Begin and end of the stretch of a calendar window that runs at `now`: as its zone says,
    /// or, where only the provider's resets are known, in steps of its length from the last one.
    /// A reset that the provider stated within it is its begin.
    pub(super) fn stretch(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let reset = self.stored.as_ref().and_then(|s| s.resets_at);
        if let Some(calendar) = self.calendar {
            let (begin, end) = calendar.span(now);
            let begin = reset.filter(|r| *r <= now).map_or(begin, |r| r.max(begin));
            return Some((begin, end));
        }
        let (reset, length) = (reset?, self.key.duration?);
        if reset > now {
            return Some((reset.minus(length).min(now), reset));
        }
        let steps = now.since(reset).as_millis() / length.as_millis().max(1);
        let begin = reset + length.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
        Some((begin, begin + length))
    }

    /// The bucket of a refill window as it was last known to be: at the level that was said, or
    /// full. `None` where its size or its speed is not known.
    pub(super) fn bucket(&self, now: Timestamp) -> Option<Bucket> {
        let limit = self.limit?;
        let level = self.level(now);
        let taken = level.map_or(0, |level| match (level.remaining, level.share) {
            (Some(left), _) => limit.saturating_sub(left),
            (None, Some(share)) => (share * limit as f64).ceil() as u64,
            (None, None) => 0,
        });
        let reset = self.stored.as_ref().and_then(|s| s.resets_at);
        // Its speed, where only the moment is known at which it is full again.
        let derived = || {
            let left = reset?.since(level?.at);
            let whole = u128::from(limit) * left.as_millis() / u128::from(taken.max(1));
            Some(Duration::from_millis(u64::try_from(whole).ok()?)).filter(|_| taken > 0)
        };
        let length = self.key.duration.or_else(derived)?;
        let from = match self.level(now) {
            Some(level) => level.at,
            None => Timestamp::from_millis(0),
        };
        let capacity = self.burst.unwrap_or(limit);
        Bucket::full(limit, length, capacity, from).map(|b| b.taken(taken))
    }
}

pub(super) fn short(length: Span) -> String {
    length.to_string().replace(' ', "")
}
