//! What was used and when: the material of every forecast.

use std::ops::Range;
use std::time::Duration;

use crate::core::Timestamp;

/// Older use says little about tomorrow; a forecast looks no further back.
pub(crate) const KEPT: Duration = Duration::from_hours(60 * 24);

/// The same in seconds.
pub(super) const OLDEST: f64 = KEPT.as_secs() as f64;

/// No single use is believed beyond this.
const MOST: u64 = 1_000_000_000_000;

/// Tokens that were used at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) at: Timestamp,
    pub(crate) tokens: u64,
}

/// All use of one tank, in order of time. Seconds are counted from 1970, as `f64`: milliseconds
/// stay exact.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// When each use was.
    pub(super) at: Vec<f64>,
    /// Tokens before each use, and after the last one.
    sums: Vec<f64>,
    /// When the tank was closed: nothing could be used, whatever was wanted.
    closed: Vec<Range<f64>>,
}

/// One stretch of a window that begins with the first use after the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Instance {
    pub(crate) starts: f64,
    pub(crate) ends: f64,
    /// Tokens used in it, as far as the history goes.
    pub(crate) total: f64,
}

pub(super) fn seconds(at: Timestamp) -> f64 {
    at.millis() as f64 / 1000.0
}

impl History {
    /// `closed`: from when until when the provider let nothing through.
    pub(crate) fn new(mut uses: Vec<Use>, closed: &[(Timestamp, Timestamp)]) -> Self {
        uses.retain(|u| u.tokens > 0);
        uses.sort_by_key(|u| u.at);
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for u in &uses {
            sum += u.tokens.min(MOST) as f64;
            sums.push(sum);
        }
        Self {
            at: uses.iter().map(|u| seconds(u.at)).collect(),
            sums,
            closed: merged(closed),
        }
    }

    /// How many uses there were up to `t`.
    pub(super) fn count(&self, t: f64) -> usize {
        self.at.partition_point(|at| *at <= t)
    }

    /// Tokens used up to `t`.
    pub(super) fn until(&self, t: f64) -> f64 {
        self.sum(self.count(t))
    }

    /// How many uses there were before `t`.
    pub(super) fn count_before(&self, t: f64) -> usize {
        self.at.partition_point(|at| *at < t)
    }

    /// Tokens used before `t`.
    pub(super) fn before(&self, t: f64) -> f64 {
        self.sum(self.count_before(t))
    }

    /// Tokens of the first `n` uses.
    pub(super) fn sum(&self, n: usize) -> f64 {
        self.sums.get(n).copied().unwrap_or(0.0)
    }

    pub(super) fn first(&self) -> Option<f64> {
        self.at.first().copied()
    }

    pub(crate) fn last(&self) -> Option<f64> {
        self.at.last().copied()
    }

    /// Whether the tank was closed for a tenth of the stretch or more: its use says nothing
    /// about what was wanted.
    pub(super) fn was_closed(&self, from: f64, to: f64) -> bool {
        let first = self.closed.partition_point(|c| c.end <= from);
        let shut = self.closed[first..]
            .iter()
            .take_while(|c| c.start < to)
            .map(|c| c.end.min(to) - c.start.max(from));
        shut.sum::<f64>() >= (to - from).max(1.0) / 10.0
    }

    /// The stretches of an anchored window of `length` seconds, in order; the last one may not
    /// be over.
    pub(crate) fn instances(&self, length: f64) -> Vec<Instance> {
        let mut all = Vec::new();
        let mut next = 0;
        while let Some(&starts) = self.at.get(next) {
            let ends = starts + length;
            // A use at the very end belongs to the next stretch.
            let end = self.at.partition_point(|at| *at < ends).max(next + 1);
            all.push(Instance {
                starts,
                ends,
                total: self.sum(end) - self.sum(next),
            });
            next = end;
        }
        all
    }
}

/// In order, and none touching the next.
fn merged(closed: &[(Timestamp, Timestamp)]) -> Vec<Range<f64>> {
    let mut closed: Vec<_> = closed.iter().filter(|(from, to)| from < to).collect();
    closed.sort();
    let mut merged: Vec<Range<f64>> = Vec::new();
    for (from, to) in closed {
        let (from, to) = (seconds(*from), seconds(*to));
        match merged.last_mut() {
            Some(last) if from <= last.end => last.end = last.end.max(to),
            Some(_) | None => merged.push(from..to),
        }
    }
    merged
}

/// Saturday or Sunday, UTC.
pub(super) fn is_weekend(t: f64) -> bool {
    // The first day of 1970 was a Thursday.
    ((t / 86_400.0).floor() as i64 + 3).rem_euclid(7) >= 5
}

/// Distance of two times of day, in hours, 0 to 12.
pub(super) fn hours_apart(seconds: f64) -> f64 {
    let hours = (seconds / 3600.0).rem_euclid(24.0);
    hours.min(24.0 - hours)
}
