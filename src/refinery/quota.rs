//! The two windows that follow from a ledger alone: anchored (a fold over its uses in order of
//! time) and rolling (an exact sum, and when enough of it will have fallen out).

#[cfg(test)]
use std::time::Duration;

use crate::core::Timestamp;

/// A stretch that began with a use and ends its length later, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(test)]
pub(crate) struct Stretch {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) used: u64,
}

/// An anchored window: it starts at the first use after the last one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(test)]
pub(crate) struct Anchored {
    length: Duration,
    last: Option<Stretch>,
}

#[cfg(test)]
impl Anchored {
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, last: None }
    }

    /// The next use. Uses come in order of time; one that claims to be earlier than the running
    /// stretch (a clock stepped back) counts in it.
    pub(crate) fn add(self, at: Timestamp, amount: u64) -> Self {
        let last = match self.last {
            Some(open) if at < open.end => Stretch {
                used: open.used.saturating_add(amount),
                ..open
            },
            Some(_) | None => Stretch {
                start: at,
                end: at + self.length,
                used: amount,
            },
        };
        Self {
            last: Some(last),
            ..self
        }
    }

    /// The stretch that runs at `now`; `None` when the next use will start a fresh one.
    pub(crate) fn running(&self, now: Timestamp) -> Option<Stretch> {
        self.last.filter(|s| now < s.end)
    }

    /// The start of the newest stretch, running or over.
    pub(crate) fn last_start(&self) -> Option<Timestamp> {
        self.last.map(|s| s.start)
    }
}

/// Part of a rolling sum and when it leaves the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fall {
    pub(crate) at: Timestamp,
    pub(crate) amount: u64,
}

/// When `excess` will have fallen out of a rolling sum; `None` when that is more than is in it.
/// `falls` is in order of time.
pub(crate) fn fallen_by(falls: &[Fall], excess: u64) -> Option<Timestamp> {
    let mut gone = 0_u64;
    falls.iter().find_map(|fall| {
        gone = gone.saturating_add(fall.amount);
        (gone >= excess).then_some(fall.at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn uses() -> impl Strategy<Value = Vec<(i64, u64)>> {
        proptest::collection::vec((0_i64..200, 0_u64..50), 0..40).prop_map(|mut uses| {
            uses.sort_unstable();
            uses
        })
    }

    /// Walks through time one millisecond after another, as a stop-watch would.
    fn anchored_by_hand(uses: &[(i64, u64)], length: i64, now: i64) -> Option<(i64, u64)> {
        let mut open: Option<(i64, u64)> = None;
        for t in 0..=now.max(200) {
            if t <= now {
                open = open.filter(|(start, _)| t < start + length);
            }
            for (_, amount) in uses.iter().filter(|(when, _)| *when == t && t <= now) {
                let (start, used) = open.unwrap_or((t, 0));
                open = Some((start, used + amount));
            }
        }
        open
    }

    proptest! {
        #[test]
        fn an_anchored_window_is_what_a_stop_watch_shows(
            uses in uses(), length in 1_i64..80, later in 0_i64..100,
        ) {
            let now = uses.last().map_or(0, |u| u.0) + later;
            let window = uses.iter().fold(
                Anchored::new(Duration::from_millis(length as u64)),
                |w, (t, amount)| w.add(at(*t), *amount),
            );
            let running = window.running(at(now)).map(|s| (s.start.millis(), s.used));
            prop_assert_eq!(running, anchored_by_hand(&uses, length, now));
        }

        #[test]
        fn a_rolling_sum_has_room_at_the_first_moment_that_a_search_finds(
            uses in uses(), length in 1_i64..80, limit in 1_u64..200, ask in 1_u64..200,
        ) {
            let now = 150;
            let sum_at = |t: i64| -> u64 {
                uses.iter().filter(|(when, _)| *when <= now && *when > t - length && *when <= t)
                    .map(|u| u.1).sum()
            };
            let falls: Vec<Fall> = uses.iter()
                .filter(|(when, _)| *when <= now && *when > now - length)
                .map(|(when, amount)| Fall { at: at(when + length), amount: *amount })
                .collect();
            let used: u64 = falls.iter().map(|f| f.amount).sum();
            prop_assert_eq!(used, sum_at(now));
            let excess = (used + ask).saturating_sub(limit);
            if excess > 0 {
                let found = (now..=now + length).find(|t| sum_at(*t) + ask <= limit);
                prop_assert_eq!(fallen_by(&falls, excess).map(Timestamp::millis), found);
            }
        }
    }

    #[test]
    fn a_use_from_before_the_clock_stepped_back_stays_in_the_running_window() {
        let window = Anchored::new(Duration::from_millis(100))
            .add(at(1000), 5)
            .add(at(400), 7);
        let expected = Stretch {
            start: at(1000),
            end: at(1100),
            used: 12,
        };
        assert_eq!(window.running(at(450)), Some(expected));
    }
}
