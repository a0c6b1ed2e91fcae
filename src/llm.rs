//! Language-model clients: Ollama's own protocol, any OpenAI-compatible server, and a GGUF model
//! inside this process. One trait, because the assayer and the text providers use all three alike.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::core::{Clock, Usage};

pub(crate) mod anthropic;
#[cfg(test)]
#[cfg(feature = "e2e")]
mod e2e;
pub(crate) mod embedded;
pub(crate) mod google;
pub(crate) mod http;
#[cfg(test)]
pub(crate) mod loopback;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod store;
mod stream;

/// Who said a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    System,
    User,
    Assistant,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) content: String,
}

impl Message {
    pub(crate) fn system(content: impl Into<String>) -> Self {
        Self {
            role: Role::System,
            content: content.into(),
        }
    }

    pub(crate) fn user(content: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            content: content.into(),
        }
    }

    pub(crate) fn assistant(content: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            content: content.into(),
        }
    }
}

/// One request to a model.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) messages: Vec<Message>,
    /// A JSON Schema that the whole answer must satisfy; the server or grammar enforces it.
    pub(crate) schema: Option<serde_json::Value>,
    /// Most tokens of the answer.
    pub(crate) max_tokens: u32,
    /// 0 is greedy, and repeatable where the backend is.
    pub(crate) temperature: f64,
    /// Whole call.
    pub(crate) timeout: Duration,
    /// Longest silence between two pieces of the answer; the first one may take the whole time,
    /// because a server may have to load the model.
    pub(crate) idle_timeout: Duration,
    /// Gets the pieces of the answer as they come; a full channel drops pieces, never waits.
    pub(crate) pieces: Option<mpsc::Sender<String>>,
}

impl Request {
    /// A question without a schema, greedy, with limits that suit one answer of a local model.
    pub(crate) fn new(messages: Vec<Message>) -> Self {
        Self {
            messages,
            schema: None,
            max_tokens: 1024,
            temperature: 0.0,
            timeout: Duration::from_mins(2),
            idle_timeout: Duration::from_secs(30),
            pieces: None,
        }
    }

    /// How much text the model gets to read, the schema not counted.
    fn prompt_bytes(&self) -> u64 {
        self.messages.iter().map(|m| m.content.len() as u64).sum()
    }
}

/// Shows a piece of the answer to whoever listens. A full or closed channel drops the piece: the
/// answer itself does not depend on it.
fn offer(pieces: Option<&mpsc::Sender<String>>, piece: &str) {
    if let Some(pieces) = pieces.filter(|_| !piece.is_empty()) {
        drop(pieces.try_send(piece.to_owned()));
    }
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Completion {
    pub(crate) text: String,
    /// As the server reported it; all zero when it reported none.
    pub(crate) usage: Usage,
    /// The model that answered, as the server names it.
    pub(crate) model: String,
    /// The answer ended at `max_tokens`.
    pub(crate) truncated: bool,
    /// Rate-limit and request-id headers of the answer, lower-case names.
    pub(crate) headers: Vec<(String, String)>,
}

/// Why there is no answer. Texts from servers are already redacted and bounded.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LlmError {
    #[error("cannot reach {endpoint}: {reason}")]
    Unreachable { endpoint: String, reason: String },
    #[error("no answer from {endpoint} within {}s", limit.as_secs())]
    Timeout { endpoint: String, limit: Duration },
    /// The server answered with an error status.
    #[error("{endpoint} answered {status}: {body}")]
    Status {
        endpoint: String,
        status: u16,
        body: String,
        headers: Vec<(String, String)>,
    },
    #[error("{endpoint} sent an answer that is not understood: {reason}")]
    Malformed { endpoint: String, reason: String },
    #[error("the prompt of {tokens} tokens does not fit into the {window} that {model} can take")]
    TooLong {
        model: String,
        tokens: u64,
        window: u64,
    },
    /// The model itself cannot be used; the text says why and what to do.
    #[error("{0}")]
    Unusable(String),
}

/// A language model that can be asked.
#[async_trait]
pub(crate) trait LanguageModel: Send + Sync {
    /// How the output names it, for example `ollama qwen2.5-coder:7b`.
    fn label(&self) -> String;

    /// Answers, or says why not; never takes longer than the request's timeout.
    async fn complete(&self, request: &Request, clock: &Clock) -> Result<Completion, LlmError>;
}
