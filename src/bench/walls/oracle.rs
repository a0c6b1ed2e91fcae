//! The oracle knows every request to come: of the runs under way and of the one that is asked
//! for. It lets a run through whenever none of them would be refused. It takes the same beads in
//! the same order and chooses among providers as rigs does, but it looks further ahead.

use std::time::Duration;

use super::demand::Bead;
use super::month::Run;
use super::truth::{Limit, Provider};
use crate::config::LimitKind;
use crate::core::Timestamp;
use crate::dispatch::Room;

/// Beyond this no run lasts that matters to the quick answer.
const HORIZON: Duration = Duration::from_hours(12);
/// Most runs are over within this.
const QUICK: Duration = Duration::from_hours(1);

/// What is certain to come at one provider.
pub(super) struct Ahead {
    /// The requests still to come of all its runs, in order of time.
    coming: Vec<(Timestamp, u64)>,
    /// Of each limit: how full it will be from then on, without a further run.
    levels: Vec<Vec<(Timestamp, u64)>>,
    /// No run fits that has more tokens than this and is over by then.
    most: [(u64, Timestamp); 2],
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            coming: Vec::new(),
            levels: Vec::new(),
            most: [(u64::MAX, Timestamp::from_millis(0)); 2],
        }
    }
}

impl Ahead {
    pub(super) fn of<'a>(
        provider: &Provider,
        runs: impl Iterator<Item = &'a Run>,
        beads: &[Bead],
        now: Timestamp,
    ) -> Self {
        let mut coming: Vec<(Timestamp, u64)> = runs
            .flat_map(|run| {
                let rest = &beads[run.bead].truth[run.requests..];
                rest.iter()
                    .map(|(after, tokens)| (run.began_at + *after, *tokens))
            })
            .collect();
        coming.sort();
        let limits = provider.limits.iter();
        let levels: Vec<_> = limits.map(|l| levels_of(l, &coming, now)).collect();
        let most = |i: usize| {
            let (limit, levels) = (&provider.limits[i], &levels[i]);
            let end = limit.start.map(|start| start + limit.length);
            // Of a rolling sum: whatever is over by then, and nearly every run is.
            let by = end.unwrap_or(now + QUICK);
            let before = |(at, _): &&(Timestamp, u64)| *at < by;
            let known = levels.iter().filter(before).map(|(_, level)| *level);
            let level = match (limit.kind, end) {
                (LimitKind::Rolling, _) => known.min(),
                (_, Some(_)) => known.max(),
                (_, None) => None,
            };
            let free = limit.amount.saturating_sub(level.unwrap_or(0));
            (free, by)
        };
        Self {
            most: [most(0), most(1)],
            coming,
            levels,
        }
    }

    /// Quickly, for most of those that wait.
    pub(super) fn rules_out(&self, bead: &Bead, now: Timestamp) -> bool {
        let over = now + bead.really_lasts;
        let mut most = self.most.iter();
        most.any(|(free, by)| bead.tokens > *free && over < *by)
    }
}

fn levels_of(limit: &Limit, coming: &[(Timestamp, u64)], now: Timestamp) -> Vec<(Timestamp, u64)> {
    let falls = limit.uses.iter().map(|(at, n)| (*at + limit.length, 0, *n));
    let mut moves: Vec<(Timestamp, u64, u64)> = falls
        .take_while(|(at, ..)| *at <= now + HORIZON)
        .chain(coming.iter().map(|(at, n)| (*at, limit.cost(*n), 0)))
        .collect();
    moves.sort();
    let mut level = limit.used;
    let after = moves.into_iter().map(|(at, more, less)| {
        level = level + more - less;
        (at, level)
    });
    std::iter::once((now, limit.used)).chain(after).collect()
}

pub(super) fn room(provider: &Provider, ahead: &Ahead, bead: &Bead, now: Timestamp) -> Room {
    let busy = || Room::Busy {
        reason: "it would not fit now".into(),
    };
    let last = now
        + bead
            .truth
            .last()
            .map_or(Duration::ZERO, |(after, _)| *after);
    for (limit, levels) in provider.limits.iter().zip(&ahead.levels) {
        let end = limit.start.map(|start| start + limit.length);
        if end.is_some_and(|end| last >= end) || last > now + HORIZON {
            continue;
        }
        // At its last request all of its own tokens are in the window, or none of a minute's.
        let own = if limit.length > last.since(now) {
            bead.truth.iter().map(|(_, n)| limit.cost(*n)).sum()
        } else {
            0
        };
        let until_then = levels.partition_point(|(at, _)| *at <= last);
        if levels[until_then - 1].1 + own > limit.amount {
            return match end {
                Some(until) => Room::Closed {
                    window: String::new(),
                    until,
                    reason: "it would not fit".into(),
                },
                None => busy(),
            };
        }
    }
    let own: Vec<(Timestamp, u64)> = bead
        .truth
        .iter()
        .map(|(after, tokens)| (now + *after, *tokens))
        .collect();
    if provider.limits.iter().all(|l| fits(l, &ahead.coming, &own)) {
        Room::Yes
    } else {
        busy()
    }
}

/// Whether every request fits when its time has come.
fn fits(limit: &Limit, coming: &[(Timestamp, u64)], own: &[(Timestamp, u64)]) -> bool {
    let (mut a, mut b) = (coming.iter().peekable(), own.iter().peekable());
    // Of a rolling sum: how many of the uses that were there before, and of those to come, have
    // fallen out by now.
    let (mut old, mut new) = (0, 0);
    let (mut start, mut used) = (limit.start, limit.used);
    let mut taken: Vec<(Timestamp, u64)> = Vec::with_capacity(coming.len() + own.len());
    loop {
        let next = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x <= y => a.next(),
            (Some(_), None) => a.next(),
            (_, Some(_)) => b.next(),
            (None, None) => return true,
        };
        let Some((at, tokens)) = next.copied() else {
            return true;
        };
        let is_out = |(t, _): &&(Timestamp, u64)| *t + limit.length <= at;
        if limit.kind == LimitKind::Rolling {
            while let Some((_, n)) = limit.uses.get(old).filter(is_out) {
                used -= n;
                old += 1;
            }
            while let Some((_, n)) = taken.get(new).filter(is_out) {
                used -= n;
                new += 1;
            }
        } else if start.is_none_or(|start| start + limit.length <= at) {
            (start, used) = (Some(at), 0);
        }
        let amount = limit.cost(tokens);
        used += amount;
        taken.push((at, amount));
        if used > limit.amount {
            return false;
        }
    }
}
