//! How good a forecast was.

use super::spread::SCORED;

/// Weighted interval score of the quantiles [`SCORED`] when `y` came (Bracher et al. 2021), with
/// the intervals of 90, 80 and 50 % and the median. In the unit of `y`; 0 is perfect, and for a
/// single point it is the absolute error.
pub(super) fn interval_score(quantiles: &[f64; 7], y: f64) -> f64 {
    let interval = |low: f64, high: f64, alpha: f64| {
        let missed = (low - y).max(0.0) + (y - high).max(0.0);
        alpha / 2.0 * (high - low) + missed
    };
    let [q05, q10, q25, median, q75, q90, q95] = *quantiles;
    let sum = 0.5 * (y - median).abs()
        + interval(q05, q95, 2.0 * SCORED[0])
        + interval(q10, q90, 2.0 * SCORED[1])
        + interval(q25, q75, 2.0 * SCORED[2]);
    sum / 3.5
}

/// Sums over many moments. Amounts are shares of the window's limit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tally {
    pub(super) moments: u64,
    pub(super) model: f64,
    pub(super) climatology: f64,
    pub(super) linear: f64,
    pub(super) covered: u64,
    pub(super) climatology_covered: u64,
    /// Squared errors of the probability of exhaustion.
    pub(super) brier: f64,
    pub(super) climatology_brier: f64,
    /// Moments whose window went over its limit.
    pub(super) exhausted: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.moments += other.moments;
        self.model += other.model;
        self.climatology += other.climatology;
        self.linear += other.linear;
        self.covered += other.covered;
        self.climatology_covered += other.climatology_covered;
        self.brier += other.brier;
        self.climatology_brier += other.climatology_brier;
        self.exhausted += other.exhausted;
    }
}
