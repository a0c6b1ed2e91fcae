//! What one observation of its provider makes of a window.

use std::time::Duration;

use super::{ESTIMATE, Key, Level, Stored};
use crate::config::{LimitKind, LimitUnit};
use crate::core::{ProviderName, Timestamp};
use crate::provider::{Observation, WindowStatus};
use crate::refinery::learn::Learned;

pub(super) fn observed(
    row: Option<Stored>,
    provider: &ProviderName,
    o: &Observation,
    began_at: Timestamp,
    tokens: u64,
) -> Stored {
    let level = said(o, began_at);
    let teaches = o.source != ESTIMATE;
    let Some(row) = row else {
        let (kind, unit) = kind_of(o);
        let learned = o
            .used_fraction
            .filter(|_| kind == LimitKind::Percent && teaches)
            .map(|share| Learned::starting(share, o.observed_at));
        let key = Key {
            scope: o.scope.clone(),
            limit_id: o.limit_id.clone(),
            duration: o.duration,
        };
        return Stored {
            kind,
            unit,
            limit: stated_limit(kind, None, o),
            level,
            status: o.status,
            resets_at: o.resets_at,
            learned,
            source: o.source.clone(),
            ..Stored::unheard(provider, &key, o.observed_at)
        };
    };
    let not_yet = is_not_yet_reset(&row, o);
    let fresh = !not_yet && is_fresh_stretch(&row, o);
    let fell = match (
        o.used_fraction,
        row.level.filter(|_| !fresh).and_then(|l| l.share),
    ) {
        (Some(new), Some(old)) => new + 0.05 < old,
        (Some(_) | None, _) => false,
    };
    let said_open = matches!(
        o.status,
        Some(WindowStatus::Allowed | WindowStatus::Warning)
    );
    let reopens = said_open || fell || fresh;
    let learned = match (o.used_fraction.filter(|_| teaches), row.learned) {
        (Some(share), Some(l)) => Some(l.observe(share, o.observed_at, tokens, fresh)),
        (Some(share), None) if row.kind == LimitKind::Percent => {
            Some(Learned::starting(share, o.observed_at))
        }
        (Some(_) | None, learned) => learned,
    };
    let kind = o.kind.unwrap_or(row.kind);
    Stored {
        limit: stated_limit(kind, row.level, o).or(row.limit),
        key: Key {
            duration: o.duration.or(row.key.duration),
            ..row.key
        },
        kind,
        unit: o.unit.unwrap_or(row.unit),
        level: level.or(row.level.filter(|_| !fresh)),
        status: o.status,
        resets_at: if not_yet {
            Some(o.observed_at + SKEW)
        } else {
            // A level that fell before its reset: that reset is not to come any more.
            o.resets_at.or(row.resets_at.filter(|_| !fresh && !fell))
        },
        // A request from before the wall knows nothing about it.
        closed: row.closed.filter(|c| !(reopens && began_at > c.at)),
        learned,
        source: o.source.clone(),
        observed_at: o.observed_at,
        ..row
    }
}

/// A level that the provider said before what is known already, and that is heard only now: it
/// still says how full the stretch was, where the newer word did not.
pub(super) fn late(row: Stored, o: &Observation, began_at: Timestamp) -> Stored {
    let Some(level) = said(o, began_at) else {
        return row;
    };
    let is_newer = match row.level {
        Some(known) => known.at < level.at,
        None => row.status.is_some(),
    };
    let same_stretch = match (o.resets_at, row.resets_at) {
        (Some(then), Some(now)) => then.since(now).max(now.since(then)) <= slack(&row, o),
        (Some(then), None) => then > row.observed_at,
        (None, Some(now)) => row
            .key
            .duration
            .is_some_and(|d| now.minus(d) <= o.observed_at),
        (None, None) => false,
    };
    let is_after_the_wall = row.closed.is_none_or(|c| c.at < o.observed_at);
    Stored {
        level: if is_newer && same_stretch && is_after_the_wall {
            Some(level)
        } else {
            row.level
        },
        ..row
    }
}

fn said(o: &Observation, began_at: Timestamp) -> Option<Level> {
    (o.used_fraction.is_some() || o.remaining_amount.is_some()).then_some(Level {
        share: o.used_fraction,
        remaining: o.remaining_amount,
        at: o.observed_at,
        began_at,
    })
}

/// Its reset should be over by our clock, and yet the share went on rising: the clocks differ, or
/// the provider is late. For so long it is taken at its word.
const SKEW: Duration = Duration::from_mins(2);

fn is_not_yet_reset(row: &Stored, o: &Observation) -> bool {
    let (
        Some(reset),
        Some(share),
        Some(Level {
            share: Some(old), ..
        }),
    ) = (row.resets_at, o.used_fraction, row.level)
    else {
        return false;
    };
    let is_stated_anew = o.resets_at.is_some_and(|new| new > o.observed_at);
    let is_near = o.observed_at.since(reset) <= Duration::from_mins(10);
    reset <= o.observed_at && is_near && !is_stated_anew && old > 0.05 && share >= old
}

/// The size that an observation tells. No provider knows that of a percent window in tokens. The
/// whole of a balance is what was there when it last rose.
fn stated_limit(kind: LimitKind, before: Option<Level>, o: &Observation) -> Option<u64> {
    let rose = |now: &u64| {
        before
            .and_then(|l| l.remaining)
            .is_none_or(|old| old < *now)
    };
    match kind {
        LimitKind::Percent => None,
        LimitKind::Balance => o.limit_amount.or(o.remaining_amount.filter(rose)),
        LimitKind::Refill
        | LimitKind::Anchored
        | LimitKind::Rolling
        | LimitKind::Calendar
        | LimitKind::Concurrency => o.limit_amount,
    }
}

/// Whether the window has begun anew since the row was written. A reset that moved by no more
/// than half the window is the same stretch told less precisely.
fn is_fresh_stretch(row: &Stored, o: &Observation) -> bool {
    let Some(old) = row.resets_at else {
        return row
            .key
            .duration
            .is_some_and(|d| row.observed_at + d <= o.observed_at);
    };
    match o.resets_at {
        Some(new) => new > old + slack(row, o),
        None => old <= o.observed_at,
    }
}

/// By how much two statements of one reset may differ.
fn slack(row: &Stored, o: &Observation) -> Duration {
    let length = row.key.duration.or(o.duration);
    length.map_or(Duration::from_mins(10), |d| d / 2)
}

/// What a window is of which only the provider has spoken.
fn kind_of(o: &Observation) -> (LimitKind, LimitUnit) {
    let has_amounts = o.limit_amount.is_some() || o.remaining_amount.is_some();
    let kind = o.kind.unwrap_or(if has_amounts {
        LimitKind::Anchored
    } else {
        LimitKind::Percent
    });
    let id = o.limit_id.to_ascii_lowercase();
    let named = || match kind {
        LimitKind::Percent => LimitUnit::Percent,
        LimitKind::Balance => LimitUnit::MicroUsd,
        LimitKind::Concurrency => LimitUnit::Runs,
        LimitKind::Refill | LimitKind::Anchored | LimitKind::Rolling | LimitKind::Calendar => {
            if id.contains("request") {
                LimitUnit::Requests
            } else if id.contains("input") {
                LimitUnit::InputTokens
            } else if id.contains("output") {
                LimitUnit::OutputTokens
            } else {
                LimitUnit::Tokens
            }
        }
    };
    (kind, o.unit.unwrap_or_else(named))
}
