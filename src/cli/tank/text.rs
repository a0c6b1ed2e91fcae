//! Tanks as text. One column or line per fact, so that more can be told without touching the rest.

use anstyle::Style;

use super::super::page::{BAD, BOLD, Cell, DIM, GOOD, Page, Table, WARN, cell, gauge};
use super::super::when::{Due, ago};
use crate::config::LimitUnit;
use crate::core::text::thousands;
use crate::core::time::Span;
use crate::core::{MicroUsd, Timestamp};
use crate::refinery::forecast::TankForecast;
use crate::refinery::{Confidence, Health, TankView, WindowView};

fn style(health: Health) -> Style {
    match health {
        Health::Green => GOOD,
        Health::Yellow => WARN,
        Health::Red | Health::Empty => BAD,
        Health::Unknown => DIM,
    }
}

/// `[#####-----]  52 % left`; dots and `unknown` where nobody knows, `no limit` where there are
/// slots and nothing that could be used up.
fn left(tank: &TankView) -> String {
    let has_fuel = tank.windows.iter().any(|w| w.unit != LimitUnit::Runs);
    match tank.ratio {
        Some(_) if !has_fuel => "no limit".to_owned(),
        Some(ratio) => format!("{} {:>3.0} % left", gauge(Some(ratio), 10), ratio * 100.0),
        None => format!("{} unknown", gauge(None, 10)),
    }
}

pub(crate) fn list(page: &mut Page, tanks: &[TankView], now: Timestamp) {
    let mut table = Table::new(
        &[
            "PROVIDER", "HEALTH", "LEFT", "WINDOW", "RESET", "RUNNING", "SOURCE", "NOTES",
        ],
        7,
    );
    for tank in tanks {
        let tightest = tightest(tank);
        let reset = tank
            .next_reset
            .or(tightest.and_then(|w| w.resets_at))
            .map(|at| Due { at, now });
        table.row([
            cell(&tank.provider),
            cell(tank.health.as_str()).style(style(tank.health)),
            cell(left(tank)).style(style(tank.health)),
            cell(tightest.map_or("", |w| &w.id)),
            optional(reset),
            optional((tank.in_flight > 0).then_some(tank.in_flight)).right(),
            optional(tightest.map(|w| source(w, now))),
            cell(note(tank, now)),
        ]);
    }
    page.table(&table);
}

fn optional(text: Option<impl std::fmt::Display>) -> Cell {
    cell(text.map_or(String::new(), |text| text.to_string()))
}

/// The window with the least left, which speaks for the tank.
fn tightest(tank: &TankView) -> Option<&WindowView> {
    tank.windows
        .iter()
        .filter(|w| w.percent.is_some() && w.unit != LimitUnit::Runs)
        .max_by(|a, b| {
            a.percent
                .unwrap_or(0.0)
                .total_cmp(&b.percent.unwrap_or(0.0))
        })
}

/// Of a tank with nobody behind it.
const SIMULATED: &str = "simulated, nobody's capacity";

/// What a person should know first: what is paused, else what is not known.
fn note(tank: &TankView, now: Timestamp) -> String {
    let said = known(tank, now);
    match (tank.simulated, said.as_str()) {
        (false, _) => said,
        (true, "") => SIMULATED.to_owned(),
        (true, said) => format!("{SIMULATED}; {said}"),
    }
}

fn known(tank: &TankView, now: Timestamp) -> String {
    if let Some(circuit) = tank.circuits.first() {
        return format!("{} {}: {}", circuit.scope, circuit.state, circuit.reason);
    }
    match tank.ratio {
        None => "one bead at a time until it is known".to_owned(),
        Some(_) => tank
            .forecast
            .as_ref()
            .filter(|f| f.p_exhausted.is_some_and(|p| p >= WORTH_TELLING))
            .and_then(|f| in_short(f, now))
            .unwrap_or_default(),
    }
}

/// `runs out in 2h (p50), 62 %`: the chance is that of running out before the reset.
fn in_short(forecast: &TankForecast, now: Timestamp) -> Option<String> {
    let chance = chance(forecast.p_exhausted?);
    Some(match forecast.runs_out.and_then(|r| r.p50) {
        Some(at) if at <= now => String::new(),
        Some(at) => format!("runs out {} (p50), {chance}", roughly(at, now)),
        None => format!("{chance} to run out"),
    })
}

/// A window that is less likely to run out is no news in a list.
const WORTH_TELLING: f64 = 0.05;

/// `5h_tokens runs out in 2h (p50), 62 % before the reset`.
fn expected(forecast: &TankForecast, now: Timestamp) -> Option<String> {
    let (window, p) = (forecast.window.as_ref()?, forecast.p_exhausted?);
    let at = forecast.runs_out.and_then(|r| r.p50);
    let chance = chance(p);
    Some(match at {
        Some(at) if at <= now => format!("{window} is used up"),
        Some(at) => format!(
            "{window} runs out {} (p50), {chance} before the reset",
            roughly(at, now)
        ),
        None => format!("{window} runs out before the reset with {chance}"),
    })
}

/// Whole percents; a forecast is never quite certain.
pub(super) fn chance(p: f64) -> String {
    match (p * 100.0).round() {
        _ if p >= 1.0 => "100 %".to_owned(),
        percent if percent >= 100.0 => ">99 %".to_owned(),
        percent if percent < 1.0 => "<1 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// `in 2h 10m`: no forecast is good to the second.
pub(super) fn roughly(at: Timestamp, now: Timestamp) -> String {
    let minutes = (at.since(now).as_secs() + 30) / 60;
    ago(now + std::time::Duration::from_mins(minutes), now)
}

/// Where a figure comes from and how old it is.
fn source(w: &WindowView, now: Timestamp) -> String {
    let said = match w.observed_at {
        Some(at) => format!("{} {}", w.source, ago(at, now)),
        None => w.source.clone(),
    };
    match w.confidence {
        Confidence::Low => format!("{said}, a guess"),
        Confidence::High | Confidence::Medium | Confidence::None => said,
    }
}

pub(super) fn amount(n: u64, unit: LimitUnit) -> String {
    match unit {
        LimitUnit::Percent => format!("{n}%"),
        LimitUnit::MicroUsd => MicroUsd(i64::try_from(n).unwrap_or(i64::MAX)).to_string(),
        LimitUnit::Tokens
        | LimitUnit::InputTokens
        | LimitUnit::OutputTokens
        | LimitUnit::AllTokens
        | LimitUnit::Requests
        | LimitUnit::Runs => format!("{} {unit}", thousands(n)),
    }
}

/// `12,000 of 35,000 tokens`, with `?` for what nobody knows.
fn used(w: &WindowView) -> String {
    match (w.used, w.limit) {
        (Some(used), Some(limit)) if w.unit == LimitUnit::Percent || limit == 0 => {
            amount(used, w.unit)
        }
        (Some(used), Some(limit)) => format!("{} of {}", thousands(used), amount(limit, w.unit)),
        (Some(used), None) => format!("{} of ?", amount(used, w.unit)),
        (None, Some(limit)) if w.unit != LimitUnit::Percent => {
            format!("? of {}", amount(limit, w.unit))
        }
        (None, Some(_) | None) => "unknown".to_owned(),
    }
}

pub(crate) fn show(page: &mut Page, tank: &TankView, now: Timestamp) {
    page.styled(BOLD, tank.provider.as_str());
    page.fields(&[
        ("simulated", tank.simulated.then(|| SIMULATED.to_owned())),
        ("health", Some(tank.health.to_string())),
        ("left", Some(left(tank))),
        (
            "next reset",
            tank.next_reset.map(|at| Due { at, now }.to_string()),
        ),
        ("running", Some(tank.in_flight.to_string())),
        (
            "forecast",
            tank.forecast.as_ref().and_then(|f| expected(f, now)),
        ),
        (
            "kept for you",
            (tank.reserve > 0.0).then(|| format!("{:.0}%", tank.reserve * 100.0)),
        ),
    ]);
    for circuit in &tank.circuits {
        let until = circuit.until.map_or(String::new(), |at| {
            format!(", tried again {}", Due { at, now })
        });
        page.line(format!(
            "{} is {}: {}{until}",
            circuit.scope, circuit.state, circuit.reason
        ));
    }
    page.blank();
    let mut table = Table::new(
        &[
            "WINDOW", "SCOPE", "KIND", "LENGTH", "USED", "RESERVED", "RESET", "SOURCE",
        ],
        7,
    );
    for w in &tank.windows {
        let reset = w.closed_until.max(w.resets_at);
        let length = w.duration_seconds.map_or(String::new(), |s| {
            Span(std::time::Duration::from_secs(s)).to_string()
        });
        let reserved = w.reserved.filter(|n| *n > 0);
        table.row([
            cell(&w.id),
            cell(&w.scope),
            cell(w.kind),
            cell(length).right(),
            cell(used(w)).right(),
            cell(reserved.map_or(String::new(), |n| amount(n, w.unit))).right(),
            optional(reset.map(|at| Due { at, now })),
            cell(source(w, now)),
        ]);
    }
    page.table(&table);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refinery::forecast::RunsOut;

    #[test]
    fn a_forecast_is_told_without_more_certainty_than_it_has() {
        let chances = [0.0, 0.004, 0.12, 0.994, 0.995, 1.0].map(chance);
        assert_eq!(chances, ["<1 %", "<1 %", "12 %", "99 %", ">99 %", "100 %"]);
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let told = |p, after: Option<u64>| {
            let p50 = after.map(|s| now + std::time::Duration::from_secs(s));
            let forecast = TankForecast {
                window: Some("5h_tokens".into()),
                p_exhausted: Some(p),
                runs_out: Some(RunsOut {
                    p50,
                    p90: p50,
                    p99: p50,
                }),
                windows: Vec::new(),
            };
            (in_short(&forecast, now), expected(&forecast, now))
        };
        let lines = |short: &str, long: &str| (Some(short.to_owned()), Some(long.to_owned()));
        assert_eq!(
            told(0.12, None),
            lines(
                "12 % to run out",
                "5h_tokens runs out before the reset with 12 %"
            )
        );
        assert_eq!(
            told(0.62, Some(7_213)),
            lines(
                "runs out in 2h (p50), 62 %",
                "5h_tokens runs out in 2h (p50), 62 % before the reset"
            )
        );
        assert_eq!(told(1.0, Some(0)), lines("", "5h_tokens is used up"));
    }
}
