//! Claude Code's stream-json, with the fields that its readers use.

use serde_json::{Value, json};

use super::play::reset_at;
use super::script::{Done, Event, Usage, Window};

const MODEL: &str = "claude-sonnet-5-5";

pub(crate) fn lines(event: &Event, session: &str) -> Vec<Value> {
    let mut lines = match event {
        Event::Start => vec![json!({
            "type": "system",
            "subtype": "init",
            "cwd": std::env::current_dir().unwrap_or_default(),
            "tools": ["Bash", "Edit", "Read", "Write"],
            "model": MODEL,
            "permissionMode": "acceptEdits",
            "apiKeySource": "none",
            "claude_code_version": "2.1.328",
        })],
        Event::Say(text) => vec![assistant(&json!({"type": "text", "text": text}))],
        Event::Tool { name, input } => {
            let id = "toolu_fake";
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": "ok"});
            vec![
                assistant(&json!({"type": "tool_use", "id": id, "name": name, "input": input})),
                json!({"type": "user", "message": {"role": "user", "content": [result]}}),
            ]
        }
        Event::Window(window) => vec![limit_event(window, "allowed")],
        Event::Retry { status, delay_ms } => {
            let error = match status {
                429 => "rate_limit",
                401 => "authentication_failed",
                529 => "overloaded",
                _ => "server_error",
            };
            vec![json!({
                "type": "system",
                "subtype": "api_retry",
                "attempt": 1,
                "max_retries": 10,
                "retry_delay_ms": delay_ms,
                "error_status": status,
                "error": error,
            })]
        }
        Event::Done(done) => vec![result(done)],
        Event::Limit(window) => {
            let text = "You've hit your 5-hour limit · resets 8:15am (UTC)";
            let mut lines = vec![limit_event(window, "rejected")];
            lines.extend(failure(429, "rate_limit", text));
            if let Some(result) = lines.last_mut() {
                result["api_error_type"] = json!("rate_limit_error");
                result["api_error"] = json!("usage_limit_reached");
            }
            lines
        }
        Event::Error { status, kind, text } => failure(*status, kind, text),
    };
    for line in &mut lines {
        line["session_id"] = json!(session);
    }
    lines
}

fn assistant(block: &Value) -> Value {
    json!({
        "type": "assistant",
        "message": {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [block],
            "stop_reason": null,
            // As in the real stream: the value at the start of the message.
            "usage": usage(Usage { input: 3, output: 1, cache_read: 0, cache_write: 0 }),
        },
        "parent_tool_use_id": null,
    })
}

fn limit_event(window: &Window, status: &str) -> Value {
    let resets_at = reset_at(window.reset_in_s);
    let share = json!({"utilization": window.used, "resetsAt": resets_at, "status": status});
    json!({
        "type": "rate_limit_event",
        "rate_limit_info": {
            "status": status,
            "resetsAt": resets_at,
            "rateLimitType": window.name,
            "overageStatus": "rejected",
            "overageDisabledReason": "org_level_disabled",
            "isUsingOverage": false,
            "unifiedWindows": {window.name.as_str(): share},
        },
    })
}

fn result(done: &Done) -> Value {
    let Usage {
        input,
        output,
        cache_read,
        cache_write,
    } = done.usage;
    json!({
        "type": "result",
        "subtype": "success",
        "is_error": false,
        "api_error_status": null,
        "terminal_reason": "completed",
        "result": done.text,
        "num_turns": 1,
        "duration_ms": 5,
        "total_cost_usd": done.cost_usd,
        "usage": usage(done.usage),
        "modelUsage": {MODEL: {
            "inputTokens": input,
            "outputTokens": output,
            "cacheReadInputTokens": cache_read,
            "cacheCreationInputTokens": cache_write,
            "costUSD": done.cost_usd,
            "contextWindow": 1_000_000,
        }},
        "permission_denials": [],
    })
}

/// The synthetic message and the result of a run that an API error ended.
fn failure(status: u16, kind: &str, text: &str) -> Vec<Value> {
    let mut said = assistant(&json!({"type": "text", "text": text}));
    said["message"]["model"] = json!("<synthetic>");
    said["message"]["usage"] = usage(Usage {
        input: 0,
        output: 0,
        cache_read: 0,
        cache_write: 0,
    });
    said["error"] = json!(kind);
    said["is_api_error_message"] = json!(true);
    said["api_error_status"] = json!(status);
    let mut end = result(&Done {
        text: text.to_owned(),
        usage: Usage {
            input: 0,
            output: 0,
            cache_read: 0,
            cache_write: 0,
        },
        cost_usd: 0.0,
    });
    end["is_error"] = json!(true);
    end["api_error_status"] = json!(status);
    end["terminal_reason"] = json!("api_error");
    end["modelUsage"] = json!({});
    vec![said, end]
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
        "service_tier": "standard",
    })
}
