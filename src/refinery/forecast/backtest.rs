//! Forecasts the past: at every moment from what was known then, scored by what came.
//!
//! Per stretch of a window that is over, from the third one on, every 10 minutes after its start
//! (every 2 hours for windows of a day and more), the total at its end is forecast by the model,
//! by climatology (what earlier stretches still used after the same time) and by linear pace
//! (used / elapsed x length).

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::calibration::{Calibration, UNJUDGED};
use super::file::Tested;
use super::history::{History, Instance};
use super::model::{Model, climatology};
use super::score::{Tally, interval_score};
use super::spread::{SCORED, Spread};

/// How good forecasts would have been.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Report {
    /// The file, or the provider.
    pub(crate) history: String,
    /// Uses that were read.
    pub(crate) uses: u64,
    pub(crate) windows: Vec<Scores>,
    /// All windows together, each moment as a share of its window's limit.
    pub(crate) pooled: Scores,
}

/// Scores over moments. Those of amounts are shares of the limit, and less is better.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Scores {
    /// `all` for all windows together.
    pub(crate) window: String,
    /// Stretches that were forecast, and moments in them.
    pub(crate) instances: u64,
    pub(crate) moments: u64,
    /// Weighted interval scores (Bracher et al. 2021); null without a moment.
    pub(crate) wis: Option<f64>,
    pub(crate) wis_climatology: Option<f64>,
    pub(crate) wis_linear: Option<f64>,
    /// 1 - wis / baseline: above 0 is better than the baseline.
    pub(crate) skill_climatology: Option<f64>,
    pub(crate) skill_linear: Option<f64>,
    /// The same of climatology over linear pace.
    pub(crate) skill_linear_climatology: Option<f64>,
    /// Share of moments whose total was not above the 90 % quantile; 0.9 is right.
    pub(crate) coverage_p90: Option<f64>,
    pub(crate) coverage_p90_climatology: Option<f64>,
    /// Mean squared error of the probability that the limit is exceeded; 0 is perfect.
    pub(crate) brier: Option<f64>,
    pub(crate) brier_climatology: Option<f64>,
    /// Share of moments whose window went over its limit.
    pub(crate) exhausted: Option<f64>,
}

const DAY: Duration = Duration::from_hours(24);

/// `name` is told in the report.
pub(crate) fn backtest(name: &str, windows: &[Tested], history: &History) -> Report {
    backtest_every(1, name, windows, history)
}

/// Forecasts only each `nth` moment.
pub(super) fn backtest_every(
    nth: u32,
    name: &str,
    windows: &[Tested],
    history: &History,
) -> Report {
    let model = Model::new(history, history.last().unwrap_or(0.0));
    let mut pooled = Tally::default();
    let mut count = 0;
    let scores = windows
        .iter()
        .map(|window| {
            let (instances, tally) = test(window, nth, &model, history);
            pooled.add(&tally);
            count += instances;
            Scores::of(&window.id, instances, &tally)
        })
        .collect();
    Report {
        history: name.to_owned(),
        uses: history.at.len() as u64,
        windows: scores,
        pooled: Scores::of("all", count, &pooled),
    }
}

fn test(window: &Tested, nth: u32, model: &Model, history: &History) -> (u64, Tally) {
    let length = window.length.as_secs_f64();
    let every = if window.length < DAY { 600.0 } else { 7200.0 };
    let instances = history.instances(length);
    let end = history.last().unwrap_or(0.0);
    let over = instances.partition_point(|i| i.ends <= end);
    let mut calibration = Calibration::new(length, UNJUDGED);
    let mut tally = Tally::default();
    for (number, instance) in instances[..over].iter().enumerate().skip(UNJUDGED) {
        calibration.learn(model, history, &instances, instance.starts);
        for step in 1.. {
            let elapsed = every * f64::from(nth) * f64::from(step);
            if elapsed >= length {
                break;
            }
            let moment = Moment {
                now: instance.starts + elapsed,
                elapsed,
                length,
                limit: window.limit as f64,
            };
            let earlier = &instances[..number];
            tally.add(&moment.scored(model, &calibration, history, earlier, instance));
        }
    }
    (over.saturating_sub(UNJUDGED) as u64, tally)
}

struct Moment {
    now: f64,
    elapsed: f64,
    length: f64,
    limit: f64,
}

impl Moment {
    fn scored(
        &self,
        model: &Model,
        calibration: &Calibration,
        history: &History,
        earlier: &[Instance],
        instance: &Instance,
    ) -> Tally {
        let Self { limit, .. } = *self;
        let horizon = self.length - self.elapsed;
        let used = history.until(self.now) - history.before(instance.starts);
        let Some(baseline) = climatology(history, earlier, self.elapsed, horizon) else {
            return Tally::default();
        };
        let model = model
            .ahead(history, self.now, horizon)
            .map_or_else(|| baseline.clone(), |m| calibration.applied(&m));
        let y = instance.total;
        let score = |s: &Spread| interval_score(&SCORED.map(|p| used + s.at(p)), y) / limit;
        let covered = |s: &Spread| u64::from(y <= used + s.at(0.9));
        let exhausted = y > limit;
        let brier = |s: &Spread| {
            let p = if used > limit {
                1.0
            } else {
                s.exceeds(limit - used)
            };
            (p - f64::from(u8::from(exhausted))).powi(2)
        };
        Tally {
            moments: 1,
            model: score(&model),
            climatology: score(&baseline),
            linear: (used / self.elapsed * self.length - y).abs() / limit,
            covered: covered(&model),
            climatology_covered: covered(&baseline),
            brier: brier(&model),
            climatology_brier: brier(&baseline),
            exhausted: u64::from(exhausted),
        }
    }
}

impl Scores {
    fn of(window: &str, instances: u64, t: &Tally) -> Self {
        let mean = |sum: f64| (t.moments > 0).then(|| round(sum / t.moments as f64));
        let skill =
            |score: f64, baseline: f64| (baseline > 0.0).then(|| round(1.0 - score / baseline));
        Self {
            window: window.to_owned(),
            instances,
            moments: t.moments,
            wis: mean(t.model),
            wis_climatology: mean(t.climatology),
            wis_linear: mean(t.linear),
            skill_climatology: skill(t.model, t.climatology),
            skill_linear: skill(t.model, t.linear),
            skill_linear_climatology: skill(t.climatology, t.linear),
            coverage_p90: mean(t.covered as f64),
            coverage_p90_climatology: mean(t.climatology_covered as f64),
            brier: mean(t.brier),
            brier_climatology: mean(t.climatology_brier),
            exhausted: mean(t.exhausted as f64),
        }
    }
}

/// Four decimals say all there is to say.
fn round(x: f64) -> f64 {
    (x * 10_000.0).round() / 10_000.0
}
