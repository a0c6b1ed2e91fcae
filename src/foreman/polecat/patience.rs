//! Until when a run is waited for: while it starts, while it is silent, after its result, in all.

use std::time::Duration;

use crate::config::ProviderSettings;
use crate::core::clock::Moment;
use crate::provider::StopReason;

/// What a program says on one pipe may overtake what it said before on the other: how long a
/// hopeless run is still listened to, lest its usage be lost.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// How long a program may stay after its terminal event, when it may be silent for longer.
const AFTER_RESULT: Duration = Duration::from_secs(20);
/// How long a program may say nothing after the moment at which it wanted to try again: some
/// wait for hours, as a server told them, and do not say so.
const AFTER_RETRY: Duration = Duration::from_mins(5);

/// The clocks of one run, on the time that passes for the run as well: not while the machine
/// sleeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patience {
    startup: Duration,
    idle: Duration,
    began: Moment,
    ends_at: Moment,
    /// When the time of its envelope is over.
    too_long_at: Option<Moment>,
    /// When it last said anything.
    pub(super) heard_at: Option<Moment>,
    pub(super) result_at: Option<Moment>,
    /// How long the program said that it would wait before it tries again by itself.
    pub(super) retrying: Option<Duration>,
    /// When its reader said that it will not end by itself.
    pub(super) hopeless_at: Option<Moment>,
}

impl Patience {
    /// `most` is the time of its envelope.
    pub(super) fn of(entry: &ProviderSettings, most: Option<Duration>, now: Moment) -> Self {
        Self {
            startup: entry.startup_timeout.0,
            idle: entry.idle_timeout.0,
            began: now,
            ends_at: now + entry.timeout.0,
            too_long_at: most.map(|most| now + most),
            heard_at: None,
            result_at: None,
            retrying: None,
            hopeless_at: None,
        }
    }

    /// The moment at which the run has to be ended, and why.
    pub(super) fn deadline(&self) -> (Moment, StopReason) {
        let quiet = match (self.result_at, self.heard_at) {
            (Some(at), _) => (at + AFTER_RESULT.min(self.idle), StopReason::AfterResult),
            (None, None) => (self.began + self.startup, StopReason::Startup),
            (None, Some(at)) => {
                let longest = self.retrying.map(|delay| delay + AFTER_RETRY);
                let idle = longest.map_or(self.idle, |longest| longest.min(self.idle));
                (at + idle, StopReason::Silent)
            }
        };
        let timed_out = (self.ends_at, StopReason::TimedOut);
        let too_long = self.too_long_at.map(|at| (at, StopReason::Runaway));
        let last_words = self.hopeless_at.map(|at| at + LAST_WORDS);
        let hopeless = last_words.map(|at| (at, StopReason::Hopeless));
        [Some(timed_out), too_long, hopeless]
            .into_iter()
            .flatten()
            .fold(
                quiet,
                |first, next| if next.0 < first.0 { next } else { first },
            )
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::core::time::Span;

    #[test]
    fn each_watchdog_barks_at_its_time_and_the_first_one_counts() {
        use StopReason::{AfterResult, Hopeless, Runaway, Silent, Startup, TimedOut};
        let secs = Duration::from_secs;
        let start = crate::core::Clock::system().moment();
        let at = |s: u64| start + secs(s);
        let entry = ProviderSettings {
            startup_timeout: Span(secs(60)),
            idle_timeout: Span(secs(600)),
            timeout: Span(secs(2700)),
            ..ProviderSettings::default()
        };
        let begun = Patience::of(&entry, None, at(0));
        let heard = |s| Patience {
            heard_at: Some(at(s)),
            ..begun.clone()
        };
        let impatient = ProviderSettings {
            idle_timeout: Span(secs(5)),
            ..entry.clone()
        };
        for (what, patience, want) in [
            ("nothing was said", begun.clone(), (at(60), Startup)),
            ("silence", heard(100), (at(700), Silent)),
            ("silence near the end", heard(2600), (at(2700), TimedOut)),
            (
                "after the result",
                Patience {
                    result_at: Some(at(90)),
                    ..heard(95)
                },
                (at(110), AfterResult),
            ),
            (
                "after the result of one that may be silent for less",
                Patience {
                    result_at: Some(at(90)),
                    ..Patience::of(&impatient, None, at(0))
                },
                (at(95), AfterResult),
            ),
            (
                "it waits to try again, for less than it may be silent",
                Patience {
                    retrying: Some(secs(30)),
                    ..heard(100)
                },
                (at(430), Silent),
            ),
            (
                "it waits to try again, for hours",
                Patience {
                    retrying: Some(secs(9000)),
                    ..heard(100)
                },
                (at(700), Silent),
            ),
            (
                "it will not end by itself",
                Patience {
                    hopeless_at: Some(at(100)),
                    ..heard(100)
                },
                (at(100) + LAST_WORDS, Hopeless),
            ),
            (
                "the envelope is over first",
                Patience {
                    heard_at: Some(at(100)),
                    ..Patience::of(&entry, Some(secs(300)), at(0))
                },
                (at(300), Runaway),
            ),
            (
                "the whole time is over before the envelope",
                Patience {
                    heard_at: Some(at(2699)),
                    ..Patience::of(&entry, Some(secs(9000)), at(0))
                },
                (at(2700), TimedOut),
            ),
        ] {
            assert_eq!(patience.deadline(), want, "{what}");
        }
    }
}
