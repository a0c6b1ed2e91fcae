//! How far estimates are off, learnt from what ended.

/// Spread that is believed before anything ended, and how many runs that belief is worth.
const PRIOR: f64 = 0.3;
const PRIOR_RUNS: f64 = 10.0;

/// Ratios of what runs used to what they were estimated at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Learned {
    runs: f64,
    squares: f64,
}

impl Learned {
    /// A run ended, or is known to use more than it was estimated at. Zeros teach nothing.
    pub(crate) fn observe(&mut self, estimate: u64, actual: u64) {
        if estimate == 0 || actual == 0 {
            return;
        }
        let off = (actual as f64 / estimate as f64).ln();
        self.runs += 1.0;
        self.squares += off * off;
    }

    /// Standard deviation of the logarithm of the ratio, for [`super::Board::spread`]: about zero,
    /// so that a bias counts as spread.
    pub(crate) fn spread(&self) -> f64 {
        let squares = PRIOR * PRIOR * PRIOR_RUNS + self.squares;
        (squares / (PRIOR_RUNS + self.runs)).sqrt()
    }
}
