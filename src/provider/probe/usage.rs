//! Claude Code's control request `get_usage`: no model call, but it asks the provider's usage
//! page, which limits its pollers. The program answers in 0.4 s; what the provider did not tell
//! it (no network, no subscription) is null.

use std::ffi::OsString;
use std::path::Path;

use serde_json::{Value, json};

use super::super::plan::base_env;
use super::{Answer, Asking, ProbeError, feed, object};
use crate::core::Timestamp;
use crate::core::text::one_line;
use crate::process::{Spec, Stdin};

const QUESTION: &str = "rigs-usage";

pub(super) fn spec(asking: &Asking<'_>, program: &Path) -> Spec {
    let request = json!({
        "type": "control_request",
        "request_id": QUESTION,
        "request": {"subtype": "get_usage", "skip_behaviors": true},
    });
    let args = [
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        "--setting-sources",
        "user",
        "--strict-mcp-config",
    ];
    Spec {
        program: program.to_owned(),
        args: args.map(OsString::from).into(),
        env: environment(asking),
        cwd: asking.cwd.to_owned(),
        stdin: Stdin::Open(format!("{request}\n").into_bytes()),
    }
}

/// Of a Claude Code that is asked about itself: its account, and no update on the way.
pub(super) fn environment(asking: &Asking<'_>) -> std::collections::BTreeMap<String, OsString> {
    let mut env = base_env(asking.env, asking.entry);
    env.insert("DISABLE_AUTOUPDATER".into(), "1".into());
    if let Some(home) = &asking.entry.config_home {
        env.insert("CLAUDE_CONFIG_DIR".into(), home.into());
    }
    let own = asking.entry.env.iter();
    env.extend(own.map(|(name, value)| (name.clone(), value.into())));
    env
}

pub(super) fn is_answer(line: &str) -> bool {
    let line = serde_json::from_str::<Value>(line).unwrap_or_default();
    line["type"] == "control_response" && line["response"]["request_id"] == QUESTION
}

/// Shares of 0 to 100 here, unlike in the events of a run.
pub(super) fn read(line: &str, now: Timestamp) -> Result<Answer, ProbeError> {
    let line = object(line)?;
    let response = &line["response"];
    if response["subtype"] != "success" {
        let error = response["error"].as_str().unwrap_or("it gives no reason");
        return Err(ProbeError::Refused(one_line(error, 300)));
    }
    let usage = &response["response"];
    let mut answer = Answer {
        observations: feed::percents(&usage["rate_limits"], "usage", now),
        ..Answer::default()
    };
    if let Some(plan) = usage["subscription_type"].as_str() {
        answer.said.push(format!("plan {}", one_line(plan, 40)));
    }
    if answer.observations.is_empty() {
        let why = match usage["rate_limits_available"].as_bool() {
            Some(false) => "this login has no limits to tell",
            Some(true) | None => "the provider told it no limits",
        };
        answer.said.push(why.into());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_lack_what_the_provider_did_not_tell() {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        let line = |response: &str| {
            format!(
                r#"{{"type":"control_response","response":{{"subtype":"success","request_id":"rigs-usage","response":{response}}}}}"#
            )
        };
        let told = line(
            r#"{"subscription_type":"max","rate_limits_available":true,"rate_limits":{
                "five_hour":{"utilization":42.5,"resets_at":"2026-11-20T08:10:00.885205+00:00"},
                "seven_day":{"utilization":17,"resets_at":null},"seven_day_opus":null,
                "extra_usage":{"is_enabled":false}}}"#,
        );
        assert!(is_answer(&told));
        let answer = read(&told, now).unwrap();
        let seen: Vec<_> = answer
            .observations
            .iter()
            .map(|o| (o.limit_id.as_str(), o.used_fraction))
            .collect();
        assert_eq!(
            seen,
            [("five_hour", Some(0.425)), ("seven_day", Some(0.17))]
        );
        assert_eq!(answer.said, ["plan max"]);

        let silent = line(r#"{"rate_limits_available":true,"rate_limits":null}"#);
        let answer = read(&silent, now).unwrap();
        assert_eq!(answer.said, ["the provider told it no limits"]);
        assert!(answer.observations.is_empty());

        let refused = r#"{"type":"control_response","response":{"subtype":"error","request_id":"rigs-usage","error":"Unknown request"}}"#;
        assert_eq!(
            read(refused, now).unwrap_err().to_string(),
            "Unknown request"
        );
        assert!(!is_answer(
            r#"{"type":"control_response","response":{"request_id":"r0"}}"#
        ));
    }
}
