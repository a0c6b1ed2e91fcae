//! The forecast from bursts: use comes in bursts of work, so the rest of the one that runs is
//! drawn from those that lasted as long, and new ones begin as often as at this time of day and
//! week in the past, each as large as one of the past.

use super::history::{History, OLDEST, hours_apart, is_weekend};
use super::spread::Spread;
use crate::core::dice::Dice;

/// Uses closer than this, in seconds, are one burst.
const GAP: f64 = 150.0;
/// Futures that are drawn, and bursts drawn in all of them: long horizons average out and need
/// fewer futures.
const DRAWS: usize = 400;
const FEWEST_DRAWS: usize = 100;
const BURSTS_DRAWN: f64 = 40_000.0;
/// Half hours of a day.
const SLOTS: usize = 48;
const SLOT: f64 = 1800.0;

const DAY: f64 = 86_400.0;
/// How often bursts begin is forgotten to 1/e in so many days ...
const RATE_MEMORY: f64 = 6.0;
/// ... and how large they are in so many.
const SIZE_MEMORY: f64 = 60.0;
/// Width of the time of day, in hours.
const HOURS: f64 = 1.3;
/// Weight of working days for days off, and the other way round.
const OTHER_DAY: f64 = 0.15;
/// Slots of the mean rate that each slot is shrunk with.
const SHRINK: f64 = 2.0;
/// Spread of the level of the future, as a logarithm: no day is like the mean.
const LEVEL: f64 = 0.25;
/// Spread of the size of a burst around the one it is drawn from, as a logarithm.
const SIZE: f64 = 0.3;
/// With fewer bursts in the past there is nothing to draw from.
const FEWEST: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Burst {
    starts: f64,
    ends: f64,
    /// Its uses, as numbers in the history.
    from: usize,
    to: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Bursts {
    all: Vec<Burst>,
    /// Weights of other half hours, by their distance.
    near: [f64; SLOTS],
}

/// What may follow after the elapsed part of a burst that runs: the past one and how far in.
struct Running {
    bursts: Vec<(Burst, f64)>,
    steps: Vec<f64>,
}

impl Bursts {
    pub(super) fn new(history: &History) -> Self {
        let mut all: Vec<Burst> = Vec::new();
        for (i, &at) in history.at.iter().enumerate() {
            match all.last_mut() {
                Some(b) if at - b.ends <= GAP => (b.ends, b.to) = (at, i + 1),
                Some(_) | None => all.push(Burst {
                    starts: at,
                    ends: at,
                    from: i,
                    to: i + 1,
                }),
            }
        }
        let near = std::array::from_fn(|i| {
            let far = hours_apart(i as f64 * SLOT) / HOURS;
            (-far * far / 2.0).exp()
        });
        Self { all, near }
    }

    /// What will be used from `now` on for `horizon` seconds; `None` where too little is known.
    pub(super) fn ahead(&self, history: &History, now: f64, horizon: f64) -> Option<Spread> {
        // Only a burst that has been silent for the gap is known to be over.
        let over = self.all.partition_point(|b| b.ends + GAP <= now);
        let begun = self.all.partition_point(|b| b.starts <= now);
        let oldest = self.all.partition_point(|b| b.starts < now - OLDEST);
        let past = &self.all[oldest.min(over)..over];
        if past.len() < FEWEST {
            return None;
        }
        let (starts, seen) = self.starts(history, &self.all[oldest..begun], now, horizon);
        let expected = *starts.last()?;
        let sizes = steps(past.iter().map(|b| weight(now - b.starts, SIZE_MEMORY)));
        let running = (begun > over).then(|| running(past, now, now - self.all[begun - 1].starts));

        let draws = (BURSTS_DRAWN / expected.max(1.0)) as usize;
        let mut dice = Dice::new(1);
        let mut futures: Vec<f64> = (0..draws.clamp(FEWEST_DRAWS, DRAWS))
            .map(|_| {
                let level = (LEVEL * dice.normal() - LEVEL * LEVEL / 2.0).exp();
                let known = (1.0 + dice.normal() / seen.sqrt().max(1.0)).max(0.1);
                let mut tokens = running.as_ref().map_or(0.0, |r| {
                    dice.pick(&r.steps).map_or(0.0, |i| {
                        let (burst, elapsed) = r.bursts[i];
                        burst.tokens(history, elapsed, elapsed + horizon)
                    })
                });
                for _ in 0..dice.poisson(expected * level * known) {
                    let (Some(slot), Some(like)) = (dice.pick(&starts), dice.pick(&sizes)) else {
                        continue;
                    };
                    let left = horizon - (slot as f64 + dice.unit()) * SLOT;
                    if left > 0.0 {
                        let size = (SIZE * dice.normal() - SIZE * SIZE / 2.0).exp();
                        tokens += past[like].tokens(history, -1.0, left) * size;
                    }
                }
                tokens
            })
            .collect();
        Spread::of(&mut futures)
    }

    /// Rising sums of the bursts expected to begin in each half hour from `now` on, and how
    /// many beginnings that rests on.
    fn starts(
        &self,
        history: &History,
        begun: &[Burst],
        now: f64,
        horizon: f64,
    ) -> (Vec<f64>, f64) {
        let mut seen = [[0.0; SLOTS]; 2];
        let mut lasted = [[0.0; SLOTS]; 2];
        for b in begun {
            seen[usize::from(is_weekend(b.starts))][slot_of(b.starts)] +=
                weight(now - b.starts, RATE_MEMORY);
        }
        let first = history.first().unwrap_or(now).max(now - OLDEST);
        let mut at = (first / SLOT).floor() * SLOT;
        while at < now {
            if !history.was_closed(at, at + SLOT) {
                lasted[usize::from(is_weekend(at))][slot_of(at)] +=
                    weight(now - at, RATE_MEMORY) * ((now - at) / SLOT).min(1.0);
            }
            at += SLOT;
        }
        let all_seen: f64 = seen.iter().flatten().sum();
        let all_lasted: f64 = lasted.iter().flatten().sum();
        let mean = all_seen / all_lasted.max(1.0);
        let smooth = |of: &[[f64; SLOTS]; 2], off: bool, slot: usize| -> f64 {
            (0..SLOTS)
                .map(|j| {
                    let same = of[usize::from(off)][j];
                    let other = of[usize::from(!off)][j];
                    self.near[slot.abs_diff(j)] * (same + OTHER_DAY * other)
                })
                .sum()
        };
        let mut rates = [[None; SLOTS]; 2];
        let count = (horizon / SLOT).ceil().max(1.0) as usize;
        let expected = steps((0..count).map(|i| {
            let at = now + i as f64 * SLOT;
            let part = ((now + horizon - at) / SLOT).clamp(0.0, 1.0);
            let (off, slot) = (is_weekend(at + SLOT / 2.0), slot_of(at + SLOT / 2.0));
            let rate: &mut Option<f64> = &mut rates[usize::from(off)][slot];
            part * *rate.get_or_insert_with(|| {
                (smooth(&seen, off, slot) + SHRINK * mean) / (smooth(&lasted, off, slot) + SHRINK)
            })
        }));
        (expected, all_seen)
    }
}

/// Past bursts that were still going after `elapsed` seconds; where hardly any was, any past
/// burst at its middle, the longer the likelier.
fn running(past: &[Burst], now: f64, elapsed: f64) -> Running {
    let lasting: Vec<(Burst, f64)> = past
        .iter()
        .filter(|b| b.ends - b.starts + GAP >= elapsed)
        .map(|b| (*b, elapsed))
        .collect();
    let age = |b: &Burst| weight(now - b.starts, SIZE_MEMORY);
    if lasting.len() >= 4 {
        let steps = steps(lasting.iter().map(|(b, _)| age(b)));
        return Running {
            bursts: lasting,
            steps,
        };
    }
    let length = |b: &Burst| b.ends - b.starts;
    Running {
        steps: steps(past.iter().map(|b| age(b) * length(b))),
        bursts: past
            .iter()
            .map(|b| (*b, elapsed.min(length(b) / 2.0)))
            .collect(),
    }
}

impl Burst {
    /// Tokens used later than `after` and not later than `until`, seconds from its start.
    fn tokens(&self, history: &History, after: f64, until: f64) -> f64 {
        let uses = &history.at[self.from..self.to];
        let to = |s: f64| self.from + uses.partition_point(|at| *at - self.starts <= s);
        (history.sum(to(until)) - history.sum(to(after))).max(0.0)
    }
}

fn slot_of(at: f64) -> usize {
    (at.rem_euclid(DAY) / SLOT) as usize % SLOTS
}

fn weight(age: f64, memory: f64) -> f64 {
    (-age / DAY / memory).exp()
}

/// Rising sums.
fn steps(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    weights
        .scan(0.0, |sum, w| {
            *sum += w;
            Some(*sum)
        })
        .collect()
}
