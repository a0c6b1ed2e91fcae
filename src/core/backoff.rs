//! When to try again after a failure that may pass: a date, not a sleep.

use std::time::Duration;

/// Doubling from `first` up to `most`; `attempt` counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) most: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most }
    }

    pub(crate) fn delay(&self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.min(31));
        self.first.saturating_mul(factor).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_most() {
        let b = Backoff::new(Duration::from_mins(1), Duration::from_mins(30));
        let minutes = [0, 1, 2, 4, 5, 60].map(|n| b.delay(n).as_secs() / 60);
        assert_eq!(minutes, [1, 2, 4, 16, 30, 30]);
    }
}
