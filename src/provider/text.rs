//! What the kinds without a program share: their errors as facts for a table, and what the
//! headers of their answers say about limits.

use std::time::Duration;

use chrono::DateTime;

use super::reset;
use super::rule::{Facts, Rule, first, rule};
use super::signal::{Class, Observation, Outcome, Scope, WindowStatus};
use super::{embedded, ollama, openai};
use crate::core::text::one_line;
use crate::core::{ProviderKind, Timestamp};
use crate::llm::LlmError;

/// What an error of a model client means, by the table of the kind.
pub(crate) fn classify(kind: ProviderKind, error: &LlmError, now: Timestamp) -> Outcome {
    let table: &[Rule] = match kind {
        ProviderKind::Ollama => ollama::TABLE,
        ProviderKind::Openai => openai::TABLE,
        ProviderKind::Embedded => embedded::TABLE,
        ProviderKind::Claude
        | ProviderKind::Codex
        | ProviderKind::Gemini
        | ProviderKind::Opencode
        | ProviderKind::Command => &[],
    };
    let decided = first(&[table, REST], &facts(error));
    let (name, class) = decided.map_or(("not_understood", Class::Broken), |r| (r.name, r.class));
    let waits = matches!(class, Class::Limit | Class::RateLimited | Class::Overloaded);
    Outcome {
        class,
        rule: name,
        message: one_line(&error.to_string(), super::reader::MESSAGE),
        resets_at: if waits { reset_of(error, now) } else { None },
        scope: Scope::Account,
    }
}

/// The rows after those of each kind; together they leave nothing undecided.
const REST: &[Rule] = &[
    rule("unreachable", Class::Network, |f| f.cause(&["unreachable"])),
    rule("timed_out", Class::TimedOut, |f| f.cause(&["timeout"])),
    rule("cut_off", Class::Network, |f| {
        f.cause(&["malformed"]) && f.says(&["cut off", "ended before"])
    }),
    rule("prompt_too_long", Class::ContextTooLong, |f| {
        f.cause(&["too_long"])
    }),
    rule("model_unusable", Class::BadModel, |f| {
        f.cause(&["unusable"])
    }),
    rule("login_refused", Class::Auth, |f| f.is(401) || f.is(403)),
    rule("no_such_endpoint", Class::BadModel, |f| {
        matches!(f.status, Some(300..=399 | 404 | 405 | 410))
    }),
    rule("too_many_requests", Class::RateLimited, |f| f.is(429)),
    rule("server_timed_out", Class::Network, |f| {
        f.is(408) || f.is(504) || f.is(524)
    }),
    rule("server_error", Class::Overloaded, |f| {
        matches!(f.status, Some(500..=599))
    }),
    rule("request_refused", Class::Broken, |f| f.status.is_some()),
    rule("not_understood", Class::Broken, |_| true),
];

fn facts(error: &LlmError) -> Facts {
    let (cause, status, text) = match error {
        LlmError::Unreachable { reason, .. } => ("unreachable", None, reason.as_str()),
        LlmError::Timeout { .. } => ("timeout", None, ""),
        LlmError::Status { status, body, .. } => ("status", Some(*status), body.as_str()),
        LlmError::Malformed { reason, .. } => ("malformed", None, reason.as_str()),
        LlmError::TooLong { .. } => ("too_long", None, ""),
        LlmError::Unusable(text) => ("unusable", None, text.as_str()),
    };
    Facts {
        finished: Some(false),
        status,
        causes: vec![cause.into()],
        text: text.to_lowercase(),
        ..Facts::default()
    }
}

/// When the server wants to be asked again: its header, else the reset of a window that it says
/// is used up, else what its sentence says.
fn reset_of(error: &LlmError, now: Timestamp) -> Option<Timestamp> {
    let LlmError::Status { headers, body, .. } = error else {
        return None;
    };
    retry_after(headers, now)
        .or_else(|| empty_until(&observations(headers, None, now)))
        .or_else(|| reset::from_text(body, now))
}

/// When the server wants to be asked again.
pub(super) fn retry_after(headers: &[(String, String)], now: Timestamp) -> Option<Timestamp> {
    let (_, value) = headers.iter().find(|(name, _)| name == "retry-after")?;
    moment(value, now)
}

/// When the last of the windows that are used up fills again.
pub(super) fn empty_until(windows: &[Observation]) -> Option<Timestamp> {
    let empty = windows
        .iter()
        .filter(|w| w.remaining_amount == Some(0) || w.status == Some(WindowStatus::Rejected));
    empty.filter_map(|w| w.resets_at).max()
}

/// The windows in the headers of an answer: `x-ratelimit-{limit,remaining,reset}`, with
/// `-requests` or `-tokens` behind where a server counts both. OpenAI counts by model.
pub(crate) fn observations(
    headers: &[(String, String)],
    model: Option<&str>,
    now: Timestamp,
) -> Vec<Observation> {
    let mut seen = Vec::new();
    for unit in ["requests", "tokens", ""] {
        let get = |what: &str| {
            let mut name = format!("x-ratelimit-{what}");
            if !unit.is_empty() {
                name = format!("{name}-{unit}");
            }
            headers
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.trim())
        };
        // Some servers say -1 or 0 of 0 where they do not count.
        let amount = |what: &str| get(what).and_then(|v| v.parse::<u64>().ok());
        let Some(limit) = amount("limit").filter(|limit| *limit > 0) else {
            continue;
        };
        let remaining = amount("remaining").map(|left| left.min(limit));
        seen.push(Observation {
            limit_id: if unit.is_empty() { "requests" } else { unit }.to_owned(),
            scope: model.map_or(Scope::Account, |m| Scope::Model(m.to_owned())),
            duration: None,
            status: None,
            used_fraction: remaining.map(|left| (limit - left) as f64 / limit as f64),
            limit_amount: Some(limit),
            remaining_amount: remaining,
            resets_at: get("reset").and_then(|v| moment(v, now)),
            observed_at: now,
            source: "header".into(),
            kind: None,
            unit: None,
        });
    }
    seen
}

/// A point in time as headers write it: seconds or `1h2m3.5s` from now, seconds or milliseconds
/// since 1970, RFC 3339, or an HTTP date. Nonsense and minus one are nothing.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let at = if let Ok(number) = text.parse::<f64>() {
        if !number.is_finite() || number < 0.0 {
            return None;
        }
        match number {
            // A year of seconds is more than any window; 1e11 seconds are the year 5138.
            n if n < 40e6 => now + Duration::try_from_secs_f64(n).ok()?,
            n if n < 1e11 => Timestamp::from_millis((n * 1e3) as i64),
            n => Timestamp::from_millis(n as i64),
        }
    } else if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        Timestamp::from_millis(date.timestamp_millis())
    } else if text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['s', 'm', 'h', 'd'])
    {
        now + reset::span(text)
    } else {
        return None;
    };
    reset::plausible(at, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T08:00:00Z";

    #[test]
    fn times_are_read_in_every_form_that_servers_use() {
        let now: Timestamp = NOW.parse().unwrap();
        for (text, seconds) in [
            ("7", Some(7.0)),
            ("0", Some(0.0)),
            ("1.5", Some(1.5)),
            ("12ms", Some(0.012)),
            ("6m0s", Some(360.0)),
            ("1h2m3.5s", Some(3723.5)),
            ("1795161660", Some(60.0)),
            ("1795161660000", Some(60.0)),
            ("2026-11-20T08:01:00Z", Some(60.0)),
            ("Fri, 20 Nov 2026 08:01:00 GMT", Some(60.0)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            let got = moment(text, now).map(|t| t.since(now).as_secs_f64());
            assert_eq!(got, seconds, "{text}");
        }
    }

    #[test]
    fn windows_are_read_from_headers_and_uncounted_ones_are_not() {
        let now: Timestamp = NOW.parse().unwrap();
        let headers = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect()
        };
        let both = headers(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "45"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "-1"),
            ("x-ratelimit-remaining-tokens", "0"),
        ]);
        assert_eq!(
            observations(&both, Some("gpt-5"), now),
            [Observation {
                limit_id: "requests".into(),
                scope: Scope::Model("gpt-5".into()),
                duration: None,
                status: None,
                used_fraction: Some(0.25),
                limit_amount: Some(60),
                remaining_amount: Some(45),
                resets_at: Some(now + Duration::from_secs(1)),
                observed_at: now,
                source: "header".into(),
                kind: None,
                unit: None,
            }]
        );
        assert_eq!(observations(&[], None, now), []);
    }

    #[test]
    fn the_reset_is_the_headers_or_the_empty_windows_or_the_sentences() {
        let now: Timestamp = NOW.parse().unwrap();
        let wait = |headers: &[(&str, &str)], body: &str| {
            let error = LlmError::Status {
                endpoint: "S".into(),
                status: 429,
                body: body.into(),
                headers: headers
                    .iter()
                    .map(|(a, b)| ((*a).into(), (*b).into()))
                    .collect(),
            };
            let outcome = classify(ProviderKind::Openai, &error, now);
            assert_eq!(outcome.class, Class::RateLimited);
            outcome.resets_at.map(|t| t.since(now).as_millis())
        };
        let empty = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "9"),
            ("x-ratelimit-reset-requests", "50s"),
            ("x-ratelimit-limit-tokens", "60000"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "20s"),
        ];
        assert_eq!(wait(&[("retry-after", "7")], "try again in 1s"), Some(7000));
        assert_eq!(wait(&empty, "Please try again in 41.724s."), Some(20_000));
        assert_eq!(wait(&[], "Please try again in 41.724s."), Some(41_724));
        assert_eq!(wait(&[], "slow down"), None);
    }
}
