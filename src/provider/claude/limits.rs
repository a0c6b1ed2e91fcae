//! The windows of a subscription, as a `rate_limit_event` tells them: with an OAuth login only,
//! once per change, and even when all is well, so that every run refreshes the tank.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::reader::{fraction, limit_name, reset, text};
use super::super::signal::{Observation, Scope, WindowStatus};
use crate::core::Timestamp;

/// The windows by name. `model` is the one that runs.
pub(super) fn windows(
    info: &Value,
    model: Option<&str>,
    now: Timestamp,
) -> BTreeMap<String, Observation> {
    let mut windows: BTreeMap<String, Observation> = info["unifiedWindows"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(id, of)| Some((id.clone(), window(id, of, model, now)?)))
        .collect();
    // The one that binds; what is said of it outranks the list, which may still call it open.
    let binding = text(info, "rateLimitType").and_then(|id| window(id, info, model, now));
    if let Some(mut window) = binding {
        if let Some(listed) = windows.get(&window.limit_id) {
            window.used_fraction = window.used_fraction.or(listed.used_fraction);
            window.resets_at = window.resets_at.or(listed.resets_at);
        }
        windows.insert(window.limit_id.clone(), window);
    }
    // Paid for beyond the plan: a window that is full then stops nothing.
    if info["isUsingOverage"] == true {
        for window in windows.values_mut() {
            if window.status == Some(WindowStatus::Rejected) {
                window.status = Some(WindowStatus::Warning);
            }
        }
    }
    windows
}

fn window(id: &str, of: &Value, model: Option<&str>, now: Timestamp) -> Option<Observation> {
    Some(Observation {
        limit_id: limit_name(id)?,
        scope: scope(id, model),
        duration: super::duration(id),
        status: match of["status"].as_str() {
            Some("allowed") => Some(WindowStatus::Allowed),
            Some("allowed_warning") => Some(WindowStatus::Warning),
            Some("rejected" | "denied") => Some(WindowStatus::Rejected),
            Some(_) | None => None,
        },
        used_fraction: fraction(&of["utilization"], 1.0),
        limit_amount: None,
        remaining_amount: None,
        resets_at: reset(&of["resetsAt"], now),
        observed_at: now,
        source: "event".into(),
        kind: None,
        unit: None,
    })
}

/// Weekly windows of one model family carry its name, or stand for the family that runs.
pub(in crate::provider) fn scope(id: &str, model: Option<&str>) -> Scope {
    const FAMILIES: [&str; 4] = ["opus", "sonnet", "haiku", "fable"];
    let named = |text: &str| FAMILIES.into_iter().find(|f| text.contains(f));
    let family = match id.strip_prefix("seven_day_") {
        Some("overage_included") => model.map(|model| named(model).unwrap_or(model)),
        Some(rest) => named(rest),
        None => None,
    };
    family.map_or(Scope::Account, |family| Scope::Model(family.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paid_for_beyond_the_plan_is_no_wall() {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        let status = |over: bool| {
            let info = serde_json::json!({"status": "rejected", "rateLimitType": "five_hour",
                "resetsAt": 1_795_162_550, "isUsingOverage": over});
            windows(&info, None, now)["five_hour"].status
        };
        assert_eq!(status(false), Some(WindowStatus::Rejected));
        assert_eq!(status(true), Some(WindowStatus::Warning));
    }
}
