//! Numbers that look like chance and are always the same ones for the same seed: a forecast, or a
//! simulated run, can be had again.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, but not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Poisson: multiplication (Knuth) while that is short, else its normal neighbour.
    pub(crate) fn poisson(&mut self, mean: f64) -> usize {
        if mean > 60.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as usize;
        }
        let limit = (-mean).exp();
        let (mut n, mut product) = (0, self.unit());
        while product > limit {
            n += 1;
            product *= self.unit();
        }
        n
    }

    /// An index of `steps`, rising sums of weights, with the probability of its weight.
    pub(crate) fn pick(&mut self, steps: &[f64]) -> Option<usize> {
        let whole = *steps.last()?;
        let x = self.unit() * whole;
        Some(steps.partition_point(|s| *s <= x).min(steps.len() - 1))
    }
}
