//! Codex's JSON lines, and the rollout file where it writes what stdout does not tell: limits and
//! the causes of errors.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::play::reset_at;
use super::script::{Done, Event, Usage, Window};

pub(crate) fn lines(event: &Event, thread: &str) -> Result<Vec<Value>, String> {
    let item = |item: Value| json!({"type": "item.completed", "item": item});
    Ok(match event {
        Event::Start => {
            let meta = json!({"id": thread, "session_id": thread, "cli_version": "0.169.0"});
            note(thread, "session_meta", &meta)?;
            vec![
                json!({"type": "thread.started", "thread_id": thread}),
                json!({"type": "turn.started"}),
            ]
        }
        Event::Say(text) => {
            vec![item(
                json!({"id": "item_1", "type": "agent_message", "text": text}),
            )]
        }
        Event::Tool { input, .. } => {
            let command = |status: &str, exit_code: Value| {
                json!({
                    "id": "item_2",
                    "type": "command_execution",
                    "command": input,
                    "aggregated_output": "",
                    "exit_code": exit_code,
                    "status": status,
                })
            };
            let started = command("in_progress", Value::Null);
            vec![
                json!({"type": "item.started", "item": started}),
                item(command("completed", json!(0))),
            ]
        }
        Event::Window(window) => {
            note(thread, "event_msg", &token_count(window))?;
            Vec::new()
        }
        Event::Retry { status, .. } => {
            vec![json!({"type": "error", "message": format!("Reconnecting... 1/5 ({status})")})]
        }
        Event::Done(done) => vec![finish(done, thread)?],
        Event::Limit(window) => {
            note(thread, "event_msg", &token_count(window))?;
            let text = "You’ve hit your usage limit. Upgrade to Pro or try again at 7:13 AM.";
            fail(thread, "usage_limit_exceeded", text)?
        }
        Event::Error { kind, text, .. } => fail(thread, kind, text)?,
    })
}

/// The last event tells the total of the thread, not of the turn.
fn finish(done: &Done, thread: &str) -> Result<Value, String> {
    let before = rollout(thread)
        .and_then(|path| std::fs::read_to_string(path).map_err(|e| e.to_string()))
        .unwrap_or_default();
    let before = before
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["type"] == "token_usage_record");
    let before = before.map(|line| line["payload"]["thread_token_usage"].clone());
    let turn = usage(done.usage);
    let mut total = turn.clone();
    if let (Some(before), Some(total)) = (before, total.as_object_mut()) {
        for (name, value) in total {
            *value = json!(value.as_u64().unwrap_or(0) + before[name].as_u64().unwrap_or(0));
        }
    }
    let record = json!({
        "thread_id": thread,
        "usage": turn,
        "turn_token_usage": turn,
        "thread_token_usage": total,
    });
    note(thread, "token_usage_record", &record)?;
    let end = json!({"type": "task_complete", "last_agent_message": done.text});
    note(thread, "event_msg", &end)?;
    Ok(json!({"type": "turn.completed", "usage": total}))
}

/// Cached input is part of the input here.
fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input + usage.cache_read + usage.cache_write,
        "cached_input_tokens": usage.cache_read,
        "cache_write_input_tokens": usage.cache_write,
        "output_tokens": usage.output,
        "reasoning_output_tokens": 0,
    })
}

fn fail(thread: &str, info: &str, text: &str) -> Result<Vec<Value>, String> {
    let error = json!({"message": text, "codex_error_info": info});
    note(
        thread,
        "event_msg",
        &json!({"type": "task_complete", "error": error}),
    )?;
    Ok(vec![
        json!({"type": "error", "message": text}),
        json!({"type": "turn.failed", "error": {"message": text}}),
    ])
}

fn token_count(window: &Window) -> Value {
    let (name, minutes) = match window.name.as_str() {
        "seven_day" => ("secondary", 10_080),
        _ => ("primary", 300),
    };
    let share = json!({
        "used_percent": window.used * 100.0,
        "window_minutes": minutes,
        "resets_at": reset_at(window.reset_in_s),
    });
    let mut limits = json!({"limit_id": "codex", "primary": null, "secondary": null});
    limits[name] = share;
    json!({"type": "token_count", "info": null, "rate_limits": limits})
}

/// Adds a line to the rollout of a thread.
fn note(thread: &str, kind: &str, payload: &Value) -> Result<(), String> {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let line = json!({"timestamp": now, "type": kind, "payload": payload});
    let path = rollout(thread)?;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{line}"))
        .map_err(|e| format!("{}: {e}", path.display()))
}

/// `sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl` in codex's home; one file per thread, also
/// when it is resumed.
fn rollout(thread: &str) -> Result<PathBuf, String> {
    let home = std::env::var_os("CODEX_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".codex")));
    let home = home.ok_or("neither CODEX_HOME nor HOME is set")?;
    let known = home.join(format!("fake-{thread}"));
    if let Ok(path) = std::fs::read_to_string(&known) {
        return Ok(path.into());
    }
    let now = chrono::Utc::now();
    let folder = home
        .join("sessions")
        .join(now.format("%Y/%m/%d").to_string());
    let name = format!("rollout-{}-{thread}.jsonl", now.format("%Y-%m-%dT%H-%M-%S"));
    let path = folder.join(name);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let text = path.to_str().ok_or("a home that is not UTF-8")?;
    std::fs::write(&known, text).map_err(|e| format!("{}: {e}", known.display()))?;
    Ok(path)
}
