//! What one provider has room for, as the planner sees it.

use std::time::Duration;

use super::WhatIf;
use super::what_if::Change;
use crate::config::LimitUnit;
use crate::core::{LimitKind, ProviderName, Timestamp};
use crate::dispatch::plan::{Lane, Window};
use crate::refinery::{Tank, TankWindow};

/// Tokens in a minute of a provider of which nobody has seen a run end.
pub(crate) const GUESSED_PACE: f64 = 10_000.0;

/// A provider as it goes into a board.
#[derive(Debug, Clone)]
pub(crate) struct LaneOf<'a> {
    pub(crate) provider: ProviderName,
    pub(crate) tank: Option<&'a Tank>,
    /// Runs at once, by its settings.
    pub(crate) slots: u32,
    /// The model that its windows are asked for.
    pub(crate) model: Option<&'a str>,
    /// Tokens in a minute, as far as runs have shown.
    pub(crate) pace: Option<f64>,
    /// Nothing before, whatever its windows say.
    pub(crate) closed_until: Option<Timestamp>,
    pub(crate) what_if: Option<&'a WhatIf>,
}

/// Holds everything.
const ENDLESS: u64 = u64::MAX / 4;

/// The lane, and the names of its windows.
pub(super) fn lane(of: &LaneOf<'_>, now: Timestamp) -> (Lane, Vec<String>) {
    let mut slots = of.slots;
    let mut per_minute: Option<u32> = None;
    let (mut windows, mut names) = (Vec::new(), Vec::new());
    let (times, slots_instead) = match of.what_if.map(|w| w.change) {
        Some(Change::Times(times)) => (times, None),
        Some(Change::Slots(n)) => (1.0, Some(n)),
        Some(Change::Off) => (1.0, Some(0)),
        None => (1.0, None),
    };
    if let Some(until) = of.closed_until.filter(|until| *until > now) {
        windows.push(shut(until));
        names.push("pause".to_owned());
    }
    let tank_windows = of.tank.into_iter().flat_map(|t| &t.windows);
    for w in tank_windows.filter(|w| w.covers(of.model)) {
        if w.is_cautious {
            slots = slots.min(1);
        }
        let refused = w.blocks_until.filter(|_| w.is_rejected);
        if let Some(until) = w.closed_until.max(refused).filter(|until| *until > now) {
            windows.push(shut(until));
            names.push(w.name.clone());
        }
        let Some(limit) = w.limit.filter(|l| *l > 0) else {
            continue;
        };
        if w.unit == LimitUnit::Requests && is_minute(w) {
            let n = (limit as f64 * times).clamp(1.0, 1e6) as u32;
            per_minute = Some(per_minute.map_or(n, |p| p.min(n)));
        }
        let kept = of.tank.map_or(0.0, |t| t.reserve);
        let falls = of.tank.map_or(&[][..], |t| &t.reserve_falls);
        let Some(window) = tokens(w, limit, times * (1.0 - kept.clamp(0.0, 1.0)), now) else {
            continue;
        };
        // Where nothing is left but what is kept for the person, the first hour at which less is
        // kept is waited for, and that much is there then.
        let is_spent = window.until > now.millis() && window.used >= window.limit;
        let fall = falls.last().filter(|_| is_spent || window.limit <= 1);
        match fall {
            Some((_, share)) => {
                let first = falls.first().map_or(now, |(at, _)| *at);
                let more = tokens(w, limit, times * (1.0 - share.clamp(0.0, 1.0)), now);
                windows.push(shut(first));
                names.push(w.name.clone());
                windows.push(more.unwrap_or(window));
            }
            None => windows.push(window),
        }
        names.push(w.name.clone());
    }
    let lane = Lane {
        slots: slots_instead.unwrap_or(slots),
        per_minute,
        windows,
        recent: Vec::new(),
    };
    (lane, names)
}

/// Nothing until then; afterwards it is no limit.
fn shut(until: Timestamp) -> Window {
    Window {
        length_ms: 1,
        limit: ENDLESS,
        until: until.millis(),
        used: ENDLESS,
    }
}

fn is_minute(w: &TankWindow) -> bool {
    w.key.duration == Some(Duration::from_mins(1))
}

/// A window that is counted in tokens; the planner knows one kind, which comes near the others.
fn tokens(w: &TankWindow, limit: u64, share: f64, now: Timestamp) -> Option<Window> {
    let counts_tokens = match w.unit {
        LimitUnit::Tokens
        | LimitUnit::InputTokens
        | LimitUnit::OutputTokens
        | LimitUnit::AllTokens => true,
        LimitUnit::Percent => w.kind == LimitKind::Percent,
        LimitUnit::Requests | LimitUnit::MicroUsd | LimitUnit::Runs => false,
    };
    let length = w.key.duration.or(match w.kind {
        LimitKind::Calendar => Some(Duration::from_hours(24)),
        LimitKind::Refill
        | LimitKind::Anchored
        | LimitKind::Rolling
        | LimitKind::Concurrency
        | LimitKind::Balance
        | LimitKind::Percent => None,
    })?;
    if !counts_tokens {
        return None;
    }
    let length_ms = i64::try_from(length.as_millis()).ok()?.max(1);
    let used = match (w.used, w.share) {
        (Some(used), _) => used,
        (None, Some(share)) => (share.clamp(0.0, 10.0) * limit as f64) as u64,
        (None, None) => 0,
    };
    let used = used.saturating_add(w.reserved);
    let until = match w.resets_at {
        Some(at) => at.millis(),
        // Nobody said: as if it had begun now.
        None if used > 0 => now.millis().saturating_add(length_ms),
        None => i64::MIN,
    };
    Some(Window {
        length_ms,
        limit: ((limit as f64 * share) as u64).max(1),
        until,
        used: if until > now.millis() { used } else { 0 },
    })
}
