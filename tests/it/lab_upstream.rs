//! The lab answers as scripted, counts what it reports, and ends without a trace; over raw TCP.

mod answers;
mod client;
mod faults;
mod knobs;
mod limits;
mod script;

use std::time::Duration;

use serde_json::Value;

use client::Got;

const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";
const CHAT: &str = "/v1/chat/completions";
const GEMINI: &str = "/v1beta/models/m:generateContent";
const OLLAMA: &str = "/api/chat";
const ALL: [&str; 5] = [MESSAGES, RESPONSES, CHAT, GEMINI, OLLAMA];

const SOON: Duration = Duration::from_secs(10);

/// The words of an answer, plain or streamed.
fn words(path: &str, got: &Got) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if !got.is_chunked {
        let body = got.json();
        return match path {
            MESSAGES => text(&body["content"][0]["text"]),
            RESPONSES => text(&body["output"][0]["content"][0]["text"]),
            CHAT => text(&body["choices"][0]["message"]["content"]),
            GEMINI => text(&body["candidates"][0]["content"]["parts"][0]["text"]),
            _ => text(&body["message"]["content"]),
        };
    }
    let part = |event: &Value| match path {
        MESSAGES => text(&event["delta"]["text"]),
        RESPONSES => text(&event["delta"]),
        CHAT => text(&event["choices"][0]["delta"]["content"]),
        GEMINI => text(&event["candidates"][0]["content"]["parts"][0]["text"]),
        _ => text(&event["message"]["content"]),
    };
    got.events().iter().map(part).collect()
}
