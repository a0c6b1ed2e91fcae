//! How good estimates are: every past run is estimated once more from those before it, and scored
//! by what it took. Beside the estimator stand the ways that do without it.

pub(crate) mod file;

use schemars::JsonSchema;
use serde::Serialize;

use super::estimator::{Features, MOST_RUNS, PastRun, QUANTILES, make};
use super::store::Tightened;
use crate::core::TaskType;

/// Runs that are only learned from: the first third, and never fewer.
const LEAST_LEARNED: usize = 10;

/// The scores of one history.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Calibration")]
pub(crate) struct Report {
    /// Past runs that were read.
    pub(crate) runs: usize,
    /// Those that were estimated and scored; from the first third it was only learned.
    pub(crate) scored: usize,
    /// The estimator first, then the others.
    pub(crate) methods: Vec<Scored>,
    /// The estimator by type of task; types without a scored run are left out.
    pub(crate) by_type: Vec<OfType>,
    /// What tightening prompts saved, of those where it saved anything; empty for a file.
    pub(crate) tightened: Vec<Tightened>,
}

/// One way to estimate.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CalibrationMethod")]
pub(crate) struct Scored {
    /// `rigs`; `table`: the same without history, which is fixed multiples of a fixed number;
    /// `all runs`: the quantiles of all earlier runs; `4 characters`: the prompt at four
    /// characters a token.
    pub(crate) method: String,
    /// Mean pinball loss over p50, p80 and p95, in tokens.
    pub(crate) loss: f64,
    /// The same of the logarithms, so that a small run counts as much as a large one.
    pub(crate) log_loss: f64,
    /// By how much the estimator's loss is smaller, as a share of this one's; below 0: larger.
    pub(crate) skill: f64,
    pub(crate) coverage: Vec<Coverage>,
}

/// How many runs stayed at or below a quantile.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Coverage {
    pub(crate) quantile: f64,
    /// Where it should be the same as the quantile.
    pub(crate) share: f64,
    /// With so many runs, chance alone gives a share from here (95 %, Wilson's interval) ...
    pub(crate) low: f64,
    /// ... to here.
    pub(crate) high: f64,
}

/// The estimator's runs of one type of task.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CalibrationOfType")]
pub(crate) struct OfType {
    pub(crate) task_type: TaskType,
    pub(crate) scored: usize,
    /// Median of taken over estimated (p50): above 1 where estimates are too low.
    pub(crate) median_ratio: f64,
    /// Share of runs at or below their p80.
    pub(crate) below_p80: f64,
}

type Quantiles = [f64; 3];
type Method = (&'static str, fn(&Features<'_>, &[PastRun]) -> Quantiles);

const METHODS: [Method; 3] = [("rigs", rigs), ("table", table), ("all runs", all_runs)];

fn rigs(known: &Features<'_>, before: &[PastRun]) -> Quantiles {
    let e = make(known, before).estimate;
    [e.p50, e.p80, e.p95].map(|n| n as f64)
}

fn table(known: &Features<'_>, _: &[PastRun]) -> Quantiles {
    rigs(known, &[])
}

fn all_runs(known: &Features<'_>, before: &[PastRun]) -> Quantiles {
    let recent = &before[before.len().saturating_sub(MOST_RUNS)..];
    let same = recent.iter().filter(|r| r.agent == known.agent);
    let mut took: Vec<u64> = same.map(|r| r.tokens).collect();
    took.sort_unstable();
    let Some(last) = took.len().checked_sub(1) else {
        return table(known, before);
    };
    QUANTILES.map(|(q, _)| took[((q * took.len() as f64) as usize).min(last)] as f64)
}

fn four_characters(known: &Features<'_>, _: &[PastRun]) -> Quantiles {
    [known.prompt_tokens.max(1) as f64; 3]
}

/// Scores a history, oldest first. `None`: it is too short to say anything.
pub(crate) fn calibrate(history: &[PastRun]) -> Option<Report> {
    let history: Vec<PastRun> = history.iter().filter(|r| r.tokens > 0).cloned().collect();
    let first = (history.len() / 3).max(LEAST_LEARNED);
    let scored = history.get(first..).filter(|s| !s.is_empty())?;
    let quantiles = |of: fn(&Features<'_>, &[PastRun]) -> Quantiles| -> Vec<Quantiles> {
        let one = |(i, run): (usize, &PastRun)| of(&run.features(), &history[..first + i]);
        scored.iter().enumerate().map(one).collect()
    };
    let own = quantiles(rigs);
    let mut methods: Vec<(&str, Vec<Quantiles>)> = METHODS
        .iter()
        .map(|(name, of)| (*name, quantiles(*of)))
        .collect();
    // Where a prompt is not known, the rule cannot be asked.
    if scored.iter().all(|r| r.prompt_chars > 0) {
        methods.push(("4 characters", quantiles(four_characters)));
    }
    let mut all: Vec<Scored> = methods
        .into_iter()
        .map(|(name, quantiles)| score(name, scored, &quantiles))
        .collect();
    let best = all[0].loss;
    for method in &mut all {
        method.skill = if method.loss > 0.0 {
            1.0 - best / method.loss
        } else {
            0.0
        };
    }
    Some(Report {
        runs: history.len(),
        scored: scored.len(),
        methods: all,
        by_type: by_type(scored, &own),
        tightened: Vec::new(),
    })
}

/// The pinball loss of a quantile (Koenker and Bassett, "Regression Quantiles", 1978): what lies
/// above counts by the share, what lies below by the rest.
fn pinball(share: f64, quantile: f64, took: f64) -> f64 {
    let over = took - quantile;
    (share * over).max((share - 1.0) * over)
}

fn score(name: &str, scored: &[PastRun], quantiles: &[Quantiles]) -> Scored {
    let (mut loss, mut log_loss, mut below) = (0.0, 0.0, [0usize; 3]);
    for (run, q) in scored.iter().zip(quantiles) {
        let took = run.tokens as f64;
        for (i, (share, _)) in QUANTILES.iter().enumerate() {
            let q = q[i].max(1.0);
            loss += pinball(*share, q, took);
            log_loss += pinball(*share, q.ln(), took.ln());
            below[i] += usize::from(took <= q);
        }
    }
    let n = scored.len();
    let cells = (n * QUANTILES.len()) as f64;
    let coverage = QUANTILES.iter().zip(below).map(|((quantile, _), below)| {
        let (low, high) = wilson(*quantile, n);
        Coverage {
            quantile: *quantile,
            share: below as f64 / n as f64,
            low,
            high,
        }
    });
    Scored {
        method: name.to_owned(),
        loss: loss / cells,
        log_loss: log_loss / cells,
        skill: 0.0,
        coverage: coverage.collect(),
    }
}

/// Wilson's 95 % interval of a share seen in `n` trials.
fn wilson(share: f64, n: usize) -> (f64, f64) {
    let (n, z) = (n as f64, 1.96);
    let middle = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((middle - half) / scale, (middle + half) / scale)
}

fn by_type(scored: &[PastRun], quantiles: &[Quantiles]) -> Vec<OfType> {
    let mut all = Vec::new();
    for task in TaskType::ALL {
        let of = scored.iter().zip(quantiles);
        let mine: Vec<(f64, &Quantiles)> = of
            .filter(|(run, _)| run.task_type == *task)
            .map(|(run, q)| (run.tokens as f64, q))
            .collect();
        let mut ratios: Vec<f64> = mine.iter().map(|(took, q)| took / q[0].max(1.0)).collect();
        ratios.sort_by(f64::total_cmp);
        let Some(median_ratio) = ratios.get(ratios.len() / 2).copied() else {
            continue;
        };
        let below = mine.iter().filter(|(took, q)| *took <= q[1]).count();
        all.push(OfType {
            task_type: *task,
            scored: mine.len(),
            median_ratio,
            below_p80: below as f64 / mine.len() as f64,
        });
    }
    all
}

#[cfg(test)]
mod tests;
