//! How many tokens a run will take, as quantiles: a table to begin with, corrected by what past
//! runs really took. A run of an agent cannot be foreseen to the token; the same task has been seen
//! to vary thirtyfold.
//!
//! Each past run tells by what factor it was above or below the table. What all of them have in
//! common corrects the table, then what is left is explained by provider, model, kind of task, size
//! and repository, one after the other, each drawn towards "no effect" the more, the fewer runs it
//! rests on. So a first run of a new kind of task profits from all the others. The quantiles lie
//! around that: by the normal distribution at first, and as far apart as the runs really were when
//! there are enough of them.

mod because;

use std::collections::BTreeMap;

use crate::core::{Complexity, Estimate, EstimateSource, TaskType};

/// What is known of a run before it starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Features<'a> {
    pub(crate) task_type: TaskType,
    pub(crate) complexity: Complexity,
    /// An agent that reads and edits over many turns, and not one answer.
    pub(crate) agent: bool,
    /// Of the bead's prompt, for the model that will run it.
    pub(crate) prompt_tokens: u64,
    /// Who will run it, where that is decided.
    pub(crate) provider: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) repo: Option<&'a str>,
}

/// A run that is over: input, output and cache writes of one attempt that had a result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PastRun {
    /// Whose it was, where that is known.
    pub(crate) bead: Option<String>,
    pub(crate) task_type: TaskType,
    pub(crate) complexity: Complexity,
    pub(crate) agent: bool,
    /// Characters of its prompt; 0: not known.
    pub(crate) prompt_chars: u64,
    pub(crate) provider: String,
    pub(crate) model: Option<String>,
    pub(crate) repo: Option<String>,
    pub(crate) tokens: u64,
}

impl PastRun {
    /// What was known of it before it started.
    pub(crate) fn features(&self) -> Features<'_> {
        Features {
            task_type: self.task_type,
            complexity: self.complexity,
            agent: self.agent,
            prompt_tokens: self.prompt_chars / 4,
            provider: Some(&self.provider),
            model: self.model.as_deref(),
            repo: self.repo.as_deref(),
        }
    }
}

/// Runs that are looked at, the newest: older ones tell of programs and models that have changed.
pub(crate) const MOST_RUNS: usize = 300;

/// With this many runs, what all have in common and the table weigh the same.
const TABLE_WEIGHT: f64 = 5.0;
/// The same for each further effect; larger, because several are told apart by the same runs. Of 3,
/// 5, 10 and 20 the one whose p80 and p95 hold best (docs/assayer.md).
const EFFECT_WEIGHT: f64 = 10.0;
/// The same for the shape of the spread: a quantile of 0.95 says nothing before twenty runs.
const SHAPE_WEIGHT: f64 = 20.0;
/// One run counts for no more than so much above or below the table.
const FARTHEST: f64 = 1000.0;

/// Spread of agent runs in natural logarithms. Thirtyfold between the extremes of one task, taken
/// as the range of 1.7 standard deviations to each side: ln 30 / 3.4 = 1.
const AGENT_SPREAD: f64 = 1.0;
/// One answer: its length varies, its prompt does not.
const ANSWER_SPREAD: f64 = 0.5;

/// Around a number that a person gave. Nobody has measured how well people foresee the tokens of
/// a run; of the hours of a task they are off by 30 to 40 % on average (Jørgensen, "A review of
/// studies on expert estimation of software development effort", 2004), which this takes for one
/// standard deviation. It is less than the table's: who gives a number has looked at this very
/// task, and a wide margin would keep it from a window that it fits into.
const GIVEN_SPREAD: f64 = 0.35;

/// Standard normal quantiles of 0.5, 0.8 and 0.95.
pub(crate) const QUANTILES: [(f64, f64); 3] = [(0.5, 0.0), (0.8, 0.8416), (0.95, 1.6449)];

/// Nothing takes more; what says so is out of its mind.
const MOST_TOKENS: f64 = 1e12;

/// A number given by a person, in tokens, with its spread.
pub(crate) fn given(tokens: u64) -> Estimate {
    let [p50, p80, p95] =
        QUANTILES.map(|(_, z)| (tokens as f64 * (GIVEN_SPREAD * z).exp()).round() as u64);
    Estimate {
        p50,
        p80,
        p95,
        source: EstimateSource::Given,
    }
}

/// By what an estimate differs from the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Effect {
    pub(crate) of: &'static str,
    /// Past runs that it rests on.
    pub(crate) runs: usize,
    /// What it multiplies the table by.
    pub(crate) factor: f64,
}

/// An estimate with what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    pub(crate) estimate: Estimate,
    /// The median of the table alone.
    pub(crate) table: u64,
    /// Those that rest on at least one run, the broadest first.
    pub(crate) effects: Vec<Effect>,
}

/// The estimate of a whole run, with its reasons. Quantiles never fall below the prompt, nor below
/// each other. `history` is oldest first; its order among the newest [`MOST_RUNS`] does not matter.
pub(crate) fn make(features: &Features<'_>, history: &[PastRun]) -> Made {
    let recent = &history[history.len().saturating_sub(MOST_RUNS)..];
    let runs: Vec<Features<'_>> = recent
        .iter()
        .filter(|run| run.agent == features.agent && run.tokens > 0)
        .map(PastRun::features)
        .collect();
    let mut left: Vec<f64> = recent
        .iter()
        .filter(|run| run.agent == features.agent && run.tokens > 0)
        .zip(&runs)
        .map(|(run, known)| {
            let took = run.tokens.saturating_sub(known.prompt_tokens) as f64;
            (took / table(known)).clamp(1.0 / FARTHEST, FARTHEST).ln()
        })
        .collect();
    let mut effects = Vec::new();
    let mut shift = 0.0;
    // What is not known of the effects themselves widens the quantiles.
    let mut doubt = 1.0;
    for (of, key) in KEYS {
        let weight = if *of == KEYS[0].0 {
            TABLE_WEIGHT
        } else {
            EFFECT_WEIGHT
        };
        let found = take_out(&mut left, &runs, *key, weight);
        let mine = key(features).and_then(|k| found.get(&k).copied());
        let (n, effect) = mine.unwrap_or((0, 0.0));
        doubt += if runs.is_empty() {
            0.0
        } else {
            1.0 / (n as f64 + weight)
        };
        shift += effect;
        if n > 0 {
            effects.push(Effect {
                of,
                runs: n,
                factor: effect.exp(),
            });
        }
    }
    left.sort_by(f64::total_cmp);
    let spread = spread(features.agent, &left);
    let base = table(features);
    let mut least = features.prompt_tokens.max(1);
    let mut quantile = |(share, z): (f64, f64)| {
        let z = shape(&left, spread, share, z);
        let work = base * (shift + z * spread * doubt.sqrt()).exp();
        let tokens = work.min(MOST_TOKENS) + features.prompt_tokens as f64;
        least = least.max(tokens.round() as u64);
        least
    };
    let [p50, p80, p95] = QUANTILES.map(&mut quantile);
    Made {
        estimate: Estimate {
            p50,
            p80,
            p95,
            source: if runs.is_empty() {
                EstimateSource::Prior
            } else {
                EstimateSource::History
            },
        },
        table: (base + features.prompt_tokens as f64).round() as u64,
        effects,
    }
}

type Key = fn(&Features<'_>) -> Option<String>;

/// What runs have in common, the broadest first.
const KEYS: &[(&str, Key)] = &[
    ("all runs", |_| Some(String::new())),
    ("provider", |f| f.provider.map(str::to_owned)),
    ("model", |f| f.model.map(str::to_owned)),
    ("task type", |f| Some(f.task_type.to_string())),
    ("size", |f| Some(f.complexity.to_string())),
    ("repository", |f| f.repo.map(str::to_owned)),
];

/// Takes out of `left` what runs with the same key have in common, and says what that is and on
/// how many runs it rests.
fn take_out(
    left: &mut [f64],
    runs: &[Features<'_>],
    key: Key,
    weight: f64,
) -> BTreeMap<String, (usize, f64)> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, run) in runs.iter().enumerate() {
        if let Some(key) = key(run) {
            groups.entry(key).or_default().push(i);
        }
    }
    let effect = |(key, of): (String, Vec<usize>)| {
        let mut values: Vec<f64> = of.iter().map(|i| left[*i]).collect();
        // Sums do not depend on the order of the runs.
        values.sort_by(f64::total_cmp);
        let effect = values.iter().sum::<f64>() / (values.len() as f64 + weight);
        for i in &of {
            left[*i] -= effect;
        }
        (key, (of.len(), effect))
    };
    groups.into_iter().map(effect).collect()
}

/// Standard deviation of what is left, drawn towards that of the table.
fn spread(agent: bool, left: &[f64]) -> f64 {
    let table = if agent { AGENT_SPREAD } else { ANSWER_SPREAD };
    let squares: f64 = left.iter().map(|x| x * x).sum();
    ((TABLE_WEIGHT * table * table + squares) / (TABLE_WEIGHT + left.len() as f64)).sqrt()
}

/// The quantile in standard deviations: that of the sorted runs, drawn towards the normal one.
fn shape(sorted: &[f64], spread: f64, share: f64, normal: f64) -> f64 {
    let n = sorted.len() as f64;
    let at = (share * (n + 1.0) - 1.0).clamp(0.0, (n - 1.0).max(0.0));
    let low = at.floor() as usize;
    let Some(below) = sorted.get(low).copied() else {
        return normal;
    };
    let above = sorted.get(low + 1).copied().unwrap_or(below);
    let seen = (below + (above - below) * at.fract()) / spread;
    (SHAPE_WEIGHT * normal + n * seen) / (SHAPE_WEIGHT + n)
}

/// The median of the table, without the prompt. For agents it starts from tokens that are new to the provider (what is
/// served from its cache is not charged): about 15,000 of system prompt and tools, then files read
/// and outputs of tools, which make up nearly all of the rest.
fn table(features: &Features<'_>) -> f64 {
    if features.agent {
        let base = match features.complexity {
            Complexity::Trivial => 25_000.0,
            Complexity::Small => 50_000.0,
            Complexity::Medium => 110_000.0,
            Complexity::Large => 260_000.0,
        };
        let factor = match features.task_type {
            TaskType::Implementation => 1.0,
            // Reproducing and running again and again.
            TaskType::Debug => 1.25,
            TaskType::Refactor => 1.1,
            TaskType::Test => 0.9,
            TaskType::Research => 0.7,
            TaskType::Review | TaskType::Design => 0.6,
            TaskType::Documentation => 0.5,
        };
        base * factor
    } else {
        match features.complexity {
            Complexity::Trivial => 300.0,
            Complexity::Small => 800.0,
            Complexity::Medium => 1600.0,
            Complexity::Large => 3500.0,
        }
    }
}

#[cfg(test)]
mod tests;
