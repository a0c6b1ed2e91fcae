//! Anthropic's two families: the buckets of an API key, which fill up steadily, and the windows
//! of a subscription, of which only a share is told.
//!
//! `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`
//! (platform.claude.com, "Rate limits"): per minute and family of models; `reset` is when the
//! bucket is full, and may lie in the past.
//! `anthropic-ratelimit-unified-{5h,7d,7d_MODEL}-{utilization,reset,status}`: of the whole account
//! or of one model; `utilization` is a fraction.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::claude::limits;
use super::super::reader::{fraction, limit_name};
use super::super::signal::{Observation, WindowStatus};
use super::{Headers, counted, get, moment, of_model};
use crate::core::{LimitKind, LimitUnit, Timestamp};

const CLASSIC: &str = "anthropic-ratelimit-";
const UNIFIED: &str = "anthropic-ratelimit-unified-";
/// More windows than any account has.
const MOST: usize = 16;

pub(super) fn classic(
    headers: Headers<'_>,
    model: Option<&str>,
    now: Timestamp,
) -> Vec<Observation> {
    [
        ("requests", LimitUnit::Requests),
        ("tokens", LimitUnit::Tokens),
        ("input-tokens", LimitUnit::InputTokens),
        ("output-tokens", LimitUnit::OutputTokens),
    ]
    .into_iter()
    .filter_map(|(name, unit)| {
        let of = |what: &str| get(headers, &format!("{CLASSIC}{name}-{what}"));
        let seen = Observation {
            scope: of_model(model),
            duration: Some(Duration::from_mins(1)),
            resets_at: of("reset").and_then(|at| moment(at, now)),
            ..Observation::new(&name.replace('-', "_"), "header", now)
        };
        counted(of("limit"), of("remaining"), seen, unit, LimitKind::Refill)
    })
    .collect()
}

pub(super) fn unified(
    headers: Headers<'_>,
    model: Option<&str>,
    now: Timestamp,
) -> Vec<Observation> {
    let word = |name: &str| get(headers, &format!("{UNIFIED}{name}"));
    // Paid for beyond the plan: a window that is full then stops nothing.
    let beyond = word("overage-in-use") == Some("true");
    let names: BTreeSet<&str> = headers
        .iter()
        .filter_map(|(name, _)| name.strip_prefix(UNIFIED))
        .filter_map(|rest| {
            ["-utilization", "-status", "-reset"]
                .iter()
                .find_map(|end| rest.strip_suffix(end))
        })
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let mut windows: Vec<Observation> = names
        .into_iter()
        .take(MOST)
        .filter_map(|short| {
            let id = limit_name(&long_name(short))?;
            let of = |what: &str| word(&format!("{short}-{what}"));
            let used = of("utilization").and_then(|v| v.parse::<f64>().ok());
            Some(Observation {
                scope: limits::scope(&id, model),
                duration: super::super::claude::duration(&id),
                status: status(of("status"), beyond),
                used_fraction: used.and_then(|used| fraction(&used.into(), 1.0)),
                resets_at: of("reset").and_then(|at| moment(at, now)),
                kind: Some(LimitKind::Percent),
                unit: Some(LimitUnit::Percent),
                ..Observation::new(&id, "header", now)
            })
        })
        .collect();
    // The one that binds, where the list leaves out that it is closed.
    let binding = word("representative-claim").and_then(limit_name);
    if let (Some(id), Some(WindowStatus::Rejected)) = (binding, status(word("status"), beyond)) {
        let resets_at = word("reset").and_then(|at| moment(at, now));
        match windows.iter_mut().find(|w| w.limit_id == id) {
            Some(window) => {
                window.status = Some(WindowStatus::Rejected);
                window.resets_at = window.resets_at.max(resets_at);
            }
            None => windows.push(Observation {
                scope: limits::scope(&id, model),
                duration: super::super::claude::duration(&id),
                status: Some(WindowStatus::Rejected),
                resets_at,
                kind: Some(LimitKind::Percent),
                unit: Some(LimitUnit::Percent),
                ..Observation::new(&id, "header", now)
            }),
        }
    }
    windows
}

/// The name that events use for the same window.
fn long_name(short: &str) -> String {
    match short {
        "5h" => "five_hour".into(),
        "7d" => "seven_day".into(),
        "7d_oi" => "seven_day_overage_included".into(),
        other => match other.strip_prefix("7d_") {
            Some(model) => format!("seven_day_{model}"),
            None => other.to_owned(),
        },
    }
}

fn status(word: Option<&str>, beyond: bool) -> Option<WindowStatus> {
    match word? {
        "allowed" => Some(WindowStatus::Allowed),
        "allowed_warning" => Some(WindowStatus::Warning),
        "rejected" | "denied" if beyond => Some(WindowStatus::Warning),
        "rejected" | "denied" => Some(WindowStatus::Rejected),
        _ => None,
    }
}
