//! How many tokens a percent window holds. No vendor says; the share that a provider reports
//! and the tokens of the ledger tell it together.
//!
//! Each stretch of the window (between two resets) is cut into segments in which the share rose
//! by about a quarter. The tokens of a segment over its rise are its word on the size, with an
//! interval around it: providers report whole percents, rounded or cut off, and runs under way
//! lag in the ledger. Use of the account by others makes a segment's word too small. The band is
//! what the majority of the segments agree on (as clocks are combined: Marzullo, 1984; NTP), so
//! that a person's busy afternoon does not poison it: it holds the true size whenever others used
//! the account in less than half of what is remembered.

use serde::{Deserialize, Serialize};

use crate::core::Timestamp;

/// A segment is over when the share has risen so far.
const SEGMENT: f64 = 0.25;
/// A rise below this says nothing.
const LEAST_RISE: f64 = 0.05;
/// Whole percents, rounded or cut off: a difference of two is off by at most one of them.
const ROUNDING: f64 = 0.01;
/// The ledger may be off by this share, because of what runs under way have not reported.
const LAG: f64 = 0.05;
/// A share that falls by less is the same one, rounded in another way.
const JITTER: f64 = 0.02;
/// Segments that are remembered; plans change, so not for ever, and the newer weigh more.
const REMEMBERED: usize = 24;
const FADE: f64 = 0.93;

/// What is known about the size of one percent window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// The first observation of the running segment.
    pub(crate) base_at: Timestamp,
    base_share: f64,
    share: f64,
    tokens: u64,
    /// Segments that are over, oldest first.
    #[serde(default)]
    segments: Vec<Segment>,
}

/// Tokens that were used while the share rose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Segment {
    tokens: u64,
    rise: f64,
}

/// Tokens in a whole window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// What is counted on: the low end of the band, lower while little has been seen.
    pub(crate) safe: u64,
    /// In the middle of what the most segments agree on.
    pub(crate) likely: u64,
    /// The high end of the band.
    pub(crate) most: u64,
}

impl Size {
    /// By how much of itself a count that relies on [`Self::safe`] may be too high, 0 to 1.
    pub(crate) fn spread(self) -> f64 {
        1.0 - self.safe as f64 / self.most.max(1) as f64
    }
}

impl Segment {
    /// `None` where it says nothing: too short, or all of it was used by others.
    fn new(tokens: u64, rise: f64) -> Option<Self> {
        let rise = short(rise);
        (tokens > 0 && rise >= LEAST_RISE).then_some(Self { tokens, rise })
    }

    fn weight(self) -> f64 {
        (self.rise / SEGMENT).min(1.0)
    }

    /// Its word on the size, from and to.
    fn interval(self) -> (f64, f64) {
        let tokens = self.tokens as f64;
        (
            tokens * (1.0 - LAG) / (self.rise + ROUNDING),
            tokens * (1.0 + LAG) / (self.rise - ROUNDING),
        )
    }
}

/// To six digits: what is written as text is read back the same.
pub(crate) fn short(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

impl Learned {
    pub(crate) fn starting(share: f64, at: Timestamp) -> Self {
        let share = short(share);
        Self {
            base_at: at,
            base_share: share,
            share,
            tokens: 0,
            segments: Vec::new(),
        }
    }

    /// A further observation: `tokens` are those of the ledger since `base_at`. A share that
    /// fell is a reset, whatever the times say.
    pub(crate) fn observe(
        mut self,
        share: f64,
        at: Timestamp,
        tokens: u64,
        fresh_stretch: bool,
    ) -> Self {
        let share = short(share);
        let is_reset = fresh_stretch || share + JITTER < self.share;
        if !is_reset {
            self.share = self.share.max(share);
            self.tokens = self.tokens.max(tokens);
        }
        if is_reset || self.share - self.base_share >= SEGMENT {
            self.segments.extend(self.running());
            let excess = self.segments.len().saturating_sub(REMEMBERED);
            self.segments.drain(..excess);
            return Self {
                segments: self.segments,
                ..Self::starting(share, at)
            };
        }
        self
    }

    fn running(&self) -> Option<Segment> {
        Segment::new(self.tokens, self.share - self.base_share)
    }

    /// `None` until a segment has risen far enough.
    pub(crate) fn size(&self) -> Option<Size> {
        let newest_first = self
            .running()
            .into_iter()
            .chain(self.segments.iter().rev().copied());
        let words: Vec<(f64, (f64, f64))> = newest_first
            .zip(std::iter::successors(Some(1.0), |w| Some(w * FADE)))
            .map(|(segment, fade)| (segment.weight() * fade, segment.interval()))
            .collect();
        let all: f64 = words.iter().map(|(weight, _)| weight).sum();
        let agree = |at: f64| -> f64 {
            let with = words
                .iter()
                .filter(|(_, (from, to))| *from <= at && at <= *to);
            with.map(|(weight, _)| weight).sum()
        };
        // Agreement only changes where an interval begins or ends.
        let ends = || words.iter().flat_map(|(_, (from, to))| [*from, *to]);
        let best = ends().map(agree).reduce(f64::max)?;
        let hull = |least: f64| {
            let held = ends().filter(|at| agree(*at) >= least - 1e-9);
            held.fold((f64::MAX, 0.0_f64), |(from, to), at| {
                (from.min(at), to.max(at))
            })
        };
        let (from, to) = hull(best);
        let likely = f64::midpoint(from, to);
        let (low, most) = hull(best.min(all / 2.0));
        // So few of them may all be wrong in the same way: half for one, a quarter for four.
        let few = likely * (1.0 - 0.5 / all.max(1.0).sqrt());
        Some(Size {
            safe: (low.min(few) as u64).max(1),
            likely: likely.round() as u64,
            most: most.ceil() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn a_size_is_known_once_the_share_has_risen_far_enough() {
        let learned = Learned::starting(0.10, at(0)).observe(0.13, at(1), 3_000, false);
        assert_eq!(learned.size(), None);
        let size = learned.observe(0.20, at(2), 10_000, false).size().unwrap();
        let expected = Size {
            safe: 50_757,
            likely: 101_515,
            most: 116_667,
        };
        assert_eq!(size, expected);
    }

    #[test]
    fn segments_that_agree_narrow_the_band() {
        let mut learned = Learned::starting(0.0, at(0));
        for stretch in 1..=8 {
            for quarter in 1..=3 {
                let share = f64::from(quarter) * 0.25;
                learned = learned.observe(share, at(stretch * 10), 25_000, false);
            }
            learned = learned.observe(0.0, at(stretch * 10 + 5), 0, true);
        }
        let size = learned.size().unwrap();
        assert_eq!((size.likely, size.most), (100_361, 109_375));
        assert!((85_000..100_000).contains(&size.safe), "{size:?}");
    }

    #[test]
    fn use_by_others_alone_teaches_nothing() {
        let learned = Learned::starting(0.0, at(0)).observe(0.4, at(1), 0, false);
        assert_eq!(learned.size(), None);
    }

    #[test]
    fn a_share_that_falls_begins_a_new_stretch_and_one_that_is_rounded_otherwise_does_not() {
        let learned = Learned::starting(0.2, at(0))
            .observe(0.4, at(1), 20_000, false)
            .observe(0.39, at(2), 20_500, false);
        assert_eq!(learned.base_at, at(0));
        let learned = learned.observe(0.1, at(3), 90_000, false);
        assert_eq!(learned.base_at, at(3));
        assert_eq!(
            learned.segments,
            [Segment {
                tokens: 20_500,
                rise: 0.2
            }]
        );
    }

    #[test]
    fn a_plan_that_changed_is_believed_after_a_few_windows() {
        let window = |learned: Learned, stretch: i64, tokens: u64| {
            let learned = (1..=3).fold(learned, |l, quarter| {
                l.observe(f64::from(quarter) * 0.25, at(stretch), tokens / 4, false)
            });
            learned.observe(0.0, at(stretch), 0, true)
        };
        let learned = (0..8).fold(Learned::starting(0.0, at(0)), |l, n| window(l, n, 100_000));
        let learned = (8..13).fold(learned, |l, n| window(l, n, 200_000));
        let likely = learned.size().unwrap().likely;
        assert!((190_000..=210_000).contains(&likely), "{likely}");
    }

    /// A window of `size` tokens and what is seen of it: uses of the ledger's owner, of others
    /// in every fourth stretch, and the share in whole percents, rounded or cut off.
    fn watched(size: f64, rounds: bool, stretches: &[Vec<(f64, f64, f64)>]) -> Learned {
        let report = |true_share: f64| {
            let percent = true_share * 100.0;
            (if rounds {
                percent.round()
            } else {
                percent.floor()
            }) / 100.0
        };
        let mut learned = Learned::starting(0.0, at(0));
        let mut clock = 0;
        for (n, uses) in stretches.iter().enumerate() {
            let (mut level, mut since_base) = (0.0, 0.0);
            clock += 1;
            learned = learned.observe(0.0, at(clock), 0, true);
            for (own, external, noise) in uses {
                let own = own * size;
                let others = if n % 4 == 1 { external * size } else { 0.0 };
                level += own + others;
                if level > size {
                    break;
                }
                // What the ledger holds of it, a little more or less.
                since_base += own * (1.0 + noise);
                clock += 1;
                let before = learned.base_at;
                learned =
                    learned.observe(report(level / size), at(clock), since_base as u64, false);
                if learned.base_at != before {
                    since_base = 0.0;
                }
            }
        }
        learned
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn the_true_size_lies_within_the_band_of_quantised_noisy_partly_external_use(
            size in 1e5_f64..1e9,
            rounds in any::<bool>(),
            stretches in proptest::collection::vec(
                proptest::collection::vec((0.03_f64..0.1, 0.0_f64..0.2, -LAG..LAG), 34),
                3..12,
            ),
        ) {
            let learned = watched(size, rounds, &stretches);
            let found = learned.size().unwrap();
            let (safe, most) = (found.safe as f64, found.most as f64);
            prop_assert!(safe <= size + 1.0 && size <= most + 1.0, "{size} {found:?}");
            prop_assert!(found.safe <= found.likely && found.likely <= found.most);
            // And the band is of use.
            prop_assert!(safe > 0.6 * size && most < 1.4 * size, "{size} {found:?}");
        }

        #[test]
        fn no_figures_break_it(
            said in proptest::collection::vec((0.0_f64..100.0, any::<u64>(), any::<bool>()), 1..60),
        ) {
            let learned = said.iter().fold(Learned::starting(0.0, at(0)), |l, (share, n, fresh)| {
                l.observe(*share, at(1), *n, *fresh)
            });
            if let Some(size) = learned.size() {
                prop_assert!(size.safe >= 1 && size.safe <= size.most);
            }
            let text = serde_json::to_string(&learned).unwrap();
            prop_assert_eq!(serde_json::from_str::<Learned>(&text).unwrap(), learned);
        }
    }
}
