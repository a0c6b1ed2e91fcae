//! The windows of a ChatGPT plan: `x-codex-{primary,secondary}-{used-percent,window-minutes,
//! reset-at,reset-after-seconds}`, and the same under another name for a family of models with a
//! limit of its own (`x-NAME-primary-...`, `x-NAME-limit-name`). Places are not names: a window is
//! known by its length (openai/codex, `codex-api/src/rate_limits.rs`).

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::reader::{fraction, limit_name};
use super::super::signal::{Observation, Scope, WindowStatus};
use super::{Headers, get, moment};
use crate::core::{LimitKind, LimitUnit, Timestamp};

const OWN: &str = "codex";
/// More families than any account has.
const MOST: usize = 8;

pub(super) fn observations(headers: Headers<'_>, now: Timestamp) -> Vec<Observation> {
    let families: BTreeSet<&str> = headers
        .iter()
        .filter_map(|(name, _)| {
            let rest = name.strip_prefix("x-")?;
            ["-primary-used-percent", "-secondary-used-percent"]
                .iter()
                .find_map(|end| rest.strip_suffix(end))
        })
        .collect();
    families
        .into_iter()
        .take(MOST)
        .flat_map(|family| {
            ["primary", "secondary"]
                .into_iter()
                .filter_map(move |place| window(headers, family, place, now))
        })
        .collect()
}

fn window(headers: Headers<'_>, family: &str, place: &str, now: Timestamp) -> Option<Observation> {
    let of = |what: &str| get(headers, &format!("x-{family}-{place}-{what}"));
    let used = of("used-percent").and_then(|v| v.parse::<f64>().ok());
    let used = used.and_then(|used| fraction(&used.into(), 100.0));
    let minutes: u64 = of("window-minutes")
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    let resets_at = of("reset-at")
        .filter(|at| *at != "0")
        .or_else(|| of("reset-after-seconds").filter(|at| *at != "0"))
        .and_then(|at| moment(at, now));
    // All zero and no reset: there is no such window.
    if minutes == 0 && resets_at.is_none() {
        return None;
    }
    let model = get(headers, &format!("x-{family}-limit-name")).and_then(limit_name);
    Some(Observation {
        scope: model
            .filter(|_| family != OWN)
            .map_or(Scope::Account, Scope::Model),
        duration: (minutes > 0).then(|| Duration::from_mins(minutes.min(1 << 20))),
        status: used
            .is_some_and(|used| used >= 1.0)
            .then_some(WindowStatus::Rejected),
        used_fraction: used,
        resets_at,
        kind: Some(LimitKind::Percent),
        unit: Some(LimitUnit::Percent),
        ..Observation::new(&limit_name(family)?, "header", now)
    })
}
