//! Tanks as `--json` shows them: field names are a contract, fields are only ever added.

use schemars::JsonSchema;
use serde::Serialize;

use super::circuit::{CircuitWord, State};
use super::forecast::TankForecast;
use super::stored::scope_text;
use super::tank::{Health, Tank};
use super::window::{Confidence, Window};
use crate::config::{LimitKind, LimitUnit};
use crate::core::{ProviderName, Timestamp};

/// The capacity of one provider.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct TankView {
    pub(crate) provider: ProviderName,
    /// Whether its runs are only simulated, so that nothing here is anybody's capacity.
    pub(crate) simulated: bool,
    pub(crate) health: Health,
    /// Share left in the window with the least, 0 to 1; null when unknown.
    pub(crate) ratio: Option<f64>,
    /// When the last of the windows that block now is open again.
    pub(crate) next_reset: Option<Timestamp>,
    pub(crate) windows: Vec<WindowView>,
    /// Accounts and models that are paused or disabled.
    pub(crate) circuits: Vec<CircuitView>,
    /// Attempts running here.
    pub(crate) in_flight: u64,
    /// Share of every window kept for the person, 0 to 1.
    pub(crate) reserve: f64,
    /// What is expected until the next resets.
    pub(crate) forecast: Option<TankForecast>,
}

/// One limit of a tank.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct WindowView {
    pub(crate) id: String,
    /// `account`, or `model:` and its name.
    pub(crate) scope: String,
    pub(crate) kind: LimitKind,
    pub(crate) unit: LimitUnit,
    /// In `unit`; null when unknown. 100 for percent.
    pub(crate) limit: Option<u64>,
    /// In `unit`; null when unknown.
    pub(crate) used: Option<u64>,
    /// Promised to running attempts, in `unit`; null where the window's size is unknown.
    pub(crate) reserved: Option<u64>,
    /// Share used in percent, with one decimal; null when unknown.
    pub(crate) percent: Option<f64>,
    /// Tokens in the whole of a percent window, where that was learned or set.
    pub(crate) tokens: Option<u64>,
    /// From and to how many they are, where that was learned.
    pub(crate) tokens_between: Option<[u64; 2]>,
    pub(crate) duration_seconds: Option<u64>,
    pub(crate) resets_at: Option<Timestamp>,
    /// Closed by the provider until then.
    pub(crate) closed_until: Option<Timestamp>,
    pub(crate) source: String,
    pub(crate) observed_at: Option<Timestamp>,
    pub(crate) confidence: Confidence,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CircuitView {
    pub(crate) scope: String,
    pub(crate) state: CircuitWord,
    pub(crate) until: Option<Timestamp>,
    /// What happened, and what to do about it.
    pub(crate) reason: String,
}

impl Tank {
    pub(crate) fn view(&self, now: Timestamp) -> TankView {
        TankView {
            provider: self.provider.clone(),
            simulated: false,
            health: self.health,
            ratio: self.ratio.map(|r| (r * 1000.0).round() / 1000.0),
            next_reset: self.next_reset,
            windows: self.windows.iter().map(WindowView::from).collect(),
            circuits: self
                .circuits
                .iter()
                .filter_map(|(scope, circuit)| {
                    let (until, reason) = match &circuit.state {
                        State::Closed => return None,
                        State::Open { until, class } => (Some(*until), class.to_string()),
                        State::Disabled { class, reason, .. } => {
                            (None, format!("{class}: {reason}"))
                        }
                    };
                    Some(CircuitView {
                        scope: scope_text(scope),
                        state: circuit.word(now),
                        until,
                        reason,
                    })
                })
                .collect(),
            in_flight: self.in_flight,
            reserve: self.reserve,
            forecast: None,
        }
    }
}

impl From<&Window> for WindowView {
    fn from(w: &Window) -> Self {
        let percent = w.share.map(|s| (s * 1000.0).round() / 10.0);
        let is_percent = w.kind == LimitKind::Percent;
        let promised = match w.limit {
            Some(limit) if limit > 0 => {
                Some((w.reserved as f64 * 100.0 / limit as f64).ceil() as u64)
            }
            Some(_) | None => None,
        };
        Self {
            id: w.name.clone(),
            scope: scope_text(&w.key.scope),
            kind: w.kind,
            unit: w.unit,
            limit: if is_percent { Some(100) } else { w.limit },
            used: if is_percent {
                percent.map(|p| p.ceil() as u64)
            } else {
                w.used
            },
            reserved: if is_percent {
                promised
            } else {
                Some(w.reserved)
            },
            percent,
            tokens: w.limit.filter(|_| is_percent),
            tokens_between: w.size.map(|size| [size.safe, size.most]),
            duration_seconds: w.key.duration.map(|d| d.as_secs()),
            resets_at: w.resets_at,
            closed_until: w.closed_until,
            source: w.source.clone(),
            observed_at: w.observed_at,
            confidence: w.confidence,
        }
    }
}
