//! What a pass sees of the providers: read once, then again whenever capacity changed hands.

use std::collections::BTreeMap;

use super::super::{Context, ForemanError};
use crate::core::{ProviderName, Timestamp};
use crate::db::Conn;
use crate::dispatch::outcomes::Records;
use crate::policy::{Does, Policy};
use crate::refinery::Tank;
use crate::refinery::store as refinery;

/// Tanks, and what only some rules ask about.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pub(super) tanks: Vec<Tank>,
    /// What became of earlier attempts; empty where nothing is to be learned.
    pub(super) records: Records,
    /// Chance that a window is used up before its reset, by provider, scope and name.
    exhausted: BTreeMap<(ProviderName, String, String), f64>,
    last_starts: BTreeMap<ProviderName, Timestamp>,
}

impl Sight {
    pub(super) async fn of(
        ctx: &Context,
        policy: &Policy,
        conn: &mut Conn,
        now: Timestamp,
    ) -> Result<Self, ForemanError> {
        let tanks = refinery::load(conn, &ctx.tanks, now).await?;
        let rules = &policy.rules;
        let mut sight = Self {
            tanks,
            records: if ctx.settings.routing.learn {
                crate::dispatch::store::load(conn).await?
            } else {
                Records::default()
            },
            ..Self::default()
        };
        if rules.iter().any(|r| r.when.p_exhausted.is_some()) {
            let forecasts = refinery::forecasts(conn, &sight.tanks, now).await?;
            for (tank, forecast) in sight.tanks.iter().zip(forecasts) {
                for w in forecast.windows {
                    if let Some(p) = w.p_exhausted {
                        sight
                            .exhausted
                            .insert((tank.provider.clone(), w.scope, w.id), p);
                    }
                }
            }
        }
        if rules.iter().any(|r| matches!(r.does, Does::Delay { .. })) {
            sight.last_starts = refinery::last_starts(conn).await?;
        }
        Ok(sight)
    }

    pub(super) fn tank(&self, name: &ProviderName) -> Option<&Tank> {
        self.tanks.iter().find(|t| t.provider == *name)
    }

    pub(super) fn exhausted(&self, name: &ProviderName, scope: &str, id: &str) -> Option<f64> {
        let key = (name.clone(), scope.to_owned(), id.to_owned());
        self.exhausted.get(&key).copied()
    }

    pub(super) fn last_start(&self, name: &ProviderName) -> Option<Timestamp> {
        self.last_starts.get(name).copied()
    }
}
