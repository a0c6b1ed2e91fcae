//! When the sources of a closed tank are asked by themselves: at the reset that was stated, before
//! anybody relies on it, and now and then until it, because limits are lifted early.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::{ProviderName, Timestamp};
use crate::refinery::Tank;

/// Between two looks at a tank that is closed, give or take a quarter.
const EARLY: Duration = Duration::from_mins(10);

/// The looks that are planned. In memory only: how often a source may be asked is in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Looks(BTreeMap<ProviderName, Timestamp>);

impl Looks {
    /// Plans looks at the tanks that are closed and have somebody to ask, and gives those that
    /// are due. `unit` is uniform in 0 to 1: several foremen of one account must not ask at the
    /// same moment.
    pub(crate) fn plan(
        &mut self,
        tanks: &[Tank],
        has_sources: impl Fn(&ProviderName) -> bool,
        now: Timestamp,
        unit: f64,
    ) -> Vec<ProviderName> {
        // What was planned is done even where the tank has opened by the clock meanwhile: that is
        // the moment for which it was planned.
        let due: Vec<ProviderName> = self
            .0
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(name, _)| name.clone())
            .collect();
        self.0.retain(|name, at| {
            let tank = tanks.iter().find(|tank| tank.provider == *name);
            *at > now && tank.is_some_and(|tank| tank.next_reset.is_some())
        });
        for tank in tanks {
            if tank.next_reset.is_none() || !has_sources(&tank.provider) {
                continue;
            }
            let stated = tank
                .windows
                .iter()
                .filter(|w| w.blocked_until().is_some())
                .filter_map(|w| w.resets_at)
                .max();
            let early = now + EARLY.mul_f64(0.75 + unit.clamp(0.0, 1.0) / 2.0);
            let planned = self.0.entry(tank.provider.clone()).or_insert(early);
            if let Some(stated) = stated.filter(|at| *at > now) {
                *planned = (*planned).min(stated);
            }
        }
        due
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.0.values().min().copied()
    }
}
