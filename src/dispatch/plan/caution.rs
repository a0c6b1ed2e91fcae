//! How much of a window stays free for what nobody knows yet: standard deviations of the sum of
//! what is not settled. Keeping more free costs time where waiting for the runs before takes longer
//! than the window is open; keeping less costs refused requests.

use super::tables::Tables;

/// While runs of the window are under way, and waiting until they are settled costs nothing.
const PATIENT: f64 = 3.0;
/// The same where the window would be over by then.
const HASTY: f64 = 1.5;
/// Once all are settled, for the last bit of a window: little is lost with it.
const LAST: f64 = 0.3;
/// Up to this part of a window is such a bit, the less so the larger.
const BIT: f64 = 0.5;
/// So many typical runs one after the other are as long as a window in which nobody can wait.
const RUNS: f64 = 4.0;
/// Windows hold nobody up when their capacity alone would end the queue before this part of the
/// time that its longest chain takes.
const SLACK: f64 = 0.7;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Caution {
    /// A window of this length or less is over before its runs are settled.
    short_ms: f64,
    /// 1: the windows decide when the queue ends; 0: its longest chain does.
    bound_by_windows: f64,
}

impl Caution {
    /// `capacity_ms` is when the queue ends by tokens, starts and slots alone, `chain_ms` when by
    /// its longest chain alone.
    pub(super) fn new(t: &Tables, capacity_ms: f64, chain_ms: f64) -> Self {
        let mut times = t.quickest.clone();
        times.sort_unstable();
        let typical = times.get(times.len() / 2).copied().unwrap_or(0);
        let part = capacity_ms / capacity_ms.max(chain_ms).max(1.0);
        Self {
            short_ms: RUNS * typical as f64,
            bound_by_windows: ((part - SLACK) / (1.0 - SLACK)).clamp(0.0, 1.0),
        }
    }

    /// Standard deviations to keep free in a window of `length_ms` of which `left` is left, as a
    /// part of it.
    pub(super) fn deviations(&self, length_ms: i64, left: f64, is_settled: bool) -> f64 {
        let haste = (self.short_ms / length_ms.max(1) as f64).min(1.0) * self.bound_by_windows;
        let most = PATIENT + (HASTY - PATIENT) * haste;
        if is_settled {
            LAST + (most - LAST) * (left / BIT).clamp(0.0, 1.0)
        } else {
            most
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    const MINUTE_MS: i64 = 60_000;

    /// Typical runs of 30 s.
    fn caution(bound_by_windows: f64) -> Caution {
        Caution {
            short_ms: RUNS * 30_000.0,
            bound_by_windows,
        }
    }

    #[test]
    fn where_waiting_costs_nothing_more_stays_free_than_where_the_window_would_be_over() {
        let bound = caution(1.0);
        assert_eq!(bound.deviations(MINUTE_MS, 0.2, false), HASTY);
        let long = bound.deviations(300 * MINUTE_MS, 0.2, false);
        assert!(long > 0.99 * PATIENT && long < PATIENT, "{long}");
        // Nobody waits for the windows of a queue that its longest chain holds up.
        assert_eq!(caution(0.0).deviations(MINUTE_MS, 0.2, false), PATIENT);
    }

    #[test]
    fn the_less_of_a_settled_window_is_left_the_more_is_dared() {
        let long = |left| caution(0.0).deviations(300 * MINUTE_MS, left, true);
        assert_eq!([long(0.0), long(BIT), long(1.0)], [LAST, PATIENT, PATIENT]);
        assert!(long(0.1) < long(0.2));
    }
}
