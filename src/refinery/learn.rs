//! How many tokens a percent window holds. No vendor says; the share that a provider reports
//! and the tokens of the ledger tell it together.
//!
//! Within one stretch of the window (between two resets) the tokens since its first observation
//! are set against the rise of the share. Runs that are still under way lag in the ledger, and
//! other users of the account raise the share as well: both make the window look smaller than
//! it is, which errs to the safe side.

use serde::{Deserialize, Serialize};

use crate::core::Timestamp;

/// A rise below this says nothing: providers round to whole percents.
const LEAST_RISE: f64 = 0.05;
/// Stretches that are remembered; plans change, so not for ever.
const REMEMBERED: usize = 8;

/// What is known about the size of one percent window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// The first observation of the running stretch.
    pub(crate) base_at: Timestamp,
    base_share: f64,
    share: f64,
    tokens: u64,
    /// Sizes that earlier stretches came to, oldest first.
    sizes: Vec<u64>,
}

/// Tokens in a whole window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    /// What is counted on: the mean less its spread.
    pub(crate) safe: u64,
    pub(crate) mean: u64,
    /// Relative, 0 to 0.75.
    pub(crate) spread: f64,
}

impl Learned {
    pub(crate) fn starting(share: f64, at: Timestamp) -> Self {
        Self {
            base_at: at,
            base_share: share,
            share,
            tokens: 0,
            sizes: Vec::new(),
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
        if fresh_stretch || share < self.share {
            if let Some((size, _)) = self.running() {
                self.sizes.push(size);
                let excess = self.sizes.len().saturating_sub(REMEMBERED);
                self.sizes.drain(..excess);
            }
            return Self {
                sizes: self.sizes,
                ..Self::starting(share, at)
            };
        }
        Self {
            share,
            tokens,
            ..self
        }
    }

    /// The size that the running stretch comes to, and the relative error that rounding of
    /// the share makes in it.
    fn running(&self) -> Option<(u64, f64)> {
        let rise = self.share - self.base_share;
        (rise >= LEAST_RISE && self.tokens > 0)
            .then(|| ((self.tokens as f64 / rise) as u64, 0.01 / rise))
    }

    /// `None` until a stretch has risen far enough. The spread is that of the stretches, but
    /// never less than what so few of them can tell (half for one, a quarter for four).
    pub(crate) fn size(&self) -> Option<Size> {
        let running = self.running();
        let all: Vec<f64> = self
            .sizes
            .iter()
            .copied()
            .chain(running.map(|(size, _)| size))
            .map(|size| size as f64)
            .collect();
        if all.is_empty() {
            return None;
        }
        let n = all.len() as f64;
        let mean = all.iter().sum::<f64>() / n;
        let deviation = (all.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / n).sqrt() / mean;
        let rounding = running.map_or(0.0, |(_, error)| error);
        let spread = deviation.max(0.5 / n.sqrt()).max(rounding).min(0.75);
        Some(Size {
            safe: ((mean * (1.0 - spread)) as u64).max(1),
            mean: mean as u64,
            spread,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn a_size_is_known_once_the_share_has_risen_far_enough() {
        let learned = Learned::starting(0.10, at(0)).observe(0.13, at(1), 3_000, false);
        assert_eq!(learned.size(), None);
        let learned = learned.observe(0.20, at(2), 10_000, false);
        let size = learned.size().unwrap();
        assert_eq!((size.mean, size.safe), (100_000, 50_000));
    }

    #[test]
    fn stretches_that_agree_narrow_the_spread() {
        let mut learned = Learned::starting(0.0, at(0));
        for stretch in 1..=4 {
            learned = learned.observe(0.5, at(stretch * 10), 50_000, false);
            learned = learned.observe(0.0, at(stretch * 10 + 5), 0, true);
        }
        let size = learned.size().unwrap();
        assert_eq!((size.mean, size.safe), (100_000, 75_000));
    }

    #[test]
    fn use_by_others_alone_teaches_nothing() {
        let learned = Learned::starting(0.0, at(0)).observe(0.4, at(1), 0, false);
        assert_eq!(learned.size(), None);
    }

    #[test]
    fn a_share_that_falls_begins_a_new_stretch() {
        let learned = Learned::starting(0.2, at(0))
            .observe(0.6, at(1), 40_000, false)
            .observe(0.1, at(2), 90_000, false);
        assert_eq!(learned.size().unwrap().mean, 100_000);
        assert_eq!(learned.base_at, at(2));
    }
}
