//! Anthropic's messages protocol.

use serde_json::{Value, json};

use super::dialect::{
    Answer, Call, Conversation, SSE, Turn, add_text, content_text, event, halves, list, text,
};
use super::http::Reply;
use super::script::{Failure, Usage};
use super::tools;

pub(super) fn read(body: &Value) -> Conversation {
    let mut said = Conversation {
        tools: list(&body["tools"])
            .iter()
            .map(|tool| text(&tool["name"]))
            .collect(),
        ..Conversation::default()
    };
    if body["max_tokens"].as_u64().is_none() {
        said.problems.push("max_tokens is missing".into());
    }
    let mut everything = content_text(&body["system"]);
    // Calls of the message before, which the next message must answer.
    let mut open: Vec<String> = Vec::new();
    for message in list(&body["messages"]) {
        let answered: Vec<String> = blocks(message, "tool_result")
            .map(|block| text(&block["tool_use_id"]))
            .collect();
        for id in &answered {
            if !open.contains(id) {
                said.problems.push(format!(
                    "a tool result for {id}, which was not called before"
                ));
            }
        }
        open.retain(|id| !answered.contains(id));
        for id in open.drain(..) {
            said.problems.push(format!("the call {id} has no result"));
        }
        for block in blocks(message, "tool_use") {
            open.push(text(&block["id"]));
            said.calls.push(Call {
                id: text(&block["id"]),
                name: text(&block["name"]),
                input: block["input"].clone(),
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

fn blocks<'a>(message: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    list(&message["content"])
        .iter()
        .filter(move |block| block["type"] == kind)
}

pub(super) fn answer(turn: &Turn<'_>) -> Reply {
    let (block, stop) = match &turn.answer {
        Answer::Text(text) => (json!({"type": "text", "text": text}), "end_turn"),
        Answer::Call(call) => {
            let Call { id, name, input } = call;
            (
                json!({"type": "tool_use", "id": id, "name": name, "input": input}),
                "tool_use",
            )
        }
    };
    let message = |content: Value, stop: Value, usage: Value| {
        json!({
            "id": format!("msg_lab_{:06}", turn.serial),
            "type": "message",
            "role": "assistant",
            "model": turn.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": null,
            "usage": usage,
        })
    };
    if !turn.stream {
        return Reply::json(
            200,
            &message(json!([block]), json!(stop), usage(turn.usage)),
        );
    }
    // The first event knows the input already, and one token of output.
    let begun = usage(Usage {
        output: 1,
        ..turn.usage
    });
    let (start, deltas) = match &turn.answer {
        Answer::Text(text) => (
            json!({"type": "text", "text": ""}),
            halves(text)
                .map(|part| json!({"type": "text_delta", "text": part}))
                .to_vec(),
        ),
        Answer::Call(call) => (
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}),
            halves(&call.input.to_string())
                .map(|part| json!({"type": "input_json_delta", "partial_json": part}))
                .to_vec(),
        ),
    };
    let mut events = vec![
        json!({"type": "message_start", "message": message(json!([]), Value::Null, begun)}),
        json!({"type": "content_block_start", "index": 0, "content_block": start}),
        json!({"type": "ping"}),
    ];
    events.extend(
        deltas
            .iter()
            .map(|d| json!({"type": "content_block_delta", "index": 0, "delta": d})),
    );
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": null},
            "usage": usage(turn.usage),
        }),
        json!({"type": "message_stop"}),
    ]);
    Reply::stream(SSE, events.iter().map(event).collect())
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": 0,
        },
        "service_tier": "standard",
    })
}

pub(super) fn failure(failure: &Failure) -> Reply {
    let (status, kind, message) = match failure {
        Failure::RateLimited { .. } => (
            429,
            "rate_limit_error",
            "This request would exceed your account's rate limit. Please try again later.",
        ),
        Failure::Overloaded => (529, "overloaded_error", "Overloaded"),
        Failure::Internal => (500, "api_error", "Internal server error"),
        Failure::Unauthorized => (401, "authentication_error", "invalid x-api-key"),
        Failure::Forbidden => (403, "permission_error", "forbidden"),
        Failure::NoCredit => (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & \
             Billing to upgrade or purchase credits.",
        ),
        Failure::NoModel => (404, "not_found_error", "model: no such model"),
        Failure::BadRequest => (
            400,
            "invalid_request_error",
            "messages: the request is not valid",
        ),
        Failure::TooLong => (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
        ),
    };
    error(status, kind, message)
}

pub(super) fn limit() -> Reply {
    failure(&Failure::RateLimited {
        retry_after_s: None,
    })
}

fn error(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"type": "error", "error": {"type": kind, "message": message}}),
    )
}
