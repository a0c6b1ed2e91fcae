//! How many tokens a run will take, as quantiles: a table to begin with, drawn towards what
//! comparable runs really took as they accumulate. A run of an agent cannot be foreseen to the
//! token; the same task has been seen to vary thirtyfold.

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
}

/// A run that is over: input, output and cache writes of one attempt that had a result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PastRun {
    pub(crate) task_type: TaskType,
    pub(crate) complexity: Complexity,
    pub(crate) agent: bool,
    pub(crate) provider: String,
    pub(crate) tokens: u64,
}

/// With this many comparable runs, history and table weigh the same.
const TABLE_WEIGHT: f64 = 5.0;

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
const QUANTILES: [(f64, f64); 3] = [(0.5, 0.0), (0.8, 0.8416), (0.95, 1.6449)];

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

/// The estimate of a whole run. Quantiles never fall below the prompt, nor below each other.
pub(crate) fn estimate(features: &Features<'_>, history: &[PastRun]) -> Estimate {
    let comparable = comparable(features, history);
    let weight = effective_number(&comparable);
    let trust = weight / (weight + TABLE_WEIGHT);
    let mut least = features.prompt_tokens.max(1);
    let mut quantile = |(share, z): (f64, f64)| {
        let table = table(features, z).ln();
        let blended = match weighted_quantile(&comparable, share) {
            Some(seen) => (1.0 - trust) * table + trust * seen.max(1.0).ln(),
            None => table,
        };
        least = least.max(blended.exp().round() as u64);
        least
    };
    let [p50, p80, p95] = QUANTILES.map(&mut quantile);
    Estimate {
        p50,
        p80,
        p95,
        source: if comparable.is_empty() {
            EstimateSource::Prior
        } else {
            EstimateSource::History
        },
    }
}

/// The table, at `z` standard deviations. For agents it starts from tokens that are new to the
/// provider (what is served from its cache is not charged): about 15,000 of system prompt and
/// tools, then files read and outputs of tools, which make up nearly all of the rest.
fn table(features: &Features<'_>, z: f64) -> f64 {
    let prompt = features.prompt_tokens as f64;
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
        base * factor * (AGENT_SPREAD * z).exp() + prompt
    } else {
        let answer = match features.complexity {
            Complexity::Trivial => 300.0,
            Complexity::Small => 800.0,
            Complexity::Medium => 1600.0,
            Complexity::Large => 3500.0,
        };
        answer * (ANSWER_SPREAD * z).exp() + prompt
    }
}

/// Past runs of the same kind with their weights: near in size and by the same provider counts
/// more. Sorted by tokens.
fn comparable(features: &Features<'_>, history: &[PastRun]) -> Vec<(f64, u64)> {
    let mut found: Vec<(f64, u64)> = history
        .iter()
        .filter(|run| run.agent == features.agent && run.tokens > 0)
        .filter_map(|run| {
            let distance = (run.complexity as i32 - features.complexity as i32).abs();
            let by_size = [1.0, 0.3].get(distance as usize)?;
            let by_type = if run.task_type == features.task_type {
                1.0
            } else {
                0.2
            };
            let by_provider = match features.provider {
                Some(provider) if run.provider != provider => 0.3,
                Some(_) | None => 1.0,
            };
            Some((by_size * by_type * by_provider, run.tokens))
        })
        .collect();
    found.sort_by_key(|(_, tokens)| *tokens);
    found
}

/// How many whole runs the weighted ones are worth: their weight, but never more than Kish's
/// effective number.
fn effective_number(runs: &[(f64, u64)]) -> f64 {
    let sum: f64 = runs.iter().map(|(w, _)| w).sum();
    let squares: f64 = runs.iter().map(|(w, _)| w * w).sum();
    if squares == 0.0 {
        0.0
    } else {
        sum.min(sum * sum / squares)
    }
}

/// The value below which `share` of the weight lies.
fn weighted_quantile(sorted: &[(f64, u64)], share: f64) -> Option<f64> {
    let sum: f64 = sorted.iter().map(|(w, _)| w).sum();
    let mut below = 0.0;
    sorted
        .iter()
        .find(|(weight, _)| {
            below += weight;
            below >= share * sum
        })
        .or(sorted.last())
        .map(|(_, tokens)| *tokens as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn features<'a>() -> Features<'a> {
        Features {
            task_type: TaskType::Implementation,
            complexity: Complexity::Medium,
            agent: true,
            prompt_tokens: 500,
            provider: Some("claude"),
        }
    }

    fn run(tokens: u64) -> PastRun {
        PastRun {
            task_type: TaskType::Implementation,
            complexity: Complexity::Medium,
            agent: true,
            provider: "claude".into(),
            tokens,
        }
    }

    #[test]
    fn a_given_number_is_the_median_and_has_a_spread_of_its_own() {
        assert_eq!(
            given(100_000),
            Estimate {
                p50: 100_000,
                p80: 134_254,
                p95: 177_840,
                source: EstimateSource::Given
            }
        );
    }

    #[test]
    fn without_history_the_table_speaks_and_says_so() {
        assert_eq!(
            estimate(&features(), &[]),
            Estimate {
                p50: 110_500,
                p80: 255_708,
                p95: 570_354,
                source: EstimateSource::Prior
            }
        );
        let answer = estimate(
            &Features {
                agent: false,
                ..features()
            },
            &[],
        );
        assert_eq!((answer.p50, answer.p80), (2100, 2937));
    }

    #[test]
    fn history_draws_the_estimate_towards_itself() {
        let few: Vec<PastRun> = (0..2).map(|_| run(20_000)).collect();
        let many: Vec<PastRun> = (0..200).map(|n| run(20_000 + n * 10)).collect();
        let [none, few, many] = [&[][..], &few, &many].map(|h| estimate(&features(), h).p50);
        assert!(
            none > few && few > many && many < 25_000,
            "{none} {few} {many}"
        );
        assert_eq!(
            estimate(&features(), &[run(1)]).source,
            EstimateSource::History
        );
    }

    #[test]
    fn runs_of_another_kind_count_little_or_not_at_all() {
        let text = PastRun {
            agent: false,
            ..run(10)
        };
        assert_eq!(estimate(&features(), &[text]), estimate(&features(), &[]));
        let other = PastRun {
            provider: "codex".into(),
            ..run(20_000)
        };
        assert!(estimate(&features(), &[other]).p50 > estimate(&features(), &[run(20_000)]).p50);
    }

    fn any_run() -> impl Strategy<Value = PastRun> {
        (0..8usize, 0..4usize, any::<bool>(), any::<u64>()).prop_map(|(t, c, agent, tokens)| {
            PastRun {
                task_type: TaskType::ALL[t],
                complexity: Complexity::ALL[c],
                agent,
                provider: "p".into(),
                tokens,
            }
        })
    }

    proptest! {
        #[test]
        fn quantiles_rise_and_never_fall_below_the_prompt(
            history in prop::collection::vec(any_run(), 0..30),
            prompt_tokens in 0u64..1_000_000,
            t in 0..8usize, c in 0..4usize, agent in any::<bool>(),
        ) {
            let features = Features {
                task_type: TaskType::ALL[t],
                complexity: Complexity::ALL[c],
                agent,
                prompt_tokens,
                provider: None,
            };
            let made = estimate(&features, &history);
            prop_assert!(prompt_tokens <= made.p50 && made.p50 <= made.p80 && made.p80 <= made.p95);
            let mut turned = history.clone();
            turned.reverse();
            prop_assert_eq!(estimate(&features, &turned), made);
        }
    }
}
