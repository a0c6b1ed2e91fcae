//! The windows that follow from a ledger alone: anchored (a fold over its uses in order of
//! time), rolling (an exact sum, and when enough of it will have fallen out) and the bucket that
//! fills up steadily.

use std::time::Duration;

use crate::core::Timestamp;

/// A stretch that began with a use and ends its length later, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) used: u64,
}

/// An anchored window: it starts at the first use after the last one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchored {
    length: Duration,
    last: Option<Stretch>,
}

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

    #[cfg(test)]
    /// The stretch that runs at `now`; `None` when the next use will start a fresh one.
    pub(crate) fn running(&self, now: Timestamp) -> Option<Stretch> {
        self.last.filter(|s| now < s.end)
    }

    /// The start of the newest stretch, running or over.
    pub(crate) fn last_start(&self) -> Option<Timestamp> {
        self.last.map(|s| s.start)
    }
}

/// A bucket that fills up steadily (a token bucket; GCRA decides the same): each use takes from
/// it, and it is never fuller than it is large nor emptier than empty: what a provider let pass
/// was in it. Exact: what is missing is counted in thousandths of a second times the amount that
/// one whole `length` brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// What comes back in one `length_ms`; at least 1.
    rate: u64,
    length_ms: u64,
    capacity: u64,
    /// In units of amount x `length_ms`; at most `capacity` of them.
    missing: u128,
    at: Timestamp,
}

impl Bucket {
    /// `None` for one that never fills up.
    pub(crate) fn full(rate: u64, length: Duration, capacity: u64, at: Timestamp) -> Option<Self> {
        let length_ms = u64::try_from(length.as_millis()).ok()?;
        (rate > 0 && length_ms > 0).then_some(Self {
            rate,
            length_ms,
            capacity,
            missing: 0,
            at,
        })
    }

    pub(crate) fn taken(self, amount: u64) -> Self {
        let more = u128::from(amount) * u128::from(self.length_ms);
        let all = u128::from(self.capacity) * u128::from(self.length_ms);
        Self {
            missing: self.missing.saturating_add(more).min(all),
            ..self
        }
    }

    /// As it is at `now`; a clock that stepped back brings nothing.
    pub(crate) fn at(self, now: Timestamp) -> Self {
        let back = u128::from(self.rate) * now.since(self.at).as_millis();
        Self {
            missing: self.missing.saturating_sub(back),
            at: self.at.max(now),
            ..self
        }
    }

    /// What is missing, rounded up.
    pub(crate) fn used(&self) -> u64 {
        let used = self.missing.div_ceil(u128::from(self.length_ms));
        u64::try_from(used).unwrap_or(u64::MAX)
    }

    /// The first moment at which [`Self::used`] is less by `by`, if nothing else happens; `None`
    /// when less than that is missing.
    pub(crate) fn refilled(&self, by: u64) -> Option<Timestamp> {
        let rest = self.used().checked_sub(by)?;
        let back = self
            .missing
            .saturating_sub(u128::from(rest) * u128::from(self.length_ms));
        let ms = back.div_ceil(u128::from(self.rate));
        Some(self.at + Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How long an empty one takes to be full.
    pub(crate) fn filling(&self) -> Duration {
        let ms = u128::from(self.capacity) * u128::from(self.length_ms) / u128::from(self.rate);
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
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

    proptest! {
        /// The generic cell rate algorithm (ITU-T I.371, virtual scheduling) decides the same as
        /// the bucket while nothing is taken that did not fit.
        #[test]
        fn a_bucket_lets_through_what_gcra_does_and_says_exactly_when(
            asks in proptest::collection::vec((0_i64..400, 1_u64..30), 1..60),
            rate in 1_u64..20, length in 1_u64..50, capacity in 1_u64..30,
        ) {
            let mut bucket =
                Bucket::full(rate, Duration::from_millis(length), capacity, at(0)).unwrap();
            // The theoretical arrival time, in milliseconds times `rate`.
            let mut tat = 0_i64;
            let mut now = 0;
            for (wait, ask) in asks {
                now += wait;
                bucket = bucket.at(at(now));
                let scaled = now * rate as i64;
                let limit = (capacity * length) as i64;
                let next = tat.max(scaled) + (ask * length) as i64;
                let passes = next - scaled <= limit;
                // The bucket rounds what is missing up, so ask in exact terms when it will fit.
                let excess = (bucket.used() + ask).saturating_sub(capacity);
                if ask > capacity {
                    prop_assert!(!passes);
                    continue;
                }
                prop_assert_eq!(excess == 0, passes);
                if passes {
                    tat = next;
                    bucket = bucket.taken(ask);
                } else {
                    let when = bucket.refilled(excess).unwrap();
                    let fits = |t: i64| bucket.at(at(t)).used() + ask <= capacity;
                    prop_assert!(fits(when.millis()) && !fits(when.millis() - 1));
                }
            }
        }

        #[test]
        fn a_bucket_is_what_filling_it_drop_by_drop_shows(
            uses in uses(), rate in 1_u64..20, length in 1_u64..50, capacity in 1_u64..60,
        ) {
            let full = Bucket::full(rate, Duration::from_millis(length), capacity, at(0)).unwrap();
            let bucket = uses.iter().fold(full, |b, (t, amount)| b.at(at(*t)).taken(*amount));
            let last = uses.last().map_or(0, |u| u.0);
            let (mut level, whole) = (capacity * length, capacity * length);
            for t in 0..=last {
                if t > 0 {
                    level = (level + rate).min(whole);
                }
                for (_, amount) in uses.iter().filter(|(when, _)| *when == t) {
                    level = level.saturating_sub(amount * length);
                }
            }
            prop_assert_eq!(bucket.used(), (whole - level).div_ceil(length));
        }
    }

    #[test]
    fn a_bucket_of_the_largest_figures_does_not_overflow() {
        let bucket = Bucket::full(u64::MAX, Duration::MAX, u64::MAX, at(0));
        assert_eq!(bucket, None, "longer than a u64 of milliseconds");
        let year = Duration::from_hours(8766);
        let bucket = Bucket::full(1, year, u64::MAX, at(0))
            .unwrap()
            .taken(u64::MAX);
        assert_eq!(bucket.used(), u64::MAX);
        assert!(bucket.refilled(u64::MAX).is_some());
        assert_eq!(bucket.filling(), Duration::from_millis(u64::MAX));
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
