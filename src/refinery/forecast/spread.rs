//! A predictive distribution: what the quantiles of an amount are thought to be.

/// Quantiles that a forecast is scored by.
pub(crate) const SCORED: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

/// Levels are 0.01 to 0.99.
const LEVELS: usize = 99;

/// An amount of tokens that nobody knows: its quantiles at 0.01, 0.02 ... 0.99, which never
/// fall.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread([f64; LEVELS]);

/// A value with its weight.
pub(super) type Weighted = (f64, f64);

impl Spread {
    /// Of values that are equally likely; linear between neighbours. `None` without a value.
    pub(super) fn of(values: &mut [f64]) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (last, n) = (*values.last()?, values.len());
        Some(Self::from_fn(|p| {
            let x = p * (n - 1) as f64;
            let (i, part) = (x.floor() as usize, x.fract());
            let next = values.get(i + 1).copied().unwrap_or(last);
            values[i] * (1.0 - part) + next * part
        }))
    }

    /// Of values that are not equally likely: each stands in the middle of its weight.
    pub(super) fn weighted(values: &mut [Weighted]) -> Option<Self> {
        values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (first, last) = (values.first()?.0, values.last()?.0);
        let whole: f64 = values.iter().map(|(_, w)| w).sum();
        if whole.is_nan() || whole <= 0.0 {
            return None;
        }
        let mut rest = values.iter();
        let (mut below, mut above) = ((first, 0.0), (first, 0.0));
        let mut passed = 0.0;
        Some(Self::from_fn(|p| {
            while above.1 < p {
                below = above;
                above = match rest.next() {
                    Some((value, w)) => {
                        passed += w / whole;
                        (*value, passed - w / whole / 2.0)
                    }
                    None => (last, 1.0),
                };
            }
            let part = if above.1 > below.1 {
                (p - below.1) / (above.1 - below.1)
            } else {
                1.0
            };
            below.0 + (above.0 - below.0) * part.clamp(0.0, 1.0)
        }))
    }

    /// `quantile` is asked for each level in rising order.
    fn from_fn(mut quantile: impl FnMut(f64) -> f64) -> Self {
        let mut levels = [0.0; LEVELS];
        let mut least = 0.0_f64;
        for (i, level) in levels.iter_mut().enumerate() {
            least = least.max(quantile((i + 1) as f64 / 100.0));
            *level = least;
        }
        Self(levels)
    }

    /// Quantile by quantile between the two. That keeps the shape sharp, where a mixture would
    /// be as wide as both together.
    pub(super) fn average(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| {
            f64::midpoint(self.0[i], other.0[i])
        }))
    }

    /// Each quantile times what `factor` says about its level.
    pub(super) fn stretched(&self, factor: impl Fn(f64) -> f64) -> Self {
        Self::from_fn(|p| self.at(p) * factor(p))
    }

    /// The larger of the two at each level.
    pub(super) fn max(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].max(other.0[i])))
    }

    /// The smaller of the two at each level.
    pub(super) fn min(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].min(other.0[i])))
    }

    /// The quantile at the level `p`, to the nearest hundredth.
    pub(crate) fn at(&self, p: f64) -> f64 {
        let i = (p * 100.0).round() as usize;
        self.0[i.clamp(1, LEVELS) - 1]
    }

    /// The probability that it is `amount` or more: never quite 0 and never quite 1, because
    /// a forecast is not certain.
    pub(crate) fn exceeds(&self, amount: f64) -> f64 {
        let below = self.0.partition_point(|q| *q < amount);
        match (below.checked_sub(1).map(|i| self.0[i]), self.0.get(below)) {
            (None, _) => 0.995,
            (Some(_), None) => 0.005,
            (Some(low), Some(high)) => {
                let part = (amount - low) / (high - low).max(f64::MIN_POSITIVE);
                1.0 - (below as f64 + part.clamp(0.0, 1.0)) / 100.0
            }
        }
    }
}
