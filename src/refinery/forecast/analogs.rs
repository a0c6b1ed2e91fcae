//! The forecast from like moments: what was used in as long a stretch after each earlier moment
//! that was like this one.
//!
//! A moment is like this one by its age, its time of day, whether it was a working day, and how
//! much had been used in the 15 minutes and the 2 hours before it. Every stretch keeps its own
//! bursts and silences: this is a block bootstrap whose blocks are as long as the horizon, with
//! weights instead of draws.

use super::history::{History, OLDEST, hours_apart, is_weekend};
use super::spread::{Spread, Weighted};

/// Moments of the past lie this far apart, in seconds.
const STEP: f64 = 1200.0;

const DAY: f64 = 86_400.0;
/// Weights fall to 1/e in so many days.
const MEMORY: f64 = 12.0;
/// Width of the time of day, in hours.
const HOURS: f64 = 2.5;
/// Widths of what was used lately, as logarithms.
const LATELY: f64 = 1.0;
const BEFORE: f64 = 1.2;
/// Weight of a working day for a day off, and the other way round.
const OTHER_DAY: f64 = 0.2;
/// How far a stretch follows a change of the general level: 0 not at all, 1 wholly.
const FOLLOWS: f64 = 0.3;
/// The level forgets to 1/e in so many days.
const LEVEL_MEMORY: f64 = 4.0;
/// A weight of e^-14 is none.
const NOTHING: f64 = 14.0;

#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Tokens used until then.
    until: f64,
    /// Tokens used in the 15 minutes, and in the 2 hours, before it.
    lately: f64,
    before: f64,
    /// Tokens per second of the last days.
    level: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Analogs {
    first: f64,
    moments: Vec<Moment>,
}

impl Analogs {
    /// Moments up to `end` are looked at.
    pub(super) fn new(history: &History, end: f64) -> Self {
        let Some(first) = history.first().filter(|first| *first <= end) else {
            return Self {
                first: 0.0,
                moments: Vec::new(),
            };
        };
        let keeps = (-STEP / DAY / LEVEL_MEMORY).exp();
        let (mut tokens, mut seconds) = (0.0, 0.0);
        let mut earlier = history.sum(0);
        let moments = (0..=((end - first) / STEP) as usize)
            .map(|i| {
                let at = first + i as f64 * STEP;
                let until = history.until(at);
                if i > 0 {
                    tokens = tokens * keeps + until - earlier;
                    seconds = seconds * keeps + STEP;
                }
                earlier = until;
                // A day's worth of the mean of all time keeps a quiet or a wild start in bounds.
                let mean = until / (at - first).max(DAY);
                Moment {
                    until,
                    lately: until - history.until(at - 900.0),
                    before: until - history.until(at - 7200.0),
                    level: ((tokens + DAY * mean) / (seconds + DAY)).max(1e-3),
                }
            })
            .collect();
        Self { first, moments }
    }

    /// What will be used from `now` on for `horizon` seconds; `None` where the past has no
    /// stretch of that length.
    pub(super) fn ahead(&self, history: &History, now: f64, horizon: f64) -> Option<Spread> {
        let spread = horizon / 3600.0;
        // What happens now matters less, the further one looks.
        let wider = 1.0 + spread / 10.0;
        let hours = HOURS * (1.0 + spread / 12.0);
        let so_far = history.count(now);
        // Amounts are seen against the mean use, so that the same shape in other units of
        // work is the same forecast.
        let scale = (history.sum(so_far) / so_far.max(1) as f64).max(1.0);
        let log = |tokens: f64, uses: f64| (tokens / (scale * uses)).ln_1p();
        let until = history.sum(so_far);
        let lately = log(until - history.until(now - 900.0), 1.0);
        let before = log(until - history.until(now - 7200.0), 4.0);
        let is_off = is_weekend(now);
        let known = ((now - self.first) / STEP).max(0.0) as usize;
        let level = self
            .moments
            .get(known.min(self.moments.len().checked_sub(1)?))?;
        let level = level.level;

        let mut stretches: Vec<Weighted> = Vec::new();
        let oldest = ((now - OLDEST - self.first) / STEP).max(0.0) as usize;
        let mut end = history.count(self.first + oldest as f64 * STEP);
        for (i, m) in self.moments.iter().enumerate().skip(oldest) {
            let at = self.first + i as f64 * STEP;
            if at + horizon > now {
                break;
            }
            while history.at.get(end).is_some_and(|t| *t <= at + horizon) {
                end += 1;
            }
            let apart = hours_apart(now - at) / hours;
            let mut far = (now - at) / DAY / MEMORY + apart * apart / 2.0;
            if far > NOTHING {
                continue;
            }
            let a = (log(m.lately, 1.0) - lately) / (LATELY * wider);
            let b = (log(m.before, 4.0) - before) / (BEFORE * wider);
            far += f64::midpoint(a * a, b * b);
            if far > NOTHING || history.was_closed(at, at + horizon) {
                continue;
            }
            let kind = if horizon < DAY && is_weekend(at) != is_off {
                OTHER_DAY
            } else {
                1.0
            };
            let follows = (level / m.level).powf(FOLLOWS).clamp(0.3, 3.0);
            stretches.push(((history.sum(end) - m.until) * follows, kind * (-far).exp()));
        }
        if stretches.len() < 5 {
            return None;
        }
        Spread::weighted(&mut stretches)
    }
}
