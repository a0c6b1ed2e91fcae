//! Ollama's chat protocol. Its tool calls have no ids.

use serde_json::{Value, json};

use super::dialect::{Answer, Call, Conversation, Turn, add_text, halves, list, text};
use super::http::Reply;
use super::script::Failure;
use super::tools;

pub(super) fn read(body: &Value) -> Conversation {
    let mut said = Conversation {
        tools: list(&body["tools"])
            .iter()
            .map(|t| text(&t["function"]["name"]))
            .collect(),
        ..Conversation::default()
    };
    let mut everything = String::new();
    for message in list(&body["messages"]) {
        for call in list(&message["tool_calls"]) {
            said.calls.push(Call {
                id: String::new(),
                name: text(&call["function"]["name"]),
                input: call["function"]["arguments"].clone(),
            });
        }
        let words = text(&message["content"]);
        add_text(&mut everything, &words);
        if message["role"] == "user" {
            add_text(&mut said.prompt, &words);
        }
    }
    said.cwd = tools::working_folder(&everything);
    said
}

pub(super) fn answer(turn: &Turn<'_>) -> Reply {
    let line = |message: Value, end: bool| {
        let mut line = json!({
            "model": turn.model,
            "created_at": "2026-01-01T00:00:00Z",
            "message": message,
            "done": end,
        });
        if end {
            line["done_reason"] = json!("stop");
            line["total_duration"] = json!(5_000_000_000_u64);
            line["load_duration"] = json!(100_000_000_u64);
            line["prompt_eval_duration"] = json!(1_000_000_000_u64);
            line["eval_duration"] = json!(1_000_000_000_u64);
            // No cache is told of: the whole prompt counts.
            let usage = turn.usage;
            line["prompt_eval_count"] = json!(usage.input + usage.cache_read + usage.cache_write);
            line["eval_count"] = json!(usage.output);
        }
        line
    };
    let calls = match &turn.answer {
        Answer::Text(_) => None,
        Answer::Call(call) => {
            Some(json!([{"function": {"name": call.name, "arguments": call.input}}]))
        }
    };
    let message = |text: &str, calls: Option<Value>| {
        let mut message = json!({"role": "assistant", "content": text});
        if let Some(calls) = calls {
            message["tool_calls"] = calls;
        }
        message
    };
    let words = match &turn.answer {
        Answer::Text(text) => text.as_str(),
        Answer::Call(_) => "",
    };
    if !turn.stream {
        return Reply::json(200, &line(message(words, calls), true));
    }
    let [first, second] = halves(words);
    let lines = [
        line(message(first, None), false),
        line(message(second, calls), false),
        line(message("", None), true),
    ];
    Reply::stream(
        "application/x-ndjson",
        lines.map(|line| format!("{line}\n")).into(),
    )
}

pub(super) fn failure(failure: &Failure) -> Reply {
    let (status, message) = match failure {
        Failure::RateLimited { .. } => (429, "too many requests"),
        Failure::Overloaded => (
            503,
            "server busy, please try again. maximum pending requests exceeded",
        ),
        Failure::Internal => (500, "llama runner process has terminated: exit status 2"),
        Failure::Unauthorized => (401, "unauthorized"),
        Failure::Forbidden => (403, "forbidden"),
        Failure::NoCredit => (402, "no credit is left"),
        Failure::NoModel => (404, "model not found, try pulling it first"),
        Failure::BadRequest => (400, "the request is not valid"),
        Failure::TooLong => (400, "the input length exceeds the context length"),
    };
    Reply::json(status, &json!({"error": message}))
}

/// The pages about the models that are there.
pub(super) fn page(path: &str, models: &[String], body: &Value) -> Option<Reply> {
    let entry = |name: &String| {
        json!({
            "name": name,
            "model": name,
            "size": 1_000_000_000_u64,
            "digest": "0".repeat(64),
            "modified_at": "2026-01-01T00:00:00Z",
            "details": {
                "format": "gguf", "family": "lab",
                "parameter_size": "1B", "quantization_level": "Q4_K_M",
            },
        })
    };
    let page = match path {
        "/api/version" => json!({"version": "0.99.0"}),
        "/api/tags" => json!({"models": models.iter().map(entry).collect::<Vec<_>>()}),
        "/api/ps" => json!({"models": []}),
        "/api/show" => {
            let name = text(body.get("model").unwrap_or(&body["name"]));
            if !has_model(models, &name) {
                return Some(failure(&Failure::NoModel));
            }
            json!({
                "model_info": {"general.architecture": "lab", "lab.context_length": 32_768},
                "details": entry(&name)["details"],
                "capabilities": ["completion", "tools"],
            })
        }
        _ => return None,
    };
    Some(Reply::json(200, &page))
}

/// A name without a tag means `latest`, as Ollama has it.
pub(super) fn has_model(models: &[String], name: &str) -> bool {
    let full = if name.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    };
    models.contains(&full)
}
