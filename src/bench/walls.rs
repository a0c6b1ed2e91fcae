//! Are walls rare, and is nothing wasted to keep them so? A month is played through twice with
//! estimates that are off, and twice with exact ones: once with the admission of rigs, and once
//! with an oracle that knows what every run will really use.
//!
//! Of rigs the real code decides: frames, windows, tanks, circuits of `refinery`, its admission,
//! and the choice of `dispatch`; only the ledger and the reservations are kept in memory. The
//! providers count every request by itself, and rigs hears what a run used when it is over.

mod demand;
pub(super) mod known;
mod month;
mod oracle;
pub(super) mod truth;

use std::fmt;

use self::month::Tally;

/// What a month is made of; every field can be given as `name=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Knobs {
    pub seed: u64,
    pub days: u64,
    /// Of the factor by which a run's use is off its estimate, log-normal with median 1.
    pub sigma: f64,
    /// Of the factor by which the pace of a run is off.
    pub pace: f64,
    /// What is asked for, as a multiple of what the windows hold.
    pub load: f64,
    /// Runs of mean size that the 5 h window of the first provider holds.
    pub runs: f64,
    /// 5 h windows that the weekly window of the first provider holds.
    pub weekly: f64,
    /// Slots of each provider.
    pub parallel: u32,
    /// Requests per minute of each provider.
    pub rpm: u64,
    /// Mean number of beads in a burst.
    pub burst: f64,
    /// Spread of the sizes of beads: 0, all are alike.
    pub sizes: f64,
    /// Ready beads that one pass looks at.
    pub ready: usize,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            seed: 1,
            days: 30,
            sigma: 0.5,
            pace: 0.2,
            load: 1.5,
            runs: 35.0,
            weekly: 14.0,
            parallel: 6,
            rpm: 24,
            burst: 80.0,
            sizes: 0.8,
            ready: 100,
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
            "days" => self.days = number(1.0, 365.0)? as u64,
            "sigma" => self.sigma = number(0.0, 1.5)?,
            "pace" => self.pace = number(0.0, 1.0)?,
            "load" => self.load = number(0.1, 10.0)?,
            "runs" => self.runs = number(2.0, 1000.0)?,
            "weekly" => self.weekly = number(1.0, 100.0)?,
            "parallel" => self.parallel = number(1.0, 64.0)? as u32,
            "rpm" => self.rpm = number(1.0, 10_000.0)? as u64,
            "burst" => self.burst = number(1.0, 1000.0)?,
            "sizes" => self.sizes = number(0.0, 1.5)?,
            "ready" => self.ready = number(1.0, 1000.0)? as usize,
            _ => return Err(format!("`{name}` is none of the knobs of this bench")),
        }
        Ok(())
    }

    /// The same month with estimates that are right.
    fn exact(&self) -> Self {
        Self {
            sigma: 0.0,
            pace: 0.0,
            ..self.clone()
        }
    }
}

/// Both months, each with and without foresight.
pub struct Report {
    knobs: Knobs,
    off: [Tally; 2],
    exact: [Tally; 2],
}

/// # Errors
/// Arguments that are not understood.
pub fn run(args: &[String]) -> Result<Report, String> {
    let knobs = Knobs::parse(args)?;
    let play = |knobs: &Knobs| {
        let beads = demand::beads(knobs);
        [false, true].map(|foresight| month::play(knobs, &beads, foresight))
    };
    // Neither month knows of the other.
    let (off, exact) = std::thread::scope(|scope| {
        let exact = scope.spawn(|| play(&knobs.exact()));
        (play(&knobs), exact.join())
    });
    Ok(Report {
        off,
        exact: exact.map_err(|_| "the month of exact estimates broke off".to_owned())?,
        knobs,
    })
}

/// Runs that met a limit, at most, of those approved.
const REFUSED: f64 = 1.0 / 200.0;
/// Of what the oracle fits in, at least.
const OF_ORACLE: f64 = 0.90;
const OF_ORACLE_EXACT: f64 = 0.97;

impl Report {
    /// Whether all bars are met.
    pub fn met(&self) -> bool {
        self.missed().is_empty()
    }

    fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let mut bar = |met: bool, what: &str| {
            if !met {
                missed.push(what.to_owned());
            }
        };
        let ([rigs, oracle], [exact, exact_oracle]) = (&self.off, &self.exact);
        let share = |a: &Tally, b: &Tally| a.finished() as f64 / b.approved.max(1) as f64;
        let refused = rigs.refused as f64 <= rigs.approved as f64 * REFUSED;
        bar(refused, "more than 1 in 200 met a limit");
        let enough = share(rigs, oracle) >= OF_ORACLE;
        bar(enough, "less than 90 % of what the oracle fits in");
        let none = exact.refused == 0;
        bar(none, "a run met a limit although its estimate was exact");
        let enough = share(exact, exact_oracle) >= OF_ORACLE_EXACT;
        bar(enough, "exact estimates: less than 97 % of the oracle");
        let all = [rigs, oracle, exact, exact_oracle];
        let second = all.iter().any(|t| t.second_requests > 0);
        bar(!second, "a request went to a window that was known closed");
        let foreseen = oracle.refused + exact_oracle.refused == 0;
        bar(foreseen, "the oracle met a limit: the bench is wrong");
        missed
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let k = &self.knobs;
        writeln!(
            f,
            "{} days, seed {}, sigma {}, {} beads asked for; windows, share used of what they held:",
            k.days, k.seed, k.sigma, self.off[0].asked
        )?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, t: &Tally| {
            write!(f, "  {name:<14}")?;
            for (window, share) in &t.utilisation {
                write!(f, " {window} {:3.0} %", share * 100.0)?;
            }
            writeln!(
                f,
                "; {} waiting at the end, {} decisions of {:.1} us",
                t.waiting, t.decisions, t.microseconds
            )
        };
        line(f, "rigs", &self.off[0])?;
        line(f, "oracle", &self.off[1])?;
        line(f, "rigs, exact", &self.exact[0])?;
        line(f, "oracle, exact", &self.exact[1])?;
        let ([rigs, oracle], [exact, exact_oracle]) = (&self.off, &self.exact);
        let of = |a: &Tally, b: &Tally| 100.0 * a.finished() as f64 / b.approved.max(1) as f64;
        let tokens = |a: &Tally, b: &Tally| 100.0 * a.tokens as f64 / b.tokens.max(1) as f64;
        let seldom = match rigs.refused {
            0 => "none".to_owned(),
            n => format!("1 in {}", rigs.approved / n),
        };
        writeln!(
            f,
            "met a limit: {seldom}, in {} walls; finished {:.1} % of the oracle's runs, {:.1} % of its tokens",
            rigs.walls,
            of(rigs, oracle),
            tokens(rigs, oracle)
        )?;
        writeln!(
            f,
            "second requests to a closed window: {}",
            rigs.second_requests + exact.second_requests
        )?;
        writeln!(
            f,
            "exact estimates: approved={} oracle={} refused={} ({:.1} %)",
            exact.approved,
            exact_oracle.approved,
            exact.refused,
            of(exact, exact_oracle)
        )?;
        for missed in self.missed() {
            writeln!(f, "missed: {missed}")?;
        }
        write!(
            f,
            "walls: approved={} oracle={} refused={}",
            rigs.approved, oracle.approved, rigs.refused
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knobs(args: &[&str]) -> Result<Knobs, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Knobs::parse(&args)
    }

    #[test]
    fn a_seed_is_given_alone_or_by_name_and_nonsense_is_refused() {
        let seven = Knobs {
            seed: 7,
            ..Knobs::default()
        };
        assert_eq!(knobs(&["--bench", "SEED=7"]), Ok(seven.clone()));
        assert_eq!(knobs(&["7"]), Ok(seven));
        assert!(knobs(&["SIGMA=9"]).is_err());
        assert!(knobs(&["COLOUR=1"]).is_err());
        assert!(knobs(&["seed=NaN"]).is_err());
    }

    #[test]
    fn a_day_is_the_same_for_the_same_seed_and_a_bar_that_is_missed_is_named() {
        let day = Knobs {
            days: 1,
            runs: 10.0,
            ready: 30,
            ..Knobs::default()
        };
        let play = |foresight| month::play(&day, &demand::beads(&day), foresight);
        let timeless = |tally: Tally| Tally {
            microseconds: 0.0,
            ..tally
        };
        let [one, two] = [play(false), play(false)].map(timeless);
        assert_eq!(one, two);
        assert!(one.approved > 20 && one.second_requests == 0, "{one:?}");
        let none = Tally::default();
        let missed = Tally {
            approved: 100,
            refused: 1,
            ..none.clone()
        };
        let report = Report {
            knobs: day,
            off: [missed, none.clone()],
            exact: [none.clone(), none],
        };
        assert!(!report.met());
        assert!(
            report
                .to_string()
                .ends_with("walls: approved=100 oracle=0 refused=1")
        );
    }
}
