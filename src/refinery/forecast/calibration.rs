//! Learns from the windows that are over how far the upper quantiles were off, and moves them.
//!
//! An adaptive conformal wrapper (after Gibbs and Candes 2021) in its simplest form: each
//! upper quantile has a factor; a window whose total lies above the quantile raises it, one
//! below lowers it, in the proportion that leaves a right quantile where it is. It keeps the
//! promise "nine of ten windows end below p90" after a change of habits, which no model of the
//! past alone can.

use super::history::{History, Instance};
use super::model::Model;
use super::spread::Spread;

/// The quantiles that are moved; below the first one nothing is.
const MOVED: [f64; 3] = [0.75, 0.9, 0.95];
/// Moments of each window at which it is judged, as shares of its length.
const JUDGED: [f64; 3] = [1.0 / 6.0, 0.5, 5.0 / 6.0];
/// How fast factors move, as a logarithm per window; long windows are few and move twice as fast.
const RATE: f64 = 0.06;
const LONG: f64 = 86_400.0;
/// No factor leaves these bounds.
const LEAST: f64 = -0.7;
const MOST: f64 = 1.2;
/// The first windows are not judged: there is nothing to forecast from.
pub(super) const UNJUDGED: usize = 2;

/// The factors for one length of window.
#[derive(Debug, Clone)]
pub(super) struct Calibration {
    length: f64,
    /// Logarithms of the factors of `MOVED`.
    moves: [f64; 3],
    /// The first instance not judged yet.
    next: usize,
}

impl Calibration {
    /// Begins with the instance number `from`.
    pub(super) fn new(length: f64, from: usize) -> Self {
        Self {
            length,
            moves: [0.0; 3],
            next: from.max(UNJUDGED),
        }
    }

    /// Judges every instance that is over by `now`.
    pub(super) fn learn(
        &mut self,
        model: &Model,
        history: &History,
        instances: &[Instance],
        now: f64,
    ) {
        while let Some(instance) = instances.get(self.next).filter(|i| i.ends <= now) {
            self.next += 1;
            if !history.was_closed(instance.starts, instance.ends) {
                self.judge(model, history, instance);
            }
        }
    }

    fn judge(&mut self, model: &Model, history: &History, instance: &Instance) {
        let before = history.count_before(instance.starts);
        let mut missed = [0.0; 3];
        let mut judged = 0.0;
        for share in JUDGED {
            let at = instance.starts + self.length * share;
            let Some(ahead) = model.ahead(history, at, instance.ends - at) else {
                continue;
            };
            let ahead = self.applied(&ahead);
            let rest = instance.total - (history.until(at) - history.sum(before));
            judged += 1.0;
            for (missed, level) in missed.iter_mut().zip(MOVED) {
                if rest > ahead.at(level) {
                    *missed += 1.0;
                }
            }
        }
        if judged > 0.0 {
            let rate = if self.length < LONG { RATE } else { 2.0 * RATE };
            for ((log, missed), level) in self.moves.iter_mut().zip(missed).zip(MOVED) {
                let moved = *log + rate * (missed / judged - (1.0 - level));
                *log = moved.clamp(LEAST, MOST);
            }
        }
    }

    /// The forecast with its upper quantiles moved; between the moved ones in proportion.
    pub(super) fn applied(&self, ahead: &Spread) -> Spread {
        let knots = [
            (0.5, 0.0),
            (MOVED[0], self.moves[0]),
            (MOVED[1], self.moves[1]),
            (MOVED[2], self.moves[2]),
        ];
        ahead.stretched(|p| {
            let after = knots.partition_point(|(level, _)| *level < p);
            let log = match (after.checked_sub(1), knots.get(after)) {
                (None, _) => 0.0,
                (Some(i), None) => knots[i].1,
                (Some(i), Some((level, log))) => {
                    let part = (p - knots[i].0) / (level - knots[i].0);
                    knots[i].1 + (log - knots[i].1) * part
                }
            };
            log.exp()
        })
    }
}
