//! Whatever a program prints, nothing breaks, nothing is believed that cannot be, and nothing
//! unclean gets through.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::super::{Ending, Reader, Signal, StopReason};
use super::{exit, now, reader};
use crate::core::redact::Redactor;
use crate::core::{ProviderKind, Usage};

const PROGRAMS: [ProviderKind; 5] = [
    ProviderKind::Claude,
    ProviderKind::Codex,
    ProviderKind::Gemini,
    ProviderKind::Opencode,
    ProviderKind::Command,
];

#[test]
fn secrets_and_escapes_do_not_get_through() {
    let key = "plain-word-key";
    let redactor = || Redactor::knowing([key.to_owned()]);
    for kind in PROGRAMS {
        let mut reader = Reader::new(kind, Usage::default(), redactor(), None).expect("a reader");
        let said = format!("bad key plain-\u{1b}[1mword-key \u{1b}]0;x\u{7} {key}");
        let mut shown = String::new();
        for line in [
            serde_json::json!({"type": "result", "is_error": true, "ok": false, "result": said, "text": said}),
            serde_json::json!({"type": "error", "message": said}),
            serde_json::json!({"type": "item.completed", "item": {"type": "agent_message", "text": said}}),
            serde_json::json!({"type": "assistant", "message": {"content": [{"type": "text", "text": said}]}}),
        ] {
            write!(shown, "{:?}", reader.line(&line.to_string(), now())).expect("a string");
        }
        let outcome = reader.finish(&exit(1, &said), now());
        shown += &outcome.message;
        assert!(
            !shown.contains(key) && !shown.contains('\u{1b}'),
            "{kind}: {shown}"
        );
        assert!(shown.contains("[redacted]"), "{kind}: {shown}");
    }
}

/// Lines that look like what programs print, with anything in the places that matter.
fn event() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| serde_json::json!(n).to_string()),
        "\\PC{0,30}".prop_map(|s| serde_json::json!(s).to_string()),
        "[a-z_]{0,12}".prop_map(|s| serde_json::json!(s).to_string()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just(r#"{"five_hour":{"utilization":9e99,"resetsAt":-1,"status":"rejected"}}"#.to_owned()),
        Just(r#"[{"type":"text","text":"x"},{"type":"tool_use","input":3}]"#.to_owned()),
    ];
    let key = proptest::sample::select(vec![
        "id",
        "usage",
        "input",
        "output",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "is_error",
        "ok",
        "result",
        "text",
        "message",
        "error",
        "total_cost_usd",
        "cost_usd",
        "session_id",
        "thread_id",
        "resets_at",
        "window",
        "subtype",
        "rate_limit_info",
        "status",
        "rateLimitType",
        "resetsAt",
        "unifiedWindows",
        "content",
        "model",
        "requests",
        "item",
        "role",
        "delta",
        "stats",
        "total_tokens",
        "cached",
        "models",
        "severity",
        "tool_name",
    ]);
    let kind = proptest::sample::select(vec![
        "system",
        "assistant",
        "rate_limit_event",
        "result",
        "thread.started",
        "item.completed",
        "turn.completed",
        "turn.failed",
        "error",
        "session",
        "usage",
        "limit",
        "text",
        "init",
        "message",
        "tool_use",
        "tool_result",
    ]);
    (kind, proptest::collection::vec((key, value), 0..6)).prop_map(|(kind, fields)| {
        let body: Vec<String> = fields.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
        let body = body.join(",");
        let inner = format!("{{{body}}}");
        let comma = if body.is_empty() { "" } else { "," };
        // The same fields on the outside and inside the usual objects.
        format!(
            r#"{{"type":"{kind}"{comma}{body},"message":{inner},"usage":{inner},"rate_limit_info":{inner},"item":{inner},"payload":{inner},"stats":{inner},"error":{inner}}}"#
        )
    })
}

proptest! {
    #[test]
    fn nothing_that_is_printed_breaks_a_reader(
        lines in proptest::collection::vec(prop_oneof![event(), "\\PC{0,80}", "[\\x00-\\x7f]{0,40}"], 0..25),
        code in -1i32..256,
        stderr in "\\PC{0,200}|[\\x00-\\x1f\\x1b\\[\\]a-z;\\n]{0,60}",
    ) {
        for kind in PROGRAMS {
            let mut reader = reader(kind);
            let mut last = Usage::default();
            let mut signals: Vec<Signal> = Vec::new();
            for line in &lines {
                signals.extend(reader.line(line, now()));
                signals.extend(reader.error_line(line, now()));
            }
            signals.extend(reader.log_file(&lines.join("\n"), now()));
            for signal in signals {
                match signal {
                    Signal::UsageSoFar(used) => {
                        prop_assert_eq!(used.beyond(&last) + last, used, "usage went back");
                        prop_assert!(used.cost_micro_usd.0 >= 0);
                        last = used;
                    }
                    Signal::Session(id) => prop_assert!(!id.starts_with('-')),
                    Signal::Window(window) => {
                        prop_assert!(window.used_fraction.is_none_or(|f| (0.0..=100.0).contains(&f)));
                        prop_assert!(window.resets_at.is_none_or(|at| at <= now() + Duration::from_hours(62 * 24)));
                    }
                    Signal::Text(text) | Signal::Model(text) | Signal::Result { text, .. } => {
                        prop_assert!(text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
                    }
                    Signal::Tool { name, detail } => {
                        prop_assert!(!name.contains('\n') && !detail.contains('\n'));
                    }
                    Signal::Hopeless => {}
                    Signal::Retrying { message, .. } => prop_assert!(!message.chars().any(char::is_control)),
                }
            }
            prop_assert_eq!(reader.usage(), last);
            for end in [exit(code, &stderr), Ending { stopped: Some(StopReason::Silent), ..exit(code, &stderr) }] {
                let outcome = reader.finish(&end, now());
                prop_assert!(!outcome.message.is_empty());
                prop_assert!(outcome.message.chars().count() <= 400);
                prop_assert!(!outcome.message.chars().any(char::is_control));
            }
        }
    }
}
