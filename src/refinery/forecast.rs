//! What will be used until a window resets: quantiles of the total, when it runs out, and with
//! what probability before its reset.
//!
//! ```text
//!   history ─┬─ bursts  ─┐
//!            │           ├─ average, quantile by quantile ─ calibration ─ spread ─ forecast
//!            └─ analogs ─┘                                      │
//!                                               windows that are over
//! ```
//!
//! Two forecasts of different kind are averaged, because each is wrong in its own way: [`bursts`]
//! knows how often work begins and how large it becomes, [`analogs`] what followed moments like
//! this one. [`calibration`] then moves the upper quantiles by how the last windows ended.
//! Nothing is carried over a reset: the use of the window so far is known, and only what comes
//! until its end is forecast. `docs/forecast.md` has the figures.

mod analogs;
mod backtest;
mod bursts;
mod calibration;
pub(crate) mod file;
mod history;
mod model;
mod past;
mod score;
mod spread;
mod tank;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use backtest::{Report, Scores, backtest};
pub(crate) use history::{History, KEPT};
pub(crate) use past::{Drift, Minute, Past, Shut};
pub(crate) use tank::{ProviderForecast, RunsOut, TankForecast, WindowForecast, tested};

use crate::core::Timestamp;
use calibration::Calibration;
#[cfg(test)]
use history::Use;
use history::seconds;
use model::{Model, climatology};
use spread::Spread;

/// Windows that the calibration looks back on; earlier ones have no weight left.
const LOOKS_BACK: usize = 40;
/// Points between now and the reset at which it is asked whether the window has run out.
const STEPS: usize = 16;

/// A window as it stands. Amounts are tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    pub(crate) used: u64,
    pub(crate) limit: u64,
    pub(crate) length: Duration,
    pub(crate) resets_at: Timestamp,
    /// Share of the use that the ledger did not see when the provider last spoke, 0 to 1: the
    /// forecast is that much wider.
    pub(crate) unseen: f64,
}

/// What is expected of a window until its reset. Amounts are tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forecast {
    /// Total at the reset: half, nine of ten and 99 of a hundred futures stay below.
    pub(crate) total: [u64; 3],
    /// When it has run out in half, one of ten and one of a hundred futures; `None`: not before
    /// the reset.
    pub(crate) runs_out: [Option<Timestamp>; 3],
    /// 0 to 1; 1 only where it is used up already.
    pub(crate) p_exhausted: f64,
    /// What may still be added, if nine of ten futures are to fit.
    pub(crate) headroom: u64,
}

/// Levels of [`Forecast::total`] and [`Forecast::runs_out`].
const TOLD: [f64; 3] = [0.5, 0.9, 0.99];

/// Makes forecasts from one history, at one time.
#[derive(Debug, Clone)]
pub(crate) struct Forecaster {
    history: History,
    model: Model,
    now: Timestamp,
}

impl Forecaster {
    pub(crate) fn new(history: History, now: Timestamp) -> Self {
        let model = Model::new(&history, seconds(now));
        Self {
            history,
            model,
            now,
        }
    }

    /// `None`: too little is known, or the window is over.
    pub(crate) fn forecast(&self, window: &Standing) -> Option<Forecast> {
        let now = self.now;
        let horizon = window.resets_at.since(now).as_secs_f64();
        if horizon <= 0.0 {
            return None;
        }
        let at = seconds(now);
        let length = window.length.as_secs_f64().max(horizon);
        let instances = self.history.instances(length);
        let over = instances.partition_point(|i| i.ends <= at);
        let mut calibration = Calibration::new(length, over.saturating_sub(LOOKS_BACK));
        calibration.learn(&self.model, &self.history, &instances[..over], at);
        let unseen = if window.unseen.is_finite() {
            window.unseen.clamp(0.0, 1.0)
        } else {
            1.0
        };
        let elapsed = length - horizon;
        let ahead = |horizon: f64| -> Option<Spread> {
            let known = self.model.ahead(&self.history, at, horizon).or_else(|| {
                let earlier = instances.get(..over).filter(|e| e.len() >= 2)?;
                climatology(&self.history, earlier, elapsed, horizon)
            })?;
            Some(widened(&calibration.applied(&known), unseen))
        };
        let rest = ahead(horizon)?;
        let left = window.limit.saturating_sub(window.used);
        let total = |p| amount(window.used as f64 + rest.at(p));
        let p_exhausted = if left == 0 {
            1.0
        } else {
            rest.exceeds(left as f64)
        };
        Some(Forecast {
            total: TOLD.map(total),
            runs_out: runs_out(&ahead, &rest, left as f64, horizon)
                .map(|after| after.map(|s| now + Duration::from_secs_f64(s))),
            p_exhausted,
            headroom: window.limit.saturating_sub(total(0.9)),
        })
    }
}

/// Seconds until the limit is met on the paths of `TOLD`: where that path first has used what
/// is left, linear between two points.
fn runs_out(
    ahead: &impl Fn(f64) -> Option<Spread>,
    rest: &Spread,
    left: f64,
    horizon: f64,
) -> [Option<f64>; 3] {
    let mut met = [None; 3];
    if left <= 0.0 {
        return [Some(0.0); 3];
    }
    if rest.at(TOLD[2]) < left {
        return met;
    }
    let mut earlier = [0.0; 3];
    let mut path: Option<Spread> = None;
    for step in 1..=STEPS {
        let until = horizon * step as f64 / STEPS as f64;
        let here = if step == STEPS {
            Some(rest.clone())
        } else {
            ahead(until)
        };
        let Some(here) = here else { continue };
        // Use never shrinks, and at the end the path is where the forecast of the total is.
        let here = path.map_or(here.clone(), |p| p.max(&here)).min(rest);
        for (i, level) in TOLD.iter().enumerate() {
            let used = here.at(*level);
            if met[i].is_none() && used >= left {
                let part = (left - earlier[i]) / (used - earlier[i]).max(1.0);
                let from = horizon * (step - 1) as f64 / STEPS as f64;
                met[i] = Some(from + (until - from) * part.clamp(0.0, 1.0));
            }
            earlier[i] = used;
        }
        path = Some(here);
    }
    met
}

/// The part that the ledger does not see is added above the median and taken off below it.
fn widened(ahead: &Spread, unseen: f64) -> Spread {
    if unseen == 0.0 {
        return ahead.clone();
    }
    ahead.stretched(|p| 1.0 + unseen * (2.0 * p - 1.0))
}

fn amount(tokens: f64) -> u64 {
    tokens.round().max(0.0) as u64
}
