//! Gemini CLI's own log of a session. Each run begins with a header, also where it goes on with
//! an earlier conversation; a file may hold several sessions. A message is written again when its
//! tools have run, so that messages are told apart by their id.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::reader::{count, text};
use crate::core::Usage;

/// How the header of a session begins.
pub(super) fn header(session: &str) -> String {
    format!("{{\"sessionId\":\"{session}\"")
}

/// What the last run of the session in `log` used: one request for every message of the model.
pub(super) fn used(log: &str, session: &str) -> Usage {
    let (ours, any) = (header(session), header(""));
    let any = any.trim_end_matches('"');
    let mut messages: BTreeMap<String, Usage> = BTreeMap::new();
    let mut is_ours = false;
    for line in log.lines() {
        if line.starts_with(any) {
            is_ours = line.starts_with(&ours);
            if is_ours {
                messages.clear();
            }
            continue;
        }
        if !is_ours {
            continue;
        }
        let Ok(entry) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let (Some(id), true) = (text(&entry, "id"), entry["type"] == "gemini") else {
            continue;
        };
        messages.insert(id.to_owned(), usage_of(&entry["tokens"]));
    }
    messages
        .into_values()
        .fold(Usage::default(), |sum, of| sum + of)
}

/// `input` includes `cached`; what tools brought into the prompt and what the model thought are
/// counted by themselves.
fn usage_of(tokens: &Value) -> Usage {
    let cache_read = count(tokens, "cached");
    Usage {
        input: count(tokens, "input").saturating_sub(cache_read) + count(tokens, "tool"),
        output: count(tokens, "output") + count(tokens, "thoughts"),
        cache_read,
        requests: 1,
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_run_of_the_session_is_counted_and_every_message_once() {
        let message = |id: &str| {
            format!(
                r#"{{"id":"{id}","type":"gemini","tokens":{{"input":1200,"output":34,"cached":800,"thoughts":10,"tool":5,"total":1249}}}}"#
            )
        };
        let log = [
            format!("{},\"kind\":\"main\"}}", header("s-1")),
            message("a"),
            format!("{},\"kind\":\"main\"}}", header("s-1")),
            r#"{"$set":{"messages":[]}}"#.into(),
            message("b"),
            message("b"),
            message("c"),
            format!("{},\"kind\":\"main\"}}", header("s-2")),
            message("d"),
            "not json".into(),
        ]
        .join("\n");
        let of = |requests: u64| Usage {
            input: 405 * requests,
            output: 44 * requests,
            cache_read: 800 * requests,
            requests,
            ..Usage::default()
        };
        assert_eq!(used(&log, "s-1"), of(2));
        assert_eq!(used(&log, "s-2"), of(1));
        assert_eq!(used(&log, "s"), Usage::default());
    }
}
