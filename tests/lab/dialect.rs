//! What the protocols have in common: a conversation in, an answer out.

use serde_json::{Value, json};

use super::http::Reply;
use super::limits::{Limits, Wall, now_s};
use super::script::{Failure, Usage};
use super::{anthropic, chat, gemini, ollama, responses};

/// A protocol of model calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Anthropic's messages.
    Messages,
    /// OpenAI's responses.
    Responses,
    /// OpenAI's chat completions.
    Chat,
    /// Google's generateContent.
    Gemini,
    /// Ollama's chat.
    Ollama,
}

/// What one request says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Conversation {
    pub(super) model: String,
    pub(super) stream: bool,
    /// The texts of the user, one after the other; tool results are not among them.
    pub(super) prompt: String,
    /// The folder in which the agent says that it works.
    pub(super) cwd: Option<String>,
    /// Names of the tools on offer.
    pub(super) tools: Vec<String>,
    pub(super) calls: Vec<Call>,
    /// What a real server would refuse.
    pub(super) problems: Vec<String>,
}

/// A tool call: an earlier one of the conversation, or the one that is the answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) input: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Text(String),
    Call(Call),
}

/// An answer with what goes around it.
pub(super) struct Turn<'a> {
    pub(super) model: &'a str,
    pub(super) stream: bool,
    pub(super) answer: Answer,
    pub(super) usage: Usage,
    /// The number of the call, in its ids.
    pub(super) serial: u64,
}

impl Dialect {
    /// By the end of the path, as clients put it after any base URL.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        [
            ("/v1/messages", Self::Messages),
            ("/responses", Self::Responses),
            ("/chat/completions", Self::Chat),
            (":generateContent", Self::Gemini),
            (":streamGenerateContent", Self::Gemini),
            ("/api/chat", Self::Ollama),
        ]
        .into_iter()
        .find_map(|(end, dialect)| path.ends_with(end).then_some(dialect))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::Chat => "chat",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }

    pub(super) fn read(self, path: &str, body: &Value) -> Conversation {
        let mut said = match self {
            Self::Messages => anthropic::read(body),
            Self::Responses => responses::read(body),
            Self::Chat => chat::read(body),
            Self::Gemini => gemini::read(body),
            Self::Ollama => ollama::read(body),
        };
        (said.model, said.stream) = match self {
            Self::Gemini => (gemini::model(path).to_owned(), gemini::streams(path)),
            Self::Ollama => (text(&body["model"]), body["stream"] != false),
            Self::Messages | Self::Responses | Self::Chat => {
                (text(&body["model"]), body["stream"] == true)
            }
        };
        if said.model.is_empty() {
            said.problems.push("no model is named".into());
        }
        if said.prompt.is_empty() {
            said.problems.push("the user says nothing".into());
        }
        said
    }

    pub(super) fn answer(self, turn: &Turn<'_>) -> Reply {
        match self {
            Self::Messages => anthropic::answer(turn),
            Self::Responses => responses::answer(turn),
            Self::Chat => chat::answer(turn),
            Self::Gemini => gemini::answer(turn),
            Self::Ollama => ollama::answer(turn),
        }
    }

    pub(super) fn failure(self, failure: &Failure) -> Reply {
        let reply = match self {
            Self::Messages => anthropic::failure(failure),
            Self::Responses | Self::Chat => chat::failure(failure),
            Self::Gemini => gemini::failure(failure),
            Self::Ollama => ollama::failure(failure),
        };
        if let Failure::RateLimited {
            retry_after_s: Some(seconds),
        } = failure
        {
            if self == Self::Gemini {
                return reply;
            }
            return reply.with([("retry-after".into(), seconds.to_string())]);
        }
        reply
    }

    /// A usage as its readers will understand it, by what the protocol has names for.
    pub(super) fn reported(self, usage: Usage) -> Usage {
        match self {
            Self::Messages => usage,
            Self::Responses | Self::Chat | Self::Gemini => Usage {
                input: usage.input + usage.cache_write,
                cache_write: 0,
                ..usage
            },
            Self::Ollama => Usage {
                input: usage.input + usage.cache_read + usage.cache_write,
                output: usage.output,
                ..Usage::default()
            },
        }
    }

    /// The refusal at a wall.
    pub(super) fn limit(self, wall: Wall) -> Reply {
        let seconds = wall.until.saturating_sub(now_s());
        let reply = match self {
            Self::Messages => anthropic::limit(),
            Self::Responses | Self::Chat => Reply::json(
                429,
                &json!({"error": {
                    "type": "usage_limit_reached",
                    "message": "The usage limit has been reached",
                    "plan_type": "plus",
                    "resets_at": wall.until,
                    "resets_in_seconds": seconds,
                }}),
            ),
            Self::Gemini => return gemini::limit(wall),
            Self::Ollama => Reply::json(429, &json!({"error": "usage limit reached"})),
        };
        reply.with([("retry-after".into(), seconds.to_string())])
    }

    pub(super) fn limit_headers(
        self,
        limits: &Limits,
        wall: Option<Wall>,
    ) -> Vec<(String, String)> {
        match self {
            Self::Messages => limits.anthropic(wall),
            Self::Responses | Self::Chat => limits.openai(),
            Self::Gemini | Self::Ollama => Vec::new(),
        }
    }

    /// The event with which a stream tells of an error.
    pub(super) fn error_event(self) -> String {
        match self {
            Self::Messages => event(&json!({
                "type": "error",
                "error": {"type": "overloaded_error", "message": "Overloaded"},
            })),
            Self::Responses => event(&json!({
                "type": "response.failed",
                "response": {"id": "resp_lab", "object": "response", "status": "failed", "error": {
                    "code": "rate_limit_exceeded",
                    "message": "Rate limit reached. Please try again in 1.5s.",
                }},
            })),
            Self::Chat => data(&json!({"error": {
                "message": "The server is overloaded", "type": "server_error", "code": "overloaded",
            }})),
            Self::Gemini => data(&json!({"error": {
                "code": 503, "status": "UNAVAILABLE",
                "message": "The model is overloaded. Please try again later.",
            }})),
            Self::Ollama => format!("{}\n", json!({"error": "the model runner has stopped"})),
        }
    }
}

/// A server-sent event that bears its type as its name.
pub(super) fn event(value: &Value) -> String {
    format!("event: {}\n{}", text(&value["type"]), data(value))
}

/// A server-sent event without a name.
pub(super) fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

pub(super) const SSE: &str = "text/event-stream; charset=utf-8";

/// A string, or nothing.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The items of a list, or none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The text of a content that is a string or a list of blocks with `text`.
pub(super) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        blocks => {
            let texts: Vec<String> = list(blocks)
                .iter()
                .map(|block| text(&block["text"]))
                .collect();
            texts.join("\n")
        }
    }
}

/// Adds what one side said to a text, on lines of its own.
pub(super) fn add_text(whole: &mut String, part: &str) {
    if !whole.is_empty() && !part.is_empty() {
        whole.push('\n');
    }
    whole.push_str(part);
}

/// An answer in two pieces, so that a stream has a middle.
pub(super) fn halves(text: &str) -> [&str; 2] {
    let middle = (text.len() / 2..=text.len()).find(|at| text.is_char_boundary(*at));
    let (first, second) = text.split_at(middle.unwrap_or(text.len()));
    [first, second]
}
