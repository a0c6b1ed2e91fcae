//! Everything that is not a model call: the pages around the protocols, and the switches of the
//! lab for those who have only its address.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::dialect::Dialect;
use super::http::Reply;
use super::knobs::Knobs;
use super::ollama;
use super::state::{Record, State};

/// The answer to anything that is not a model call; none when there is no such page.
pub(super) fn page(state: &mut State, of: &Record, knobs: Option<&Knobs>) -> Option<Reply> {
    let path = of.path.as_str();
    if let Some(page) = path.strip_prefix("/__") {
        return switch(state, page, of).or_else(|| control(state, page, of));
    }
    if let Some(reply) = ollama::page(path, &state.models, &of.body) {
        return Some(reply);
    }
    let page = match path {
        "" | "/" | "/health" => json!({"status": "ok"}),
        _ if path.ends_with("/count_tokens") => json!({"input_tokens": of.bytes / 4}),
        _ if path.ends_with(":countTokens") => json!({"totalTokens": of.bytes / 4}),
        _ if path.ends_with("/models") => json!({
            "object": "list",
            "data": [{"id": "lab-model", "object": "model", "type": "model", "owned_by": "lab"}],
            "models": [],
            "has_more": false,
        }),
        _ if path.ends_with("/wham/usage") || path.ends_with("/codex/usage") => {
            if let Some(knobs) = knobs {
                let mode = knobs.mode(1);
                let limits = knobs.limits(Dialect::Responses, mode);
                limits.wham(mode == "429limit")
            } else {
                let wall = state.wall(&of.tag);
                let limits = state.tag(&of.tag).limits;
                wall.map_or(limits, |wall| limits.behind(wall))
                    .wham(wall.is_some())
            }
        }
        _ => return None,
    };
    Some(Reply::json(200, &page))
}

/// Knobs, and what became of the calls, in the form that any upstream of this kind has.
fn switch(state: &mut State, page: &str, of: &Record) -> Option<Reply> {
    let is_post = of.method == "POST" || of.method == "PUT";
    let answer = match page {
        "control" => {
            if is_post {
                let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
                let set = of.body.as_object().into_iter().flatten();
                let set = set.map(|(name, value)| (name.clone(), text(value)));
                state.control.extend(set.collect::<BTreeMap<_, _>>());
            }
            json!(Knobs::with(&state.control).values())
        }
        "reset" if is_post => {
            state.reset();
            json!({})
        }
        "log" => Value::Array(state.records.iter().map(logged).collect()),
        "count" => {
            let calls = state.tags.iter().filter(|(_, of)| of.counts.requests > 0);
            calls
                .map(|(tag, of)| (tag.clone(), json!(of.counts.requests)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        _ => return None,
    };
    Some(Reply::json(200, &answer))
}

fn logged(record: &Record) -> Value {
    json!({
        "ts": record.at,
        "done_ms": record.done_ms,
        "tag": record.tag,
        "mode": record.mode,
        "method": record.method,
        "path": record.path,
        "query": record.query,
        // Nothing was answered, whenever the client has left.
        "status": if record.how == "hang" { 0 } else { record.status },
        "how": record.how,
        "bytes": record.bytes,
        "model": record.model,
        "stream": record.stream,
        "n_tools": record.tools.len(),
    })
}

/// The script and what came of it, for use by hand; tests have the handle.
fn control(state: &mut State, page: &str, of: &Record) -> Option<Reply> {
    let (query, body) = (&of.query, &of.body);
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(n, _)| *n == name)
            .map(|(_, value)| value.to_owned())
            .next()
    };
    let tag = value("tag").unwrap_or_default();
    let refused = |e: serde_json::Error| Reply::json(400, &json!({"error": e.to_string()}));
    let answer = match page {
        "counts" => {
            let counts = state
                .tags
                .iter()
                .map(|(tag, of)| (tag.clone(), json!(of.counts)));
            Value::Object(counts.collect())
        }
        "requests" => {
            let since = value("since").and_then(|n| n.parse().ok()).unwrap_or(0);
            json!(
                state
                    .records
                    .iter()
                    .filter(|r| r.serial > since)
                    .collect::<Vec<_>>()
            )
        }
        "violations" => json!(state.violations),
        "unplayed" => json!(state.unplayed()),
        "release" => {
            state.released.insert(value("name")?);
            json!({})
        }
        "script" => match serde_json::from_value(body.clone()) {
            Ok(script) => {
                state.play(script);
                json!({})
            }
            Err(e) => return Some(refused(e)),
        },
        "limits" => match serde_json::from_value(body.clone()) {
            Ok(limits) => {
                state.tag(&tag).limits = limits;
                json!({})
            }
            Err(e) => return Some(refused(e)),
        },
        _ => return None,
    };
    Some(Reply::json(200, &answer))
}
