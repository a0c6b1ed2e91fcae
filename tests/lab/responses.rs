//! OpenAI's responses protocol.

use serde_json::{Value, json};

use super::dialect::{
    Answer, Call, Conversation, SSE, Turn, add_text, content_text, event, halves, list, text,
};
use super::http::Reply;
use super::limits::now_s;
use super::script::Usage;
use super::tools;

pub(super) fn read(body: &Value) -> Conversation {
    let mut said = Conversation {
        // A built-in tool has a type and no name.
        tools: list(&body["tools"])
            .iter()
            .map(|tool| text(tool.get("name").unwrap_or(&tool["type"])))
            .collect(),
        ..Conversation::default()
    };
    let mut everything = text(&body["instructions"]);
    if let Some(prompt) = body["input"].as_str() {
        add_text(&mut said.prompt, prompt);
    }
    let mut open: Vec<String> = Vec::new();
    for item in list(&body["input"]) {
        let kind = text(&item["type"]);
        let id = text(&item["call_id"]);
        match kind.as_str() {
            "function_call" | "custom_tool_call" | "local_shell_call" => {
                let input = item
                    .get("arguments")
                    .or(item.get("input"))
                    .unwrap_or(&item["action"]);
                let parsed = input
                    .as_str()
                    .and_then(|text| serde_json::from_str(text).ok());
                said.calls.push(Call {
                    id: id.clone(),
                    name: text(item.get("name").unwrap_or(&item["type"])),
                    input: parsed.unwrap_or_else(|| input.clone()),
                });
                open.push(id);
            }
            "function_call_output" | "custom_tool_call_output" | "local_shell_call_output" => {
                if !open.contains(&id) {
                    let problem = format!("an output for {id}, which was not called before");
                    said.problems.push(problem);
                }
                open.retain(|called| *called != id);
            }
            // Messages have the type `message` or none; reasoning and the like say nothing here.
            _ => {
                let words = content_text(&item["content"]);
                add_text(&mut everything, &words);
                if item["role"] == "user" {
                    add_text(&mut said.prompt, &words);
                }
            }
        }
    }
    said.problems
        .extend(open.iter().map(|id| format!("the call {id} has no output")));
    said.cwd = tools::working_folder(&everything);
    said
}

pub(super) fn answer(turn: &Turn<'_>) -> Reply {
    let (added, deltas, item) = match &turn.answer {
        Answer::Text(text) => {
            let id = format!("msg_lab_{:06}", turn.serial);
            let message = |status: &str, content: Value| {
                json!({
                    "id": id, "type": "message", "role": "assistant",
                    "status": status, "content": content,
                })
            };
            let deltas = halves(text).map(|part| {
                json!({
                    "type": "response.output_text.delta", "item_id": id,
                    "output_index": 0, "content_index": 0, "delta": part,
                })
            });
            let whole = json!([{"type": "output_text", "text": text, "annotations": []}]);
            (
                message("in_progress", json!([])),
                deltas,
                message("completed", whole),
            )
        }
        Answer::Call(call) => {
            let id = format!("fc_lab_{:06}", turn.serial);
            let function = |status: &str, arguments: &str| {
                json!({
                    "id": id, "type": "function_call", "status": status,
                    "call_id": call.id, "name": call.name, "arguments": arguments,
                })
            };
            let arguments = call.input.to_string();
            let deltas = halves(&arguments).map(|part| {
                json!({
                    "type": "response.function_call_arguments.delta", "item_id": id,
                    "output_index": 0, "delta": part,
                })
            });
            (
                function("in_progress", ""),
                deltas,
                function("completed", &arguments),
            )
        }
    };
    let response = |status: &str, output: Value, usage: Value| {
        json!({
            "id": format!("resp_lab_{:06}", turn.serial),
            "object": "response",
            "created_at": now_s(),
            "status": status,
            "model": turn.model,
            "output": output,
            "usage": usage,
        })
    };
    let whole = response("completed", json!([item]), usage(turn.usage));
    if !turn.stream {
        return Reply::json(200, &whole);
    }
    let begun = response("in_progress", json!([]), Value::Null);
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": added}),
    ];
    events.extend(deltas);
    events.extend([
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": whole}),
    ]);
    for (n, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = n.into();
    }
    Reply::stream(SSE, events.iter().map(event).collect())
}

/// Cached input is part of the input here.
fn usage(usage: Usage) -> Value {
    let input = usage.input + usage.cache_read + usage.cache_write;
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + usage.output,
    })
}
