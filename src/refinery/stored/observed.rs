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
    let said = o.used_fraction.is_some() || o.remaining_amount.is_some();
    let level = said.then_some(Level {
        share: o.used_fraction,
        remaining: o.remaining_amount,
        at: o.observed_at,
        began_at,
    });
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
    let fresh = is_fresh_stretch(&row, o);
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
        resets_at: o.resets_at.or(row.resets_at.filter(|_| !fresh)),
        // A request from before the wall knows nothing about it.
        closed: row.closed.filter(|c| !(reopens && began_at > c.at)),
        learned,
        source: o.source.clone(),
        observed_at: o.observed_at,
        ..row
    }
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
    let slack = row
        .key
        .duration
        .or(o.duration)
        .map_or(Duration::from_mins(10), |d| d / 2);
    match o.resets_at {
        Some(new) => new > old + slack,
        None => old <= o.observed_at,
    }
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
