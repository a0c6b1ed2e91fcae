//! The forecast of a whole tank: of each of its windows, or why there is none.

use schemars::JsonSchema;
use serde::Serialize;

use super::file::Tested;
use super::history::History;
use super::past::Past;
use super::{Forecaster, Standing};
use crate::config::{LimitKind, LimitUnit};
use crate::core::{ProviderName, Timestamp};
use crate::provider::Scope;
use crate::refinery::stored::scope_text;
use crate::refinery::window::Window;

/// What is expected until the next resets.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TankForecast {
    /// The window that is likeliest to run out; null where none can be forecast.
    pub(crate) window: Option<String>,
    /// That it runs out before its reset, 0 to 1.
    pub(crate) p_exhausted: Option<f64>,
    pub(crate) runs_out: Option<RunsOut>,
    pub(crate) windows: Vec<WindowForecast>,
}

/// When a window has run out in half, one of ten and one of a hundred futures; null: not before
/// the reset. p99 is the early, careful one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RunsOut {
    pub(crate) p50: Option<Timestamp>,
    pub(crate) p90: Option<Timestamp>,
    pub(crate) p99: Option<Timestamp>,
}

/// Totals at the reset that half, nine of ten and 99 of a hundred futures stay below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Total {
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
}

/// What is expected of one window until its reset. Amounts are in the window's unit, of a
/// percent window in tokens.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct WindowForecast {
    pub(crate) id: String,
    /// `account`, or `model:` and its name.
    pub(crate) scope: String,
    pub(crate) unit: LimitUnit,
    pub(crate) resets_at: Option<Timestamp>,
    /// Why there is no forecast; the fields after this one are null then.
    pub(crate) unknown: Option<String>,
    pub(crate) p_exhausted: Option<f64>,
    pub(crate) runs_out: Option<RunsOut>,
    pub(crate) total: Option<Total>,
    /// What may still be added so that nine of ten futures fit.
    pub(crate) headroom_p90: Option<u64>,
}

/// What is expected of one provider's windows.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ProviderForecast {
    pub(crate) provider: ProviderName,
    pub(crate) forecast: TankForecast,
}

impl TankForecast {
    pub(crate) fn of(windows: &[Window], past: &Past, now: Timestamp) -> Self {
        let mut forecasters: Vec<(Scope, LimitUnit, Forecaster)> = Vec::new();
        let windows: Vec<WindowForecast> = windows
            .iter()
            .filter(|w| w.kind != LimitKind::Concurrency)
            .map(|w| {
                let forecast = standing(w, past, now).and_then(|standing| {
                    let (scope, unit) = (&w.key.scope, counted_in(w.unit));
                    let known = forecasters
                        .iter()
                        .position(|f| f.0 == *scope && f.1 == unit);
                    let at = known.unwrap_or_else(|| {
                        let history = past.history(scope, unit);
                        forecasters.push((scope.clone(), unit, Forecaster::new(history, now)));
                        forecasters.len() - 1
                    });
                    let forecast = forecasters[at].2.forecast(&standing);
                    forecast.ok_or("too little was used so far to tell")
                });
                WindowForecast::new(w, forecast)
            })
            .collect();
        let worst = windows
            .iter()
            .filter(|w| w.p_exhausted.is_some())
            .max_by(|a, b| {
                let p = |w: &WindowForecast| w.p_exhausted.unwrap_or(0.0);
                p(a).total_cmp(&p(b))
            });
        Self {
            window: worst.map(|w| w.id.clone()),
            p_exhausted: worst.and_then(|w| w.p_exhausted),
            runs_out: worst.and_then(|w| w.runs_out),
            windows,
        }
    }
}

/// What can be tested of a provider's past: windows that count the same, with their history.
pub(crate) fn tested(
    provider: &ProviderName,
    windows: &[Window],
    past: &Past,
) -> Vec<(String, Vec<Tested>, History)> {
    let mut groups: Vec<(Scope, LimitUnit, Vec<Tested>)> = Vec::new();
    for w in windows {
        let is_stretch = match w.kind {
            LimitKind::Anchored | LimitKind::Calendar | LimitKind::Percent => true,
            LimitKind::Refill
            | LimitKind::Rolling
            | LimitKind::Balance
            | LimitKind::Concurrency => false,
        };
        let (Some(limit), Some(length)) = (w.limit, w.key.duration) else {
            continue;
        };
        if !is_stretch || limit == 0 || length.as_secs() < 600 {
            continue;
        }
        let tested = Tested {
            id: w.name.clone(),
            length,
            limit,
        };
        let (scope, unit) = (&w.key.scope, counted_in(w.unit));
        match groups.iter_mut().find(|g| g.0 == *scope && g.1 == unit) {
            Some(group) => group.2.push(tested),
            None => groups.push((scope.clone(), unit, vec![tested])),
        }
    }
    let named = groups.into_iter().map(|(scope, unit, windows)| {
        let name = match &scope {
            Scope::Account => format!("{provider} {unit}"),
            Scope::Model(model) => format!("{provider} {model} {unit}"),
        };
        (name, windows, past.history(&scope, unit))
    });
    named.collect()
}

fn counted_in(unit: LimitUnit) -> LimitUnit {
    match unit {
        LimitUnit::Percent => LimitUnit::Tokens,
        LimitUnit::Requests
        | LimitUnit::Tokens
        | LimitUnit::InputTokens
        | LimitUnit::OutputTokens
        | LimitUnit::AllTokens
        | LimitUnit::MicroUsd
        | LimitUnit::Runs => unit,
    }
}

/// Where a window stands, or why it cannot be forecast.
fn standing(w: &Window, past: &Past, now: Timestamp) -> Result<Standing, &'static str> {
    match w.kind {
        LimitKind::Anchored | LimitKind::Calendar | LimitKind::Percent => {}
        LimitKind::Refill => return Err("it fills up steadily"),
        LimitKind::Rolling => return Err("it has no reset: what was used falls out bit by bit"),
        LimitKind::Balance => return Err("it has no reset"),
        LimitKind::Concurrency => return Err("slots are not used up"),
    }
    let Some(limit) = w.limit else {
        return Err("its size is not known yet");
    };
    let used = match (w.unit, w.share, w.used) {
        (LimitUnit::Percent, Some(share), _) => Some((share * limit as f64).round() as u64),
        (LimitUnit::Percent, None, _) | (_, _, None) => None,
        (
            LimitUnit::Requests
            | LimitUnit::Tokens
            | LimitUnit::InputTokens
            | LimitUnit::OutputTokens
            | LimitUnit::AllTokens
            | LimitUnit::MicroUsd
            | LimitUnit::Runs,
            _,
            Some(used),
        ) => Some(used),
    };
    let Some(used) = used else {
        return Err("nobody said how much of it is used");
    };
    let Some(resets_at) = w.resets_at.filter(|at| *at > now) else {
        return Err("it begins with the next use");
    };
    Ok(Standing {
        used,
        limit,
        length: w.key.duration.unwrap_or_else(|| resets_at.since(now)),
        resets_at,
        unseen: past.unseen(&w.key, now),
    })
}

impl WindowForecast {
    fn new(w: &Window, forecast: Result<super::Forecast, &'static str>) -> Self {
        let known = forecast.as_ref().ok();
        let [p50, p90, p99] = known.map_or([None; 3], |f| f.runs_out);
        Self {
            id: w.name.clone(),
            scope: scope_text(&w.key.scope),
            unit: counted_in(w.unit),
            resets_at: w.resets_at,
            unknown: forecast.err().map(ToOwned::to_owned),
            p_exhausted: known.map(|f| (f.p_exhausted * 1000.0).round() / 1000.0),
            runs_out: known.map(|_| RunsOut { p50, p90, p99 }),
            total: known.map(|f| Total {
                p50: f.total[0],
                p90: f.total[1],
                p99: f.total[2],
            }),
            headroom_p90: known.map(|f| f.headroom),
        }
    }
}
