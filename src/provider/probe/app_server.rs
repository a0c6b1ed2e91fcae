//! Codex's app-server: JSON lines over stdio, `account/rateLimits/read`. It asks the provider's
//! usage page by the login in `CODEX_HOME`, uses no tokens and answers in tenths of a second. It
//! goes when its input ends, so that stays open until the answer is there.

use std::ffi::OsString;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::codex::LIMIT;
use super::super::plan::base_env;
use super::super::reader::{count, fraction, limit_name, reset, text};
use super::super::signal::{Observation, Scope, WindowStatus};
use super::{Answer, Asking, ProbeError, object};
use crate::core::Timestamp;
use crate::core::text::one_line;
use crate::process::{Spec, Stdin};

/// The id of the question among those before it.
const QUESTION: u64 = 2;
/// More limits than any account has.
const MOST: usize = 16;

pub(super) fn spec(asking: &Asking<'_>, program: &std::path::Path) -> Spec {
    let mut args: Vec<OsString> = Vec::new();
    for setting in super::super::codex::SETTINGS {
        args.extend(["-c".into(), (*setting).into()]);
    }
    args.push("app-server".into());
    let mut env = base_env(asking.env, asking.entry);
    if let Some(home) = &asking.entry.config_home {
        env.insert("CODEX_HOME".into(), home.into());
    }
    let own = asking.entry.env.iter();
    env.extend(own.map(|(name, value)| (name.clone(), value.into())));
    Spec {
        program: program.to_owned(),
        args,
        env,
        cwd: asking.cwd.to_owned(),
        stdin: Stdin::Open(words().into_bytes()),
    }
}

fn words() -> String {
    let client = json!({
        "name": "rigs",
        "title": "rigs",
        "version": env!("CARGO_PKG_VERSION"),
    });
    let lines = [
        json!({"id": 0, "method": "initialize", "params": {"clientInfo": client}}),
        json!({"method": "initialized"}),
        json!({"id": QUESTION, "method": "account/rateLimits/read"}),
    ];
    lines.map(|line| format!("{line}\n")).concat()
}

/// The answer, or the refusal to be spoken to at all.
pub(super) fn is_answer(line: &str) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return false;
    };
    line["id"] == QUESTION || (line["id"] == 0 && line.get("error").is_some())
}

pub(super) fn read(line: &str, now: Timestamp) -> Result<Answer, ProbeError> {
    let line = object(line)?;
    if let Some(error) = line.get("error") {
        let message = text(error, "message").unwrap_or("it gives no reason");
        return Err(ProbeError::Refused(one_line(message, 300)));
    }
    let result = &line["result"];
    let mut answer = Answer::default();
    let by_id = result["rateLimitsByLimitId"].as_object();
    if let Some(by_id) = by_id.filter(|by_id| !by_id.is_empty()) {
        for (id, limits) in by_id.iter().take(MOST) {
            answer.observations.extend(windows(id, limits, result, now));
        }
    } else {
        let limits = &result["rateLimits"];
        if !limits.is_object() {
            return Err(ProbeError::Unreadable("no rate limits in it".into()));
        }
        let id = text(limits, "limitId").unwrap_or(LIMIT);
        answer.observations.extend(windows(id, limits, result, now));
    }
    let main = &result["rateLimits"];
    if let Some(plan) = text(main, "planType") {
        answer.said.push(format!("plan {}", one_line(plan, 40)));
    }
    answer.said.extend(credits(&main["credits"]));
    if let Some(reached) = text(main, "rateLimitReachedType") {
        answer
            .said
            .push(format!("reached: {}", one_line(reached, 40)));
    }
    if main["spendControlReached"] == true {
        answer.said.push("its spend limit is reached".into());
    }
    if answer.observations.is_empty() {
        answer.said.push("no limit is stated".into());
    }
    Ok(answer)
}

/// `primary` and `secondary` are positions, not names: a window is known by its length.
fn windows(id: &str, limits: &Value, all: &Value, now: Timestamp) -> Vec<Observation> {
    let scope = match text(limits, "limitName").and_then(limit_name) {
        Some(model) if id != LIMIT => Scope::Model(model),
        Some(_) | None => Scope::Account,
    };
    let Some(id) = limit_name(id) else {
        return Vec::new();
    };
    let mut seen = Vec::new();
    for position in ["primary", "secondary"] {
        let of = &limits[position];
        let used = fraction(&of["usedPercent"], 100.0);
        let resets_at = reset(&of["resetsAt"], now);
        let minutes = count(of, "windowDurationMins");
        // All zero and no reset: there is no such window.
        if !of.is_object() || (minutes == 0 && resets_at.is_none()) {
            continue;
        }
        seen.push(Observation {
            scope: scope.clone(),
            duration: (minutes > 0).then(|| Duration::from_mins(minutes.min(1 << 20))),
            // A window can refuse with room left by the meter: only a word of the server opens.
            status: match (used, all["ordinaryUsageAllowed"].as_bool()) {
                (Some(used), _) if used >= 1.0 => Some(WindowStatus::Rejected),
                (Some(_), Some(true)) => Some(WindowStatus::Allowed),
                (Some(_) | None, _) => None,
            },
            used_fraction: used,
            resets_at,
            ..Observation::new(&id, "app-server", now)
        });
    }
    seen
}

fn credits(credits: &Value) -> Option<String> {
    if credits["unlimited"] == true {
        return Some("credits without limit".into());
    }
    let balance = match &credits["balance"] {
        Value::String(text) if !text.is_empty() => one_line(text, 24),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(format!("credits {balance}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T06:00:00Z";

    fn seen(line: &str) -> Vec<String> {
        let answer = read(line, NOW.parse().unwrap()).unwrap();
        let mut seen: Vec<String> = answer
            .observations
            .iter()
            .map(|o| {
                format!(
                    "{} {:?} {:?} {:?} {:?} {:?}",
                    o.limit_id,
                    o.scope,
                    o.duration.map(|d| d.as_secs() / 3600),
                    o.used_fraction,
                    o.status,
                    o.resets_at.map(|t| t.to_string()),
                )
            })
            .collect();
        seen.extend(answer.said);
        seen
    }

    #[test]
    fn windows_are_named_by_limit_and_length() {
        let five = r#"{"usedPercent":100,"windowDurationMins":300,"resetsAt":1795159635}"#;
        let week = r#"{"usedPercent":17,"windowDurationMins":10080,"resetsAt":1795498035}"#;
        let one = format!(
            r#"{{"limitId":"codex","primary":{five},"secondary":{week},"planType":"plus",
                "credits":{{"hasCredits":true,"unlimited":false,"balance":"12.5"}}}}"#
        );
        let sonic = format!(
            r#"{{"limitId":"codex_bengalfox","limitName":"gpt-5.2-codex-sonic",
                "primary":{week},"secondary":{{"usedPercent":0,"windowDurationMins":0}}}}"#
        );
        let line = format!(
            r#"{{"id":2,"result":{{"ordinaryUsageAllowed":true,"rateLimits":{one},
                "rateLimitsByLimitId":{{"codex":{one},"codex_bengalfox":{sonic}}}}}}}"#
        );
        assert_eq!(
            seen(&line),
            [
                r#"codex Account Some(5) Some(1.0) Some(Rejected) Some("2026-11-20T07:27:15.000Z")"#,
                r#"codex Account Some(168) Some(0.17) Some(Allowed) Some("2026-11-24T05:27:15.000Z")"#,
                r#"codex_bengalfox Model("gpt-5.2-codex-sonic") Some(168) Some(0.17) Some(Allowed) Some("2026-11-24T05:27:15.000Z")"#,
                "plan plus",
                "credits 12.5",
            ]
        );
    }

    #[test]
    fn a_meter_with_room_says_nothing_about_a_wall() {
        let line = r#"{"id":2,"result":{"rateLimits":{"primary":{"usedPercent":39,"windowDurationMins":300},"secondary":null}}}"#;
        assert_eq!(seen(line), ["codex Account Some(5) Some(0.39) None None"]);
    }

    #[test]
    fn refusals_and_nonsense_are_told() {
        let told = |line: &str| read(line, NOW.parse().unwrap()).unwrap_err().to_string();
        assert_eq!(
            told(r#"{"error":{"code":-32600,"message":"chatgpt authentication required"},"id":2}"#),
            "chatgpt authentication required"
        );
        for (line, want) in [
            ("[]", "its answer is not understood: not a JSON object"),
            (
                r#"{"id":2,"result":{}}"#,
                "its answer is not understood: no rate limits in it",
            ),
            (
                r#"{"id":2,"result":{"rateLimits":7}}"#,
                "its answer is not understood: no rate limits in it",
            ),
        ] {
            assert_eq!(told(line), want);
        }
        // Figures that are none are no windows.
        let wild = r#"{"id":2,"result":{"rateLimits":{"primary":{"usedPercent":1e300,"windowDurationMins":-5,"resetsAt":9e99}}}}"#;
        assert_eq!(seen(wild), ["no limit is stated"]);
    }

    #[test]
    fn only_the_answer_ends_the_conversation() {
        for (line, is) in [
            (r#"{"id":0,"result":{"userAgent":"rigs/0"}}"#, false),
            (r#"{"id":0,"error":{"message":"no"}}"#, true),
            (r#"{"method":"configWarning","params":{}}"#, false),
            (r#"{"id":2,"result":{}}"#, true),
            ("not JSON", false),
        ] {
            assert_eq!(is_answer(line), is, "{line}");
        }
    }
}
