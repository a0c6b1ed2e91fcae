//! The two forecasts together.

use super::analogs::Analogs;
use super::bursts::Bursts;
use super::history::{History, Instance};
use super::spread::Spread;

/// What is prepared once for a history and asked for many moments. Answers use nothing later
/// than the moment they are asked for.
#[derive(Debug, Clone)]
pub(super) struct Model {
    analogs: Analogs,
    bursts: Bursts,
}

impl Model {
    /// For moments up to `end`.
    pub(super) fn new(history: &History, end: f64) -> Self {
        Self {
            analogs: Analogs::new(history, end),
            bursts: Bursts::new(history),
        }
    }

    /// What will be used in the `horizon` seconds after `now`; `None` where too little is known.
    pub(super) fn ahead(&self, history: &History, now: f64, horizon: f64) -> Option<Spread> {
        let bursts = self.bursts.ahead(history, now, horizon);
        let analogs = self.analogs.ahead(history, now, horizon);
        match (bursts, analogs) {
            (Some(a), Some(b)) => Some(a.average(&b)),
            (a, b) => a.or(b),
        }
    }
}

/// What each of the `earlier` windows still used in the `horizon` seconds after the same time had
/// passed: the forecast that any better one must beat.
pub(super) fn climatology(
    history: &History,
    earlier: &[Instance],
    elapsed: f64,
    horizon: f64,
) -> Option<Spread> {
    let mut rests: Vec<f64> = earlier
        .iter()
        .map(|i| {
            let until = i.starts + elapsed + horizon;
            let by_then = if until >= i.ends {
                i.total
            } else {
                history.until(until) - history.before(i.starts)
            };
            by_then - (history.until(i.starts + elapsed) - history.before(i.starts))
        })
        .collect();
    Spread::of(&mut rests)
}
