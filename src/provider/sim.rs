//! Kind `sim`: no program, no server, no money. What a run uses, how long it takes and how it
//! ends is drawn from the entry's own settings; the same seed, bead and attempt give the same run.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::signal::{Class, Outcome, Scope};
use crate::config::SimSettings;
use crate::core::dice::Dice;
use crate::core::{MicroUsd, ProviderName, Timestamp, Usage};

/// Of the tokens of a run, one in so many is written; the rest is read.
const WRITTEN: u64 = 5;
/// Tokens of one model call, about what agents report.
const PER_REQUEST: u64 = 4000;
/// More model calls than this are not told one by one.
const MOST_REQUESTS: u64 = 50;
/// No run uses more, however wide its spread.
const MOST_TOKENS: f64 = 1e10;
/// No run takes longer, in seconds: a week.
const MOST_SECONDS: f64 = 604_800.0;

/// How a simulated run comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With work that can be accepted.
    Done,
    /// With work that is worth nothing.
    Reworked,
    Failed,
    Wall,
    /// Without a word.
    Crash,
}

/// What a run is drawn for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn<'a> {
    pub(crate) provider: &'a ProviderName,
    /// Not the id, which chance gives: the same goal is rehearsed the same way again.
    pub(crate) title: &'a str,
    pub(crate) attempt: i64,
    /// Tokens of the bead's estimate, its p50.
    pub(crate) p50: u64,
}

/// One run from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Script {
    /// All that it uses.
    pub(crate) used: Usage,
    pub(crate) lasts: Duration,
    pub(crate) end: End,
}

impl Script {
    pub(crate) fn draw(settings: &SimSettings, of: Drawn<'_>) -> Self {
        let mut dice = Dice::new(seed(settings, of));
        let median = settings.tokens_p50.unwrap_or(of.p50.max(1)) as f64;
        let tokens = log_normal(median, settings.tokens_sigma, dice.normal(), MOST_TOKENS);
        let seconds = log_normal(
            settings.seconds_p50,
            settings.seconds_sigma,
            dice.normal(),
            MOST_SECONDS,
        );
        let end = end(settings, dice.unit());
        // Whatever ends a run early may come at any point of it.
        let share = match end {
            End::Done | End::Reworked => 1.0,
            End::Failed | End::Wall | End::Crash => 0.1 + 0.8 * dice.unit(),
        };
        let tokens = ((tokens * share) as u64).max(WRITTEN);
        Self {
            used: Usage {
                input: tokens - tokens / WRITTEN,
                output: tokens / WRITTEN,
                requests: (tokens / PER_REQUEST).clamp(1, MOST_REQUESTS),
                ..Usage::default()
            },
            lasts: Duration::from_secs_f64(seconds * share),
            end,
        }
    }

    /// What it has used after this many of its model calls.
    pub(crate) fn after(&self, requests: u64) -> Usage {
        let all = self.used.requests.max(1);
        let done = requests.min(all);
        let part = |n: u64| (u128::from(n) * u128::from(done) / u128::from(all)) as u64;
        Usage {
            input: part(self.used.input),
            output: part(self.used.output),
            cache_read: 0,
            cache_write: 0,
            requests: done,
            cost_micro_usd: MicroUsd(0),
        }
    }

    /// How the run ended, where nothing ended it before.
    pub(crate) fn outcome(&self, settings: &SimSettings, now: Timestamp) -> Outcome {
        let (class, rule, message) = match self.end {
            End::Done => (Class::Done, "simulated.done", "simulated: finished"),
            End::Reworked => (
                Class::Done,
                "simulated.reworked",
                "simulated: finished, with nothing to show",
            ),
            End::Failed => (Class::Failed, "simulated.failed", "simulated: failed"),
            End::Wall => (Class::Limit, "simulated.wall", "simulated: a wall"),
            End::Crash => (Class::Broken, "simulated.crash", "simulated: crashed"),
        };
        let wall = Duration::from_secs(settings.wall_seconds);
        Outcome {
            class,
            rule,
            message: message.to_owned(),
            resets_at: (self.end == End::Wall).then(|| now + wall),
            scope: Scope::Account,
        }
    }
}

/// The same for the same words, on every machine.
fn seed(settings: &SimSettings, of: Drawn<'_>) -> u64 {
    let mut hash = Sha256::new();
    hash.update(settings.seed.to_le_bytes());
    hash.update(of.provider.as_str());
    hash.update([0]);
    hash.update(of.title);
    hash.update([0]);
    hash.update(of.attempt.to_le_bytes());
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// `median` times e to the `sigma` of a standard normal `z`; 0 to `most`.
fn log_normal(median: f64, sigma: f64, z: f64, most: f64) -> f64 {
    let drawn = median * (sigma * z).exp();
    if drawn.is_finite() {
        drawn.clamp(0.0, most)
    } else {
        most
    }
}

/// `unit` is uniform from 0 to 1.
fn end(settings: &SimSettings, unit: f64) -> End {
    let mut up_to = 0.0;
    for (share, end) in [
        (settings.reworked, End::Reworked),
        (settings.failed, End::Failed),
        (settings.wall, End::Wall),
        (settings.crash, End::Crash),
    ] {
        up_to += share;
        if unit < up_to {
            return end;
        }
    }
    End::Done
}

/// What simulated work writes into files: lines that say what they are.
pub(crate) fn line(bead: &str, attempt: i64, what: &str) -> String {
    format!("simulated: {bead} {what} in attempt {attempt}\n")
}

/// The file with both sides of each conflict, and without what git wrote around them.
pub(crate) fn without_marks(text: &str) -> String {
    let marks = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    let kept = text
        .split_inclusive('\n')
        .filter(|line| !marks.iter().any(|mark| line.starts_with(mark)));
    kept.collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn drawn(provider: &ProviderName, settings: &SimSettings, attempt: i64) -> Script {
        let of = Drawn {
            provider,
            title: "Add retries",
            attempt,
            p50: 20_000,
        };
        Script::draw(settings, of)
    }

    fn name() -> ProviderName {
        "rehearsal".parse().unwrap()
    }

    #[test]
    fn the_same_seed_bead_and_attempt_are_the_same_run_and_others_are_not() {
        let settings = SimSettings::default();
        let first = drawn(&name(), &settings, 1);
        assert_eq!(first, drawn(&name(), &settings, 1));
        let other_seed = SimSettings {
            seed: 2,
            ..settings.clone()
        };
        for other in [
            drawn(&name(), &settings, 2),
            drawn(&name(), &other_seed, 1),
            drawn(&"other".parse().unwrap(), &settings, 1),
        ] {
            assert!(first != other, "{other:?}");
        }
    }

    #[test]
    fn without_spread_a_run_is_as_its_settings_say() {
        let settings = SimSettings {
            tokens_p50: Some(12_000),
            tokens_sigma: 0.0,
            seconds_p50: 2.5,
            seconds_sigma: 0.0,
            ..SimSettings::default()
        };
        let used = Usage {
            input: 9600,
            output: 2400,
            requests: 3,
            ..Usage::default()
        };
        let want = Script {
            used,
            lasts: Duration::from_millis(2500),
            end: End::Done,
        };
        assert_eq!(drawn(&name(), &settings, 1), want);
        let after: Vec<u64> = (0..=4).map(|n| want.after(n).tokens()).collect();
        assert_eq!(after, [0, 4000, 8000, 12_000, 12_000]);
        assert_eq!(want.after(9), used);
        let by_estimate = SimSettings {
            tokens_p50: None,
            ..settings
        };
        assert_eq!(drawn(&name(), &by_estimate, 1).used.tokens(), 20_000);
    }

    #[test]
    fn many_runs_have_the_medians_and_the_shares_that_were_asked_for() {
        const RUNS: i64 = 4000;
        let settings = SimSettings {
            tokens_p50: Some(10_000),
            seconds_p50: 4.0,
            reworked: 0.2,
            failed: 0.1,
            wall: 0.05,
            crash: 0.05,
            ..SimSettings::default()
        };
        let runs: Vec<Script> = (0..RUNS).map(|n| drawn(&name(), &settings, n)).collect();
        for (end, share) in [
            (End::Done, 0.6),
            (End::Reworked, 0.2),
            (End::Failed, 0.1),
            (End::Wall, 0.05),
            (End::Crash, 0.05),
        ] {
            let found = runs.iter().filter(|run| run.end == end).count() as f64 / RUNS as f64;
            // Four standard deviations of the widest.
            assert!((found - share).abs() < 0.031, "{end:?} {found}");
        }
        let whole = runs
            .iter()
            .filter(|run| matches!(run.end, End::Done | End::Reworked));
        let (mut tokens, mut seconds): (Vec<u64>, Vec<f64>) = whole
            .map(|run| (run.used.tokens(), run.lasts.as_secs_f64()))
            .unzip();
        tokens.sort_unstable();
        seconds.sort_unstable_by(f64::total_cmp);
        let middle = tokens.len() / 2;
        assert!(
            (9400..10_600).contains(&tokens[middle]),
            "{}",
            tokens[middle]
        );
        assert!((3.8..4.2).contains(&seconds[middle]), "{}", seconds[middle]);
    }

    #[test]
    fn the_widest_settings_give_runs_within_bounds() {
        let settings = SimSettings {
            tokens_p50: Some(1_000_000_000),
            tokens_sigma: 3.0,
            seconds_p50: 86_400.0,
            seconds_sigma: 3.0,
            ..SimSettings::default()
        };
        for attempt in 0..2000 {
            let run = drawn(&name(), &settings, attempt);
            assert!(run.used.tokens() <= 10_000_000_000 && run.lasts.as_secs() <= 604_800);
            assert!((1..=MOST_REQUESTS).contains(&run.used.requests), "{run:?}");
        }
    }

    #[test]
    fn every_end_says_that_it_is_simulated_and_costs_nothing() {
        let now = Timestamp::from_secs(1000);
        let settings = SimSettings::default();
        let script = |end| Script {
            end,
            ..drawn(&name(), &settings, 1)
        };
        let ends = [End::Done, End::Reworked, End::Failed, End::Wall, End::Crash];
        let outcomes = ends.map(|end| script(end).outcome(&settings, now));
        let told = outcomes
            .iter()
            .map(|o| (o.class, o.resets_at.map(|at| at.since(now).as_secs())));
        let want = [
            (Class::Done, None),
            (Class::Done, None),
            (Class::Failed, None),
            (Class::Limit, Some(60)),
            (Class::Broken, None),
        ];
        assert_eq!(told.collect::<Vec<_>>(), want);
        assert!(outcomes.iter().all(|o| o.message.starts_with("simulated")));
        assert_eq!(script(End::Done).used.cost_micro_usd, MicroUsd(0));
    }

    #[test]
    fn a_conflict_is_ended_by_keeping_both_sides() {
        let met = "a\n<<<<<<< ours\nb\n||||||| base\n=======\nc\n>>>>>>> theirs\nd\n";
        assert_eq!(without_marks(met), "a\nb\nc\nd\n");
    }
}
