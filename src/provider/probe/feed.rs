//! What is given to rigs instead of asked for: the JSON that Claude Code hands to a status line,
//! events of its stream-json, lines of Codex's rollout files.
//!
//! A status line is drawn again and again with what the last answer of ITS session said, which
//! may be hours old and carries no time. What it says of a window is therefore news only where
//! it is more than is known; see [`is_news`].

use std::time::Duration;

use serde_json::Value;

use super::super::reader::{fraction, limit_name, reset};
use super::super::signal::Observation;
use super::super::{claude, codex};
use crate::core::{ProviderKind, Timestamp};

/// Most bytes that are read.
pub(crate) const MOST: usize = 16 << 20;

/// What was found in what was given.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Feed {
    /// Each with the kind of agent that speaks.
    pub(crate) windows: Vec<(ProviderKind, Observation)>,
    /// Kinds of agents that speak, also those that say nothing about limits.
    pub(crate) kinds: Vec<ProviderKind>,
}

/// Why nothing was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("there is nothing on stdin")]
    Empty,
    #[error("what is on stdin is longer than {} MiB", MOST >> 20)]
    TooLong,
    #[error("what is on stdin is not JSON")]
    NotJson,
    #[error("what is on stdin is JSON, but nothing that an agent says about its limits")]
    Unknown,
    #[error("`rate_limits` on stdin is not understood")]
    Unreadable,
}

/// One JSON document, or lines of them.
pub(crate) fn read(given: &str, now: Timestamp) -> Result<Feed, FeedError> {
    if given.len() > MOST {
        return Err(FeedError::TooLong);
    }
    if given.trim().is_empty() {
        return Err(FeedError::Empty);
    }
    let mut feed = Feed::default();
    let (mut documents, mut known) = (0, 0);
    let mut one = |document: &Value| -> Result<(), FeedError> {
        documents += 1;
        known += usize::from(feed.take(document, now)?);
        Ok(())
    };
    match serde_json::from_str::<Value>(given) {
        Ok(document) => one(&document)?,
        Err(_) => {
            for line in given.lines() {
                if let Ok(document) = serde_json::from_str::<Value>(line) {
                    one(&document)?;
                }
            }
        }
    }
    match (documents, known) {
        (0, _) => Err(FeedError::NotJson),
        (_, 0) => Err(FeedError::Unknown),
        (..) => Ok(feed),
    }
}

impl Feed {
    /// Whether it is something that an agent says.
    fn take(&mut self, document: &Value, now: Timestamp) -> Result<bool, FeedError> {
        let limits = &document["rate_limits"];
        let (kind, windows) = match (document["type"].as_str(), document.is_object()) {
            (Some("rate_limit_event"), _) => {
                let windows = claude::windows(&document["rate_limit_info"], now);
                (ProviderKind::Claude, windows)
            }
            (Some("event_msg" | "token_usage_record" | "session_meta"), _) => {
                let windows = codex::windows_of_log(&document.to_string(), now);
                (ProviderKind::Codex, windows)
            }
            (Some("system" | "assistant" | "user" | "result" | "stream_event"), _) => {
                (ProviderKind::Claude, Vec::new())
            }
            (None, true) if limits.is_object() => {
                let windows = percents(limits, "statusline", now);
                let is_empty = limits
                    .as_object()
                    .is_some_and(|o| o.values().all(Value::is_null));
                if windows.is_empty() && !is_empty {
                    return Err(FeedError::Unreadable);
                }
                (ProviderKind::Claude, windows)
            }
            (None, true) if limits.is_null() && is_status_line(document) => {
                (ProviderKind::Claude, Vec::new())
            }
            (None, true) if !limits.is_null() => return Err(FeedError::Unreadable),
            (Some(_) | None, _) => return Ok(false),
        };
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        for window in windows {
            // Of several words on one window the last one counts.
            self.windows.retain(|(k, w)| {
                (k, &w.limit_id, &w.scope, w.duration)
                    != (&kind, &window.limit_id, &window.scope, window.duration)
            });
            self.windows.push((kind, window));
        }
        Ok(true)
    }
}

/// A fresh session, or an API key, has no limits in it.
fn is_status_line(document: &Value) -> bool {
    ["session_id", "workspace", "transcript_path"]
        .iter()
        .any(|key| document.get(key).is_some())
}

/// Windows by name, each with a share of 0 to 100 and a reset; what is null or of another shape
/// is no window.
pub(super) fn percents(windows: &Value, source: &str, now: Timestamp) -> Vec<Observation> {
    let named = windows.as_object().into_iter().flatten();
    named
        .filter_map(|(name, of)| {
            let share = ["used_percentage", "utilization"]
                .iter()
                .find_map(|key| fraction(&of[*key], 100.0))?;
            let id = limit_name(name)?;
            Some(Observation {
                scope: claude::scope(&id, None),
                duration: Some(claude::duration(&id)?),
                used_fraction: Some(share),
                resets_at: reset(&of["resets_at"], now),
                ..Observation::new(&id, source, now)
            })
        })
        .collect()
}

/// Whether a share without a time of its own tells anything: in another stretch than the one
/// that is known, always; in the same one only when it is higher, because use never falls.
pub(crate) fn is_news(
    known: Option<(f64, Option<Timestamp>)>,
    said: &Observation,
    now: Timestamp,
) -> bool {
    const NEAR: Duration = Duration::from_mins(10);
    let Some(share) = said.used_fraction else {
        return false;
    };
    // The stretch that it tells of is over.
    if said.resets_at.is_some_and(|at| at <= now) {
        return false;
    }
    let Some((known, resets_at)) = known else {
        return true;
    };
    let is_same = match (resets_at, said.resets_at) {
        (Some(a), Some(b)) if b > a => b.since(a) <= NEAR,
        (Some(at), None) => at > now,
        // An older stretch, told late, or one that nobody can place.
        (Some(_) | None, _) => true,
    };
    !is_same || share > known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T06:00:00Z".parse().unwrap()
    }

    fn said(given: &str) -> Result<Vec<String>, String> {
        let feed = read(given, now()).map_err(|e| e.to_string())?;
        let told = feed.windows.iter().map(|(kind, o)| {
            let share = o.used_fraction.map_or("?".into(), |f| f.to_string());
            let reset = o.resets_at.map_or("?".into(), |t| t.to_string());
            format!("{kind} {} {share} {reset} by {}", o.limit_id, o.source)
        });
        Ok(told.collect())
    }

    #[test]
    fn a_status_line_tells_its_windows_whatever_else_is_in_it() {
        let line = |limits: &str| {
            format!(r#"{{"session_id":"s","model":{{"id":"m"}},"rate_limits":{limits}}}"#)
        };
        let both = r#"{"five_hour":{"used_percentage":23.5,"resets_at":1795161600},
            "seven_day":{"used_percentage":41,"resets_at":"2026-11-24T09:00:00Z"}}"#;
        assert_eq!(
            said(&line(both)).unwrap(),
            [
                "claude five_hour 0.235 2026-11-20T08:00:00.000Z by statusline",
                "claude seven_day 0.41 2026-11-24T09:00:00.000Z by statusline",
            ]
        );
        // More than all of it, a part that is null, a reset that nobody told.
        let odd = r#"{"five_hour":{"used_percentage":105,"resets_at":null},"seven_day":null}"#;
        assert_eq!(
            said(&line(odd)).unwrap(),
            ["claude five_hour 1.05 ? by statusline"]
        );
        for silent in [
            r#"{"session_id":"s"}"#,
            &line("null"),
            &line(r#"{"five_hour":null}"#),
        ] {
            assert_eq!(said(silent), Ok(vec![]), "{silent}");
        }
    }

    #[test]
    fn lines_of_agents_are_taken_and_the_last_word_counts() {
        let event = |used: f64| {
            format!(
                r#"{{"type":"rate_limit_event","rate_limit_info":{{"status":"allowed_warning",
                    "resetsAt":1795161600,"rateLimitType":"five_hour","utilization":{used}}}}}"#
            )
            .replace('\n', "")
        };
        let codex = r#"{"timestamp":"2026-11-20T05:59:00Z","type":"event_msg","payload":{"type":"token_count","rate_limits":{"limit_id":"codex","primary":{"used_percent":40,"window_minutes":300,"resets_at":1795161600}}}}"#;
        let lines = format!(
            "{{\"type\":\"system\"}}\n{}\nnot JSON\n{}\n{codex}\n",
            event(0.8),
            event(0.9)
        );
        assert_eq!(
            said(&lines).unwrap(),
            [
                "claude five_hour 0.9 2026-11-20T08:00:00.000Z by event",
                "codex codex 0.4 2026-11-20T08:00:00.000Z by rollout",
            ]
        );
    }

    #[test]
    fn nonsense_is_told_apart() {
        for (given, want) in [
            ("", "there is nothing on stdin"),
            (" \n", "there is nothing on stdin"),
            ("hello", "what is on stdin is not JSON"),
            (
                "{}",
                "what is on stdin is JSON, but nothing that an agent says about its limits",
            ),
            (
                "[1]",
                "what is on stdin is JSON, but nothing that an agent says about its limits",
            ),
            (
                r#"{"rate_limits":{"five_hour":{"used_percentage":"many"}}}"#,
                "`rate_limits` on stdin is not understood",
            ),
            (
                r#"{"rate_limits":{"five_hour":{"used_percentage":-1}}}"#,
                "`rate_limits` on stdin is not understood",
            ),
            (
                r#"{"rate_limits":7}"#,
                "`rate_limits` on stdin is not understood",
            ),
        ] {
            assert_eq!(said(given).unwrap_err(), want, "{given}");
        }
        let huge = " ".repeat(MOST + 1);
        assert_eq!(
            said(&huge).unwrap_err(),
            "what is on stdin is longer than 16 MiB"
        );
    }

    #[test]
    fn an_old_session_does_not_take_back_what_a_newer_one_said() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (past, this, next) = (
            at("2026-11-20T03:00:00Z"),
            at("2026-11-20T08:00:00Z"),
            at("2026-11-20T13:00:00Z"),
        );
        let word = |share: Option<f64>, resets_at| Observation {
            used_fraction: share,
            resets_at,
            ..Observation::new("five_hour", "statusline", now())
        };
        for (known, share, reset, want) in [
            (None, Some(0.1), Some(this), true),
            (None, None, Some(this), false),
            (None, Some(0.1), Some(past), false),
            (Some((0.5, Some(this))), Some(0.4), Some(this), false),
            (Some((0.5, Some(this))), Some(0.5), Some(this), false),
            (Some((0.5, Some(this))), Some(0.6), Some(this), true),
            (Some((0.5, Some(this))), Some(0.6), None, true),
            (Some((0.5, Some(this))), Some(0.1), None, false),
            (Some((0.5, Some(this))), Some(0.1), Some(next), true),
            (Some((0.5, Some(next))), Some(0.4), Some(this), false),
            (Some((0.5, Some(past))), Some(0.1), Some(this), true),
            (Some((0.5, Some(past))), Some(0.1), None, true),
            (Some((0.5, None)), Some(0.1), Some(this), false),
        ] {
            let word = word(share, reset);
            assert_eq!(is_news(known, &word, now()), want, "{known:?} {word:?}");
        }
    }
}
