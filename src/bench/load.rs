//! A week of many agents under more work than they can do: does anything exceed a window, does
//! anything starve, does every convoy get its share, and is it the same week the next time?
//!
//! The real code decides: the order of the depot, the rules of the policy, windows, tanks and
//! admission of the refinery, affinity and choice of the dispatch. Kept in memory are only the
//! ledger, the reservations and the queue. Providers count every request by themselves and rigs
//! hears what a run used when it ends; the judge looks at the log alone.

mod demand;
mod judge;
mod week;

use std::fmt;

use self::judge::Findings;
use self::week::Rules;
use crate::core::Priority;

/// What a week is made of; every field can be given as `name=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Knobs {
    pub seed: u64,
    pub days: u64,
    /// Runs that can be under way at once, over all providers.
    pub agents: u32,
    /// Convoys of equal priority.
    pub convoys: u32,
    /// What is asked for, as a multiple of what the windows hold.
    pub load: f64,
    /// Of the factor by which a run's use is off its estimate, log-normal with median 1.
    pub sigma: f64,
    /// Spread of the sizes of beads: 0, all are alike.
    pub sizes: f64,
    /// Mean number of beads in a burst.
    pub burst: f64,
    /// Ready beads that one pass looks at.
    pub ready: usize,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            seed: 1,
            days: 7,
            agents: 100,
            convoys: 10,
            load: 1.4,
            sigma: 0.3,
            sizes: 0.8,
            burst: 40.0,
            ready: 200,
        }
    }
}

impl Knobs {
    /// # Errors
    /// An unknown name, or a value that makes no sense.
    pub fn parse(args: &[String]) -> Result<Self, String> {
        let mut knobs = Self::default();
        // Cargo tells every bench that it is one.
        for arg in args.iter().filter(|a| *a != "--bench") {
            // A number alone is the seed.
            let (name, value) = arg.split_once('=').unwrap_or(("seed", arg));
            knobs.set(&name.to_ascii_lowercase(), value)?;
        }
        Ok(knobs)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = |least: f64, most: f64| {
            let parsed: Option<f64> = value.parse().ok();
            parsed
                .filter(|n| (least..=most).contains(n))
                .ok_or_else(|| format!("{name}={value}: a number from {least} to {most}"))
        };
        match name {
            "seed" => self.seed = number(0.0, 1e15)? as u64,
            "days" => self.days = number(1.0, 60.0)? as u64,
            "agents" => self.agents = number(4.0, 1000.0)? as u32,
            "convoys" => self.convoys = number(1.0, 1000.0)? as u32,
            "load" => self.load = number(0.1, 10.0)?,
            "sigma" => self.sigma = number(0.0, 1.5)?,
            "sizes" => self.sizes = number(0.0, 1.5)?,
            "burst" => self.burst = number(1.0, 1000.0)?,
            "ready" => self.ready = number(1.0, 10_000.0)? as usize,
            _ => return Err(format!("`{name}` is none of the knobs of this bench")),
        }
        Ok(())
    }
}

/// The week, the same once more, and the same with estimates that are right.
pub struct Report {
    knobs: Knobs,
    asked: usize,
    found: Findings,
    again: Findings,
    exact: Findings,
    decisions: u64,
    /// Of one decision.
    microseconds: f64,
}

/// # Errors
/// Arguments that are not understood.
pub fn run(args: &[String]) -> Result<Report, String> {
    played(Knobs::parse(args)?, Rules::REAL)
}

fn played(knobs: Knobs, rules: Rules) -> Result<Report, String> {
    let play = |knobs: &Knobs| {
        let offers = demand::offers(knobs);
        let beads = demand::beads(knobs, &offers);
        let log = week::play(knobs, &beads, &offers, rules);
        let found = judge::judge(knobs, &beads, &offers, &log);
        (found, beads.len(), log.decisions, log.deciding)
    };
    let exact = Knobs {
        sigma: 0.0,
        ..knobs.clone()
    };
    let ((found, asked, decisions, deciding), again, exact) = std::thread::scope(|scope| {
        let again = scope.spawn(|| play(&knobs));
        let exact = scope.spawn(|| play(&exact));
        (play(&knobs), again.join(), exact.join())
    });
    let broke = |_| "a week broke off".to_owned();
    Ok(Report {
        asked,
        found,
        again: again.map_err(broke)?.0,
        exact: exact.map_err(broke)?.0,
        decisions,
        microseconds: deciding.as_secs_f64() * 1e6 / decisions.max(1) as f64,
        knobs,
    })
}

/// Runs that were stopped at a wall, at most, of those begun.
const STOPPED: f64 = 1.0 / 200.0;
/// Hours by which the order may be broken: what does not fit waits for a window to end, and what is
/// smaller goes on meanwhile. Without ageing it is four days and more.
const OVERTAKEN: f64 = 72.0;
/// One of ten convoys that gets nothing makes 0.9 of it.
const FAIRNESS: f64 = 0.95;

impl Report {
    /// Whether all bars are met.
    pub fn met(&self) -> bool {
        self.missed().is_empty()
    }

    fn missed(&self) -> Vec<&'static str> {
        let (found, exact) = (&self.found, &self.exact);
        let both = [found, exact];
        let all = |holds: fn(&Findings) -> bool| both.iter().all(|f| holds(f));
        let bars = [
            (
                all(|f| f.over == 0),
                "a window holds less than was served, or more ran than may",
            ),
            (
                found.stopped as f64 <= found.runs as f64 * STOPPED,
                "more than 1 run in 200 was stopped at a wall",
            ),
            (
                exact.refused == 0,
                "a request was refused although estimates were exact",
            ),
            (
                all(|f| f.second_requests == 0),
                "a request went to a window that was known closed",
            ),
            (
                all(|f| f.forbidden == 0),
                "a run went where a rule forbids it",
            ),
            (
                all(|f| f.overtaken <= OVERTAKEN),
                "a bead waited while others were begun that come later",
            ),
            (
                all(|f| f.fairness >= FAIRNESS),
                "a convoy got less than its share",
            ),
            (
                *found == self.again,
                "the same week was another one the second time",
            ),
        ];
        let missed = bars.into_iter().filter(|(met, _)| !met);
        missed.map(|(_, what)| what).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (k, found) = (&self.knobs, &self.found);
        writeln!(
            f,
            "{} days, seed {}, {} agents, {} beads asked for ({} times what the windows hold), estimates off by sigma {}",
            k.days, k.seed, k.agents, self.asked, k.load, k.sigma
        )?;
        for (name, found) in [("estimated", found), ("exact", &self.exact)] {
            let longest = |priority| found.longest.get(&priority).copied().unwrap_or(0.0) / 24.0;
            writeln!(
                f,
                "  {name:<10} begun {} done {} agents busy {:.0} %; stopped at a wall {}; longest wait in days: \
                 critical {:.2} high {:.2} normal {:.2} low {:.2}; overtaken by {:.1} h; fairness {:.4}",
                found.runs,
                found.done,
                found.busy * 100.0,
                found.stopped,
                longest(Priority::Critical),
                longest(Priority::High),
                longest(Priority::Normal),
                longest(Priority::Low),
                found.overtaken,
                found.fairness,
            )?;
        }
        for missed in self.missed() {
            writeln!(f, "missed: {missed}")?;
        }
        write!(
            f,
            "week: agents={} runs={} over={} stopped={} low_wait_days={:.2} overtaken_h={:.1} fairness={:.4} \
             decisions={} decision_us={:.1} digest={}",
            k.agents,
            found.runs,
            found.over,
            found.stopped,
            found.longest.get(&Priority::Low).copied().unwrap_or(0.0) / 24.0,
            found.overtaken,
            found.fairness,
            self.decisions,
            self.microseconds,
            &found.digest[..12],
        )
    }
}

#[cfg(test)]
mod tests;
