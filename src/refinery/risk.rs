//! How much runs that are under way may still use together, and how much must be kept for them.
//!
//! What a run uses is taken as log-normal through the quantiles of its estimate. Sums are
//! described by their first three cumulants, which add up, and their quantiles are those of the
//! shifted log-normal with the same three: exact for one run, for amounts that are certain, and
//! for both together. Setting the upper quantile of every run aside by itself would waste: the
//! runs do not all go wrong at once.

use std::ops::{Add, AddAssign};
use std::time::Duration;

use super::frame::Amounts;
use crate::config::LimitUnit;
use crate::core::Estimate;

/// One run in so many may meet a limit by being let through. A wall stops all that run there, so
/// that the chance of a wall is kept below this share divided by their number.
const RISK: f64 = 1.0 / 250.0;
/// The margin above what is expected takes at most this share of a window. With one run alone a
/// wall costs nothing but the wait, and what is not used is lost: the share is smaller.
const MOST_MARGIN: f64 = 0.5;
const MOST_MARGIN_ALONE: f64 = 0.25;

/// Standard normal quantiles of 0.8 and 0.95.
const Z80: f64 = 0.8416;
const Z95: f64 = 1.6449;
/// How uneven the requests of one agent are, as the variance of a Poisson process is 1: they
/// follow each other.
const UNEVEN: f64 = 0.3;
/// Beyond this the log-normal says nothing any more: p95 at 27 times p50.
const MOST_SPREAD: f64 = 2.0;

/// What one run is expected to use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Expected {
    /// The p80 of the whole run.
    pub(crate) p80: Amounts,
    /// What of it is in the ledger.
    pub(crate) used: Amounts,
    /// Standard deviation of the natural logarithm; 0: exactly that much.
    pub(crate) spread: f64,
    /// How long it takes, about.
    pub(crate) lasts: Option<Duration>,
}

/// The standard deviation of the logarithm that neither of the upper quantiles lies beyond.
pub(crate) fn spread(estimate: &Estimate) -> f64 {
    if estimate.p50 == 0 {
        return 0.0;
    }
    let above = |quantile: u64, z: f64| (quantile as f64 / estimate.p50 as f64).ln() / z;
    let widest = above(estimate.p80, Z80).max(above(estimate.p95, Z95));
    sane(widest)
}

/// The p80 of a run whose p50 and spread are known.
pub(crate) fn p80(p50: u64, spread: f64) -> u64 {
    (p50 as f64 * (Z80 * sane(spread)).exp()).round() as u64
}

fn sane(spread: f64) -> f64 {
    // Below this the moments cancel out; a tenth of a percent is certain enough.
    if spread.is_finite() && spread > 1e-3 {
        spread.min(MOST_SPREAD)
    } else {
        0.0
    }
}

impl Expected {
    /// Neither more nor less than this, and nothing of it used yet.
    #[cfg(test)]
    pub(crate) fn exactly(amounts: Amounts) -> Self {
        Self {
            p80: amounts,
            ..Self::default()
        }
    }

    /// What it will still use within a window of this length. A window shorter than the run is
    /// never charged more than its share of the time.
    pub(crate) fn rest(&self, unit: LimitUnit, length: Option<Duration>) -> Load {
        if unit == LimitUnit::Runs {
            return Load::exactly(self.p80.runs.saturating_sub(self.used.runs) as f64, 1);
        }
        let whole = self.p80.of(unit) as f64;
        let share = match (length, self.lasts) {
            (Some(length), Some(lasts)) if length < lasts => {
                length.as_secs_f64() / lasts.as_secs_f64()
            }
            (Some(_) | None, _) => 1.0,
        };
        if share < 1.0 {
            let requests = self.p80.requests.max(1) as f64;
            return passing(whole, share, sane(self.spread), whole / requests);
        }
        still(whole, self.used.of(unit) as f64, sane(self.spread))
    }
}

/// What is left of a run of this p80 that has used so much and is not over: log-normal, given
/// that it exceeds what is used.
fn still(p80: f64, used: f64, spread: f64) -> Load {
    if spread == 0.0 || p80 <= 0.0 {
        return Load::exactly((p80 - used).max(0.0), 1);
    }
    let median = p80 / (Z80 * spread).exp();
    if used <= 0.0 {
        let moment = |n: f64| (n * median.ln() + (n * spread).powi(2) / 2.0).exp();
        return Load::of_moments([moment(1.0), moment(2.0), moment(3.0)], 0.0);
    }
    // Far out in the tail only the ratio to what is used matters.
    let far = 4.0;
    let at = ((used / median).ln() / spread).min(far);
    let median = used / (at * spread).exp();
    let left = upper_tail(at);
    let moment = |n: f64| {
        (n * median.ln() + (n * spread).powi(2) / 2.0).exp() * upper_tail(at - n * spread) / left
    };
    Load::of_moments([moment(1.0), moment(2.0), moment(3.0)], used)
}

/// What a run takes of a window that it outlasts. A longer run is one of more steps, not of
/// faster ones: half the spread is left for the pace. `step` is the amount of one request.
fn passing(p80: f64, share: f64, spread: f64, step: f64) -> Load {
    let median = p80 / (Z80 * spread).exp() * share;
    if spread == 0.0 {
        let steps = if step > 0.0 {
            (median / step).ceil()
        } else {
            0.0
        };
        return Load::exactly(steps * step, 1);
    }
    let variance = UNEVEN * median * step + (median * spread / 2.0).powi(2);
    Load {
        mean: median,
        variance,
        third: UNEVEN * median * step * step,
        runs: 1,
    }
}

/// What some runs use together: the first three cumulants of a sum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Load {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
    third: f64,
    pub(crate) runs: u64,
}

impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            mean: self.mean + other.mean,
            variance: self.variance + other.variance,
            third: self.third + other.third,
            runs: self.runs.saturating_add(other.runs),
        }
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Load {
    fn exactly(amount: f64, runs: u64) -> Self {
        Self {
            mean: amount,
            runs,
            ..Self::default()
        }
    }

    /// One run, by its raw moments; `less` of it is over.
    fn of_moments([first, second, third]: [f64; 3], less: f64) -> Self {
        Self {
            mean: (first - less).max(0.0),
            variance: (second - first * first).max(0.0),
            third: (third - 3.0 * first * second + 2.0 * first.powi(3)).max(0.0),
            runs: 1,
        }
    }

    /// What must be free in a window of `usable` for these runs to meet its limit as seldom as
    /// they may. Never below what is expected of them.
    pub(crate) fn need(&self, usable: u64) -> u64 {
        let runs = self.runs.max(1) as f64;
        let wanted = self.quantile(normal_quantile(RISK / runs));
        let most = if self.runs <= 1 {
            MOST_MARGIN_ALONE
        } else {
            MOST_MARGIN
        };
        let bounded = self.mean + most * usable as f64;
        let kept = if wanted > bounded {
            bounded.max(self.quantile(Z80))
        } else {
            wanted
        };
        whole(kept.max(self.mean))
    }

    /// What they will use at the least, with the same certainty.
    pub(crate) fn least(&self) -> u64 {
        let runs = self.runs.max(1) as f64;
        self.quantile(-normal_quantile(RISK / runs)).max(0.0) as u64
    }

    /// What they are expected to use.
    pub(crate) fn expected(&self) -> u64 {
        whole(self.mean)
    }

    /// At `z` standard deviations of a normal distribution. The shifted log-normal by its
    /// moments: Aitchison and Brown, The Lognormal Distribution (1957), section 2.6.
    fn quantile(&self, z: f64) -> f64 {
        if self.variance <= 0.0 {
            return self.mean;
        }
        let deviation = self.variance.sqrt();
        let skew = self.third / (self.variance * deviation);
        // A normal distribution; the roots below would cancel out.
        if skew < 1e-3 {
            return self.mean + deviation * z;
        }
        let half = skew * skew / 2.0;
        let root = skew * (1.0 + half / 2.0).sqrt();
        let grown = (1.0 + half + root).cbrt();
        // The two roots are each other's inverse.
        let omega = grown + 1.0 / grown - 1.0;
        let w = omega.ln();
        let standard = ((z * w.sqrt() - w / 2.0).exp() - 1.0) / (omega - 1.0).sqrt();
        self.mean + deviation * standard
    }
}

fn whole(amount: f64) -> u64 {
    // Sums of whole numbers stay whole; what rounding leaves of them must not cost one more.
    (amount - 1e-6).ceil().max(0.0) as u64
}

/// The point that a standard normal exceeds with the chance `p`, for `p` up to a half; off by
/// less than 0.0005 (Abramowitz and Stegun, 26.2.23).
fn normal_quantile(p: f64) -> f64 {
    let t = (-2.0 * p.clamp(1e-9, 0.5).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}

/// The chance that a standard normal exceeds `x` (Abramowitz and Stegun, 26.2.17).
fn upper_tail(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - upper_tail(-x);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let b = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    density * b.iter().rev().fold(0.0, |sum, b| (sum + b) * t)
}

#[cfg(test)]
mod tests;
