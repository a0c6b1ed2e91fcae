//! OpenAI's chat completions protocol, and the errors of both of OpenAI's protocols.

use serde_json::{Value, json};

use super::dialect::{
    Answer, Call, Conversation, SSE, Turn, add_text, content_text, data, halves, list, text,
};
use super::http::Reply;
use super::limits::now_s;
use super::script::{Failure, Usage};
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
    let mut open: Vec<String> = Vec::new();
    for message in list(&body["messages"]) {
        if message["role"] == "tool" {
            let id = text(&message["tool_call_id"]);
            if !open.contains(&id) {
                said.problems
                    .push(format!("a result for {id}, which was not called before"));
            }
            open.retain(|called| *called != id);
            continue;
        }
        said.problems.extend(
            open.drain(..)
                .map(|id| format!("the call {id} has no result")),
        );
        for call in list(&message["tool_calls"]) {
            let arguments = text(&call["function"]["arguments"]);
            open.push(text(&call["id"]));
            said.calls.push(Call {
                id: text(&call["id"]),
                name: text(&call["function"]["name"]),
                input: serde_json::from_str(&arguments).unwrap_or(Value::String(arguments)),
            });
        }
        let words = content_text(&message["content"]);
        add_text(&mut everything, &words);
        if message["role"] == "user" {
            add_text(&mut said.prompt, &words);
        }
    }
    said.cwd = tools::working_folder(&everything);
    said
}

pub(super) fn answer(turn: &Turn<'_>) -> Reply {
    let (message, deltas, finish) = match &turn.answer {
        Answer::Text(text) => (
            json!({"role": "assistant", "content": text}),
            halves(text).map(|part| json!({"content": part})),
            "stop",
        ),
        Answer::Call(call) => {
            let arguments = call.input.to_string();
            let [first, second] = halves(&arguments);
            let function = json!({"name": call.name, "arguments": arguments});
            let whole = json!({"id": call.id, "type": "function", "function": function});
            let begun = json!({
                "index": 0, "id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": first},
            });
            let rest = json!({"index": 0, "function": {"arguments": second}});
            (
                json!({"role": "assistant", "content": null, "tool_calls": [whole]}),
                [
                    json!({"tool_calls": [begun]}),
                    json!({"tool_calls": [rest]}),
                ],
                "tool_calls",
            )
        }
    };
    let object = |kind: &str, choices: Value, usage: Value| {
        json!({
            "id": format!("chatcmpl-lab-{:06}", turn.serial),
            "object": kind,
            "created": now_s(),
            "model": turn.model,
            "choices": choices,
            "usage": usage,
        })
    };
    if !turn.stream {
        let choice = json!([{"index": 0, "message": message, "finish_reason": finish}]);
        return Reply::json(200, &object("chat.completion", choice, usage(turn.usage)));
    }
    let chunk = |delta: &Value, finish: Value| {
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        data(&object("chat.completion.chunk", choice, Value::Null))
    };
    let mut parts = vec![chunk(
        &json!({"role": "assistant", "content": ""}),
        Value::Null,
    )];
    parts.extend(deltas.iter().map(|delta| chunk(delta, Value::Null)));
    parts.extend([
        chunk(&json!({}), json!(finish)),
        data(&object(
            "chat.completion.chunk",
            json!([]),
            usage(turn.usage),
        )),
        "data: [DONE]\n\n".to_owned(),
    ]);
    Reply::stream(SSE, parts)
}

/// Cached input is part of the input here.
fn usage(usage: Usage) -> Value {
    let input = usage.input + usage.cache_read + usage.cache_write;
    json!({
        "prompt_tokens": input,
        "completion_tokens": usage.output,
        "total_tokens": input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
    })
}

pub(super) fn failure(failure: &Failure) -> Reply {
    let wait = if let Failure::RateLimited {
        retry_after_s: Some(seconds),
    } = failure
    {
        format!(" Please try again in {seconds}s.")
    } else {
        String::new()
    };
    let (status, code, kind, message) = match failure {
        Failure::RateLimited { .. } => (
            429,
            json!("rate_limit_exceeded"),
            "tokens",
            format!(
                "Rate limit reached for the model on tokens per min (TPM): Limit 30000, Used \
                 29000, Requested 2000.{wait}"
            ),
        ),
        Failure::Overloaded => (
            503,
            json!("server_is_overloaded"),
            "service_unavailable_error",
            "The server is overloaded.".into(),
        ),
        Failure::Internal => (
            500,
            Value::Null,
            "server_error",
            "The server had an error.".into(),
        ),
        Failure::Unauthorized => (
            401,
            json!("invalid_api_key"),
            "invalid_request_error",
            "Incorrect API key provided.".into(),
        ),
        Failure::Forbidden => (
            403,
            json!("forbidden"),
            "invalid_request_error",
            "Your organization may not use this.".into(),
        ),
        Failure::NoCredit => (
            429,
            json!("insufficient_quota"),
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.".into(),
        ),
        Failure::NoModel => (
            404,
            json!("model_not_found"),
            "invalid_request_error",
            "The model does not exist or you do not have access to it.".into(),
        ),
        Failure::BadRequest => (
            400,
            Value::Null,
            "invalid_request_error",
            "The request is not valid.".into(),
        ),
        Failure::TooLong => (
            400,
            json!("context_length_exceeded"),
            "invalid_request_error",
            "Your input exceeds the context window of this model.".into(),
        ),
    };
    let error = json!({"message": message, "type": kind, "param": null, "code": code});
    Reply::json(status, &json!({"error": error}))
}
