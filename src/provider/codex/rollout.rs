//! Codex's own log of a thread. It holds every turn, of this run and of earlier ones; what
//! belongs to the last turn begins at the last `task_started`.

use std::time::Duration;

use serde_json::Value;

use super::super::reader::{count, fraction, limit_name, reset, text};
use super::super::signal::{Observation, Scope, WindowStatus};
use super::{LIMIT, reader::usage_of};
use crate::core::{Timestamp, Usage};

/// What a rollout says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rollout {
    /// Of the whole thread, with one request per response.
    pub(super) total: Option<Usage>,
    /// As last reported.
    pub(super) windows: Vec<Observation>,
    /// How the last turn failed.
    pub(super) error: Option<Failure>,
    pub(super) aborted: bool,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) cause: Option<String>,
    pub(super) status: Option<u16>,
}

pub(super) fn parse(log: &str, now: Timestamp) -> Rollout {
    let mut rollout = Rollout::default();
    let mut requests = 0;
    for line in log.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let payload = &entry["payload"];
        match (entry["type"].as_str(), payload["type"].as_str()) {
            (Some("token_usage_record"), _) => {
                requests += 1;
                let mut total = usage_of(&payload["thread_token_usage"]);
                total.requests = requests;
                rollout.total = Some(total);
            }
            (Some("event_msg"), Some("task_started")) => {
                rollout.error = None;
                rollout.aborted = false;
            }
            (Some("event_msg"), Some("token_count")) => {
                let at = text(&entry, "timestamp").and_then(|t| t.parse().ok());
                // Never from the future: it would outrank all that is observed until then.
                let at = at.map_or(now, |at: Timestamp| at.min(now));
                let windows = windows(&payload["rate_limits"], at, now);
                rollout.windows.retain(|old| {
                    !windows
                        .iter()
                        .any(|new| (&new.limit_id, &new.scope) == (&old.limit_id, &old.scope))
                });
                rollout.windows.extend(windows);
            }
            (Some("event_msg"), Some("task_complete")) => {
                rollout.error = failure(&payload["error"]);
            }
            (Some("event_msg"), Some("turn_aborted")) => rollout.aborted = true,
            _ => {}
        }
    }
    rollout
}

/// `primary` and `secondary` are positions, not names: a window is known by its length.
fn windows(limits: &Value, observed_at: Timestamp, now: Timestamp) -> Vec<Observation> {
    let id = text(limits, "limit_id").unwrap_or(LIMIT);
    let scope = match text(limits, "limit_name").and_then(limit_name) {
        Some(model) if id != LIMIT => Scope::Model(model),
        Some(_) | None => Scope::Account,
    };
    ["primary", "secondary"]
        .into_iter()
        .filter_map(|position| {
            let window = limits[position].as_object()?;
            let of = &limits[position];
            let used = fraction(&of["used_percent"], 100.0);
            let resets_at = reset(&of["resets_at"], now);
            let minutes = count(of, "window_minutes");
            // All zero and no reset: there is no such window.
            if window.is_empty() || (minutes == 0 && resets_at.is_none()) {
                return None;
            }
            Some(Observation {
                limit_id: limit_name(id)?,
                scope: scope.clone(),
                duration: (minutes > 0).then(|| Duration::from_mins(minutes.min(1 << 20))),
                status: used
                    .is_some_and(|used| used >= 1.0)
                    .then_some(WindowStatus::Rejected),
                used_fraction: used,
                limit_amount: None,
                remaining_amount: None,
                resets_at,
                observed_at,
                source: "rollout".into(),
                kind: None,
                unit: None,
            })
        })
        .collect()
}

/// `codex_error_info` is a word, or an object of one key that may hold a status.
fn failure(error: &Value) -> Option<Failure> {
    let message = text(error, "message")?.to_owned();
    let info = &error["codex_error_info"];
    let (cause, status) = match (info.as_str(), info.as_object()) {
        (Some(word), _) => (Some(word.to_owned()), None),
        (None, Some(object)) => match object.iter().next() {
            Some((word, of)) => (
                Some(word.clone()),
                of["http_status_code"]
                    .as_u64()
                    .and_then(|s| u16::try_from(s).ok()),
            ),
            None => (None, None),
        },
        (None, None) => (None, None),
    };
    Some(Failure {
        message,
        cause,
        status,
    })
}
