//! Endings that no recording has, each read from the few lines that decide it.

use super::super::{Class, Ending, Outcome, Scope, Signal, StopReason};
use super::{exit, now, reader};
use crate::core::{MicroUsd, ProviderKind, Usage};
use crate::process::Exit;
use std::time::Duration;

/// Reads `lines` with kind `command` and ends with `code`.
fn any_program(lines: &[&str], code: i32) -> (Vec<Signal>, Outcome, String) {
    let mut reader = reader(ProviderKind::Command);
    let signals = lines.iter().flat_map(|l| reader.line(l, now())).collect();
    let outcome = reader.finish(&exit(code, "Traceback\nError: it broke\n"), now());
    (signals, outcome, reader.answer().to_owned())
}

#[test]
fn plain_text_is_the_answer_and_the_exit_code_decides() {
    let (_, outcome, answer) = any_program(&["", "Hello", "", "{not json", "world\u{1b}[2J"], 0);
    assert_eq!(answer, "\nHello\n\n{not json\nworld".trim_start());
    assert_eq!((outcome.class, outcome.rule), (Class::Done, "finished"));

    let (_, outcome, _) = any_program(&["Hello"], 3);
    assert_eq!(
        (outcome.class, outcome.rule),
        (Class::Failed, "failed_exit")
    );
    assert_eq!(outcome.message, "Error: it broke");

    let (_, outcome, _) = any_program(&["You've hit your limit"], 75);
    assert_eq!((outcome.class, outcome.resets_at), (Class::Limit, None));
}

#[test]
fn the_protocol_tells_session_usage_text_wall_and_result() {
    let (signals, outcome, answer) = any_program(
        &[
            r#"{"type":"session","id":"s-1"}"#,
            r#"{"type":"session","id":"--resume-all"}"#,
            r#"{"type":"usage","input":10,"output":5,"requests":1,"cost_usd":0.25}"#,
            r#"{"type":"usage","input":9,"output":-5,"requests":1.5,"cost_usd":-1}"#,
            "noise",
            r#"{"type":"text","text":"working"}"#,
            r#"{"type":"limit","window":"5h","resets_at":1795162550,"used":1.0}"#,
            r#"{"type":"result","ok":false,"text":"later"}"#,
        ],
        0,
    );
    let used = Usage {
        input: 10,
        output: 5,
        requests: 1,
        cost_micro_usd: MicroUsd(250_000),
        ..Usage::default()
    };
    assert!(signals.contains(&Signal::Session("s-1".into())));
    assert!(!signals.contains(&Signal::Session("--resume-all".into())));
    assert_eq!(
        signals
            .iter()
            .filter(|s| matches!(s, Signal::UsageSoFar(_)))
            .collect::<Vec<_>>(),
        [&Signal::UsageSoFar(used)]
    );
    let window = signals.iter().find_map(|s| match s {
        Signal::Window(w) => Some((w.limit_id.as_str(), w.duration)),
        _ => None,
    });
    assert_eq!(window, Some(("5h", Some(Duration::from_hours(5)))));
    assert_eq!(
        outcome,
        Outcome {
            class: Class::Limit,
            rule: "wall_reported",
            message: "later".into(),
            resets_at: Some("2026-11-20T08:15:50Z".parse().expect("a time")),
            scope: Scope::Account,
        }
    );
    assert_eq!(answer, "");

    let (_, outcome, answer) = any_program(
        &[
            r#"{"type":"text","text":"a"}"#,
            r#"{"type":"text","text":"b"}"#,
        ],
        0,
    );
    assert_eq!((outcome.class, answer.as_str()), (Class::Done, "a\nb"));
}

#[test]
fn a_success_that_did_not_exit_well_is_broken_unless_we_ended_it() {
    let result = r#"{"type":"result","subtype":"success","is_error":false,"result":"done"}"#;
    let mut claude = reader(ProviderKind::Claude);
    claude.line(result, now());
    let by = |exit, stopped| {
        let end = Ending {
            exit: Some(exit),
            stopped,
            stderr_tail: String::new(),
        };
        claude.finish(&end, now()).rule
    };
    assert_eq!(by(Exit::Code(1), None), "bad_exit_after_result");
    assert_eq!(
        by(Exit::Signal(15), Some(StopReason::AfterResult)),
        "finished"
    );
    assert_eq!(by(Exit::Code(143), Some(StopReason::Shutdown)), "finished");
    assert_eq!(by(Exit::Code(0), None), "finished");
}

#[test]
fn the_words_of_an_agent_that_succeeded_are_no_wall() {
    let mut claude = reader(ProviderKind::Claude);
    claude.line(
        r#"{"type":"result","subtype":"success","is_error":false,"result":"You've hit your 5-hour limit · resets 7am (UTC)"}"#,
        now(),
    );
    assert_eq!(claude.finish(&exit(0, ""), now()).class, Class::Done);
}

#[test]
fn the_wall_of_one_model_does_not_close_the_account() {
    let mut claude = reader(ProviderKind::Claude);
    for line in [
        r#"{"type":"system","subtype":"init","model":"claude-opus-5-5"}"#,
        r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795162550,"rateLimitType":"seven_day_opus","unifiedWindows":{"five_hour":{"utilization":0.4,"resetsAt":1795160000,"status":"allowed"}}}}"#,
        r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your Opus limit"}"#,
    ] {
        claude.line(line, now());
    }
    let outcome = claude.finish(&exit(1, ""), now());
    assert_eq!((outcome.class, outcome.rule), (Class::Limit, "usage_limit"));
    assert_eq!(outcome.scope, Scope::Model("opus".into()));
    assert!(outcome.scope.covers(Some("claude-opus-5-5")) && outcome.scope.covers(None));
    assert!(!outcome.scope.covers(Some("claude-sonnet-5-5")));
}

#[test]
fn of_several_closed_windows_the_latest_reset_counts() {
    let mut claude = reader(ProviderKind::Claude);
    for line in [
        r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795162550,"rateLimitType":"five_hour","unifiedWindows":{"five_hour":{"resetsAt":1795162550,"status":"rejected"},"seven_day":{"resetsAt":1795500950,"status":"rejected"}}}}"#,
        r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"limit"}"#,
    ] {
        claude.line(line, now());
    }
    let outcome = claude.finish(&exit(1, ""), now());
    let latest = "2026-11-24T06:15:50Z".parse().expect("a time");
    assert_eq!(outcome.resets_at, Some(latest));
}

#[test]
fn errors_that_no_recording_has_are_classed_too() {
    let ended = |kind: ProviderKind, line: &str| {
        let mut reader = reader(kind);
        reader.line(line, now());
        let outcome = reader.finish(&exit(1, ""), now());
        (outcome.class, outcome.rule, outcome.may_resume())
    };
    let claude = |status: u16, text: &str| {
        let line = serde_json::json!({"type": "result", "subtype": "success", "is_error": true,
            "api_error_status": status, "terminal_reason": "api_error", "result": text});
        ended(ProviderKind::Claude, &line.to_string())
    };
    let codex = |text: &str| {
        let line = serde_json::json!({"type": "turn.failed", "error": {"message": text}});
        ended(ProviderKind::Codex, &line.to_string())
    };
    for (got, want) in [
        (
            claude(400, "Prompt is too long"),
            (Class::ContextTooLong, "context_too_long", false),
        ),
        (
            claude(400, "messages: bad"),
            (Class::Failed, "bad_request", false),
        ),
        (
            claude(404, "model: nope"),
            (Class::BadModel, "unknown_model", true),
        ),
        (
            claude(
                429,
                "You have reached your API usage limits: you will regain access on 2026-12-01 at 00:00 UTC.",
            ),
            (Class::OutOfCredit, "spend_limit", true),
        ),
        (
            claude(429, "Claude AI usage limit reached|1795162550"),
            (Class::Limit, "usage_limit_text", true),
        ),
        (
            codex("Codex ran out of room in the model's context window."),
            (Class::ContextTooLong, "context_too_long", false),
        ),
        (
            codex("The 'x' model is not supported when using Codex with a ChatGPT account."),
            (Class::BadModel, "unknown_model", true),
        ),
        (
            codex(
                "Your access token could not be refreshed because your refresh token was revoked. Please log out and sign in again.",
            ),
            (Class::Auth, "login", true),
        ),
    ] {
        assert_eq!(got, want);
    }
}

#[test]
fn codex_counts_the_requests_of_its_log_and_no_earlier_turn_is_blamed() {
    let record = |n: u64| {
        format!(
            r#"{{"type":"token_usage_record","payload":{{"thread_token_usage":{{"input_tokens":{},"cached_input_tokens":{},"output_tokens":{}}}}}}}"#,
            1200 * n,
            800 * n,
            34 * n
        )
    };
    let old_failure = r#"{"type":"event_msg","payload":{"type":"task_complete","error":{"message":"old","codex_error_info":"usage_limit_exceeded"}}}"#;
    let log = [record(1), record(2), old_failure.to_owned()].join("\n");
    let mut codex = reader(ProviderKind::Codex);
    codex.line(r#"{"type":"turn.failed","error":{"message":"new"}}"#, now());
    codex.log_file(&log, now());
    assert_eq!(
        codex.usage(),
        Usage {
            input: 800,
            output: 68,
            cache_read: 1600,
            requests: 2,
            ..Usage::default()
        }
    );
    let outcome = codex.finish(&exit(1, ""), now());
    assert_eq!(
        (outcome.class, outcome.message.as_str()),
        (Class::Failed, "new")
    );
}

#[test]
fn a_host_without_a_sandbox_is_named() {
    let mut codex = reader(ProviderKind::Codex);
    codex.line(
        r#"{"type":"item.completed","item":{"type":"command_execution","command":"ls","aggregated_output":"error: Sandbox(LandlockRestrict)","exit_code":101}}"#,
        now(),
    );
    codex.line(r#"{"type":"turn.completed","usage":{}}"#, now());
    let outcome = codex.finish(&exit(0, ""), now());
    assert!(
        outcome.message.contains("sandbox does not work"),
        "{}",
        outcome.message
    );
}

#[test]
fn a_server_that_gemini_waited_for_is_told_from_one_that_is_not_there() {
    let ended = |seconds: u64| {
        let mut gemini = reader(ProviderKind::Gemini);
        gemini.line(r#"{"type":"message","role":"user","content":"x"}"#, now());
        let later = now() + Duration::from_secs(seconds);
        gemini.error_line(
            "Attempt 1 failed. Retrying with backoff... Error: exception TypeError: fetch failed sending request",
            later,
        );
        gemini.line(
            r#"{"type":"result","status":"error","error":{"message":"[API Error: exception TypeError: fetch failed sending request]"}}"#,
            later,
        );
        let outcome = gemini.finish(&exit(1, ""), later);
        (outcome.class, outcome.rule)
    };
    assert_eq!(ended(5), (Class::Network, "network"));
    assert_eq!(ended(60), (Class::Silent, "no_answer"));
}

#[test]
fn gemini_errors_that_no_recording_has_are_classed_too() {
    let ended = |code: i32, said: &str| {
        let mut gemini = reader(ProviderKind::Gemini);
        let error = serde_json::json!({"type": "result", "status": "error", "error": {"message": format!("[API Error: {said}]")},
            "stats": {"models": {"gemini-3.1-pro": {"total_tokens": 0}}}});
        gemini.line(&error.to_string(), now());
        let outcome = gemini.finish(&exit(code, ""), now());
        (outcome.class, outcome.rule, outcome.scope)
    };
    let model = || Scope::Model("gemini-3.1-pro".into());
    for (code, said, want) in [
        (
            173,
            "Quota exceeded for metric: generate_content_free_tier_requests, limit: 0, model: gemini-3.1-pro\nPlease retry in 20.04s.",
            (Class::BadModel, "not_in_this_plan", model()),
        ),
        (
            173,
            "{\"error\":{\"code\":429,\"message\":\"Quota exceeded, limit: 20, quotaId GenerateRequestsPerDayPerProjectPerModel-FreeTier\",\"status\":\"RESOURCE_EXHAUSTED\"}}",
            (Class::Limit, "daily_quota", model()),
        ),
        (
            173,
            "Resource has been exhausted (e.g. check quota).",
            (Class::RateLimited, "rate_limited", model()),
        ),
        (
            173,
            "INSUFFICIENT_G1_CREDITS_BALANCE",
            (Class::OutOfCredit, "out_of_credit", Scope::Account),
        ),
        (
            173,
            "No capacity available for model gemini-3.1-pro on the server",
            (Class::Overloaded, "no_capacity", model()),
        ),
        (
            148,
            "models/gemini-9 is not found for API version v1beta",
            (Class::BadModel, "unknown_model", model()),
        ),
        (
            144,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            (Class::ContextTooLong, "context_too_long", Scope::Account),
        ),
        (
            147,
            "Verify your account to continue. VALIDATION_REQUIRED",
            (Class::Auth, "validation_required", Scope::Account),
        ),
    ] {
        assert_eq!(ended(code, said), want, "{said}");
    }
}

#[test]
fn a_model_that_gemini_names_unknown_only_in_its_log_is_unknown() {
    let mut gemini = reader(ProviderKind::Gemini);
    let said = r#"{"type":"result","status":"error","error":{"message":"[API Error: nothing]"}}"#;
    gemini.line(said, now());
    let log = "Error when talking to Gemini API ModelNotFoundError: no such thing\n  code: 404";
    let outcome = gemini.finish(&exit(1, log), now());
    assert_eq!(
        (outcome.class, outcome.rule),
        (Class::BadModel, "unknown_model")
    );
}

#[test]
fn an_answer_that_broke_is_paid_for_and_what_reached_nobody_is_not() {
    let claude = |text: &str| {
        let mut reader = reader(ProviderKind::Claude);
        let line = format!(
            r#"{{"type":"result","subtype":"success","is_error":true,"api_error_status":null,"terminal_reason":"api_error","result":"API Error: {text}","usage":{{}}}}"#
        );
        reader.line(&line, now());
        reader.finish(&exit(1, ""), now())
    };
    let codex = |text: &str| {
        let mut reader = reader(ProviderKind::Codex);
        let line = format!(r#"{{"type":"turn.failed","error":{{"message":"{text}"}}}}"#);
        reader.line(&line, now());
        reader.finish(&exit(1, ""), now())
    };
    for (outcome, used_nothing) in [
        (claude("JSON Parse error: Unterminated string"), false),
        (claude("Request timed out."), false),
        (claude("Connection refused (ECONNREFUSED)"), true),
        (
            codex("stream disconnected before completion: stream closed"),
            false,
        ),
        (codex("Connection failed: error sending request"), true),
    ] {
        assert_eq!(outcome.class, Class::Network, "{outcome:?}");
        assert_eq!(outcome.used_nothing(), used_nothing, "{outcome:?}");
    }

    // Ended by us while it waited to try again: what broke before nobody told.
    let mut waiting = reader(ProviderKind::Codex);
    waiting.line(
        r#"{"type":"error","message":"Reconnecting... 1/5 (stream disconnected before completion)"}"#,
        now(),
    );
    let stopped = Ending {
        exit: None,
        stopped: Some(StopReason::Silent),
        stderr_tail: String::new(),
    };
    let outcome = waiting.finish(&stopped, now());
    assert_eq!(
        (outcome.class, outcome.used_nothing()),
        (Class::Network, false)
    );
}
