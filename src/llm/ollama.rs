//! Ollama's own protocol: chat with a schema as `format`, newline-delimited JSON out.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::http::{Endpoint, Patience};
use super::stream::{Lines, Thinking};
use super::{Completion, LanguageModel, LlmError, Request, offer};
use crate::core::text::one_line;
use crate::core::{Clock, Usage};

/// Where Ollama listens unless it is told otherwise.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:11434";
/// Bounds a look whether a server is there at all.
const PROBE: Duration = Duration::from_millis(300);
/// Bounds questions about models.
const QUESTION: Duration = Duration::from_secs(5);
/// How long the server keeps the model in memory after an answer: beads come in rows.
const KEEP_ALIVE: &str = "10m";
/// Any number will do; the same one makes answers repeatable.
const SEED: u64 = 7;
/// A new context size makes the server load the model again, so there are few.
const CONTEXTS: [u64; 5] = [4096, 8192, 16_384, 32_768, 65_536];

/// A model of an Ollama server.
#[derive(Debug)]
pub(crate) struct Ollama {
    endpoint: Endpoint,
    model: String,
    /// Tokens that the model can take; asked once, `None` when the server does not say.
    window: OnceCell<Option<u64>>,
}

/// A model that a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
}

impl Ollama {
    pub(crate) fn new(base_url: &str, model: &str) -> Result<Self, LlmError> {
        Ok(Self {
            endpoint: Endpoint::new(base_url, None)?,
            model: model.to_owned(),
            window: OnceCell::new(),
        })
    }

    async fn window(&self, clock: &Clock) -> Option<u64> {
        *self
            .window
            .get_or_init(|| async {
                let patience = Patience::new(QUESTION, QUESTION, clock);
                let body = json!({ "model": self.model });
                let shown = match self.endpoint.send("/api/show", Some(&body), patience).await {
                    Ok(mut answer) => answer.text().await.unwrap_or_default(),
                    // The chat call itself will say what is wrong.
                    Err(_) => return None,
                };
                let shown: Value = serde_json::from_str(&shown).ok()?;
                let info = shown.get("model_info")?.as_object()?;
                info.iter()
                    .find(|(key, _)| key.ends_with(".context_length"))?
                    .1
                    .as_u64()
            })
            .await
    }

    /// The context to ask for. The server cuts a longer prompt without a word, so what certainly
    /// does not fit is refused here.
    async fn context(&self, request: &Request, clock: &Clock) -> Result<u64, LlmError> {
        let prompt = request.prompt_bytes();
        // Dense code has about two bytes to a token, plain English five.
        let most = prompt / 2 + 64 + u64::from(request.max_tokens);
        let least = prompt / 6;
        if most <= CONTEXTS[0] {
            return Ok(CONTEXTS[0]);
        }
        let window = self.window(clock).await.unwrap_or(CONTEXTS[4]);
        if least > window {
            return Err(LlmError::TooLong {
                model: self.model.clone(),
                tokens: least,
                window,
            });
        }
        let wanted = CONTEXTS.into_iter().find(|c| *c >= most);
        Ok(wanted.unwrap_or(window).min(window))
    }

    /// What an error of this server means to a person.
    fn explain(&self, error: LlmError) -> LlmError {
        match error {
            LlmError::Status {
                status: 404, body, ..
            } => LlmError::Unusable(format!(
                "the Ollama server at {} has no model `{}` ({body}); `ollama pull {}` fetches it",
                self.endpoint.host(),
                self.model,
                self.model
            )),
            other => other,
        }
    }
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    message: Option<Said>,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    done_reason: Option<String>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
    #[serde(default)]
    eval_count: Option<u64>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: String,
}

#[async_trait]
impl LanguageModel for Ollama {
    fn label(&self) -> String {
        format!("ollama {}", self.model)
    }

    async fn complete(&self, request: &Request, clock: &Clock) -> Result<Completion, LlmError> {
        let patience = Patience::new(request.timeout, request.idle_timeout, clock);
        let mut body = json!({
            "model": self.model,
            "messages": request.messages,
            "stream": true,
            "think": false,
            "keep_alive": KEEP_ALIVE,
            "options": {
                "temperature": request.temperature,
                "seed": SEED,
                "num_ctx": self.context(request, clock).await?,
                "num_predict": request.max_tokens,
            },
        });
        if let Some(schema) = &request.schema {
            body["format"] = schema.clone();
        }
        let mut answer = self
            .endpoint
            .send("/api/chat", Some(&body), patience)
            .await
            .map_err(|e| self.explain(e))?;

        let mut lines = Lines::default();
        let mut thinking = Thinking::default();
        let mut text = String::new();
        let mut model = None;
        loop {
            let (ready, over) = match answer.chunk().await? {
                Some(bytes) => (
                    lines
                        .push(&bytes)
                        .map_err(|e| self.endpoint.malformed(e.to_string()))?,
                    false,
                ),
                None => (vec![lines.take()], true),
            };
            for line in ready.iter().filter(|l| !l.trim().is_empty()) {
                let line: Line = serde_json::from_str(line).map_err(|_| {
                    self.endpoint
                        .malformed(format!("not a line of JSON: {}", one_line(line, 120)))
                })?;
                if let Some(error) = line.error {
                    let said = json!({ "error": error }).to_string();
                    let headers = std::mem::take(&mut answer.headers);
                    return Err(self.explain(self.endpoint.status(200, &said, headers)));
                }
                if let Some(said) = line.message {
                    let piece = thinking.push(&said.content);
                    offer(request.pieces.as_ref(), &piece);
                    text.push_str(&piece);
                }
                model = line.model.or(model);
                if line.done {
                    let rest = thinking.finish();
                    offer(request.pieces.as_ref(), &rest);
                    text.push_str(&rest);
                    return Ok(Completion {
                        text,
                        usage: usage(line.prompt_eval_count, line.eval_count),
                        model: model.unwrap_or_else(|| self.model.clone()),
                        truncated: line.done_reason.as_deref() == Some("length"),
                        headers: answer.headers,
                    });
                }
            }
            if over {
                return Err(self.endpoint.malformed("it ended before it was done"));
            }
        }
    }
}

fn usage(input: Option<u64>, output: Option<u64>) -> Usage {
    if input.is_none() && output.is_none() {
        return Usage::default();
    }
    Usage {
        input: input.unwrap_or(0),
        output: output.unwrap_or(0),
        requests: 1,
        ..Usage::default()
    }
}

/// The version of the server at `base_url`, when one answers there quickly.
pub(crate) async fn probe(base_url: &str, clock: &Clock) -> Result<String, LlmError> {
    let endpoint = Endpoint::new(base_url, None)?;
    let answer = endpoint.get("/api/version", PROBE, clock).await?;
    match answer.get("version").and_then(Value::as_str) {
        Some(version) => Ok(one_line(version, 40)),
        None => Err(endpoint.malformed("no version in it; is this an Ollama server?")),
    }
}

/// The models that the server has.
pub(crate) async fn models(base_url: &str, clock: &Clock) -> Result<Vec<Installed>, LlmError> {
    let endpoint = Endpoint::new(base_url, None)?;
    let answer = endpoint.get("/api/tags", QUESTION, clock).await?;
    let Some(models) = answer.get("models").and_then(Value::as_array) else {
        return Err(endpoint.malformed("no list of models in it"));
    };
    Ok(models
        .iter()
        .filter_map(|m| {
            Some(Installed {
                name: one_line(m.get("name")?.as_str()?, 120),
                size_bytes: m.get("size").and_then(Value::as_u64).unwrap_or(0),
            })
        })
        .collect())
}

/// The model to use when none is configured: the largest for code that fits into `room_bytes`,
/// else the largest of any kind that fits. Embedding models cannot answer.
pub(crate) fn choose(models: &[Installed], room_bytes: u64) -> Option<&Installed> {
    let is = |m: &Installed, words: &[&str]| {
        let name = m.name.to_lowercase();
        words.iter().any(|w| name.contains(w))
    };
    models
        .iter()
        .filter(|m| !is(m, &["embed", "bge-", "minilm", "rerank"]))
        .filter(|m| m.size_bytes > 0 && m.size_bytes <= room_bytes)
        .max_by_key(|m| (is(m, &["code", "coder", "devstral"]), m.size_bytes))
}

/// Where the server is: the entry's own address, else what `OLLAMA_HOST` says, else the default.
/// `OLLAMA_HOST` may lack scheme and port, and as a listening address it may mean "any".
pub(crate) fn base_url(configured: Option<&str>, ollama_host: Option<&str>) -> String {
    if let Some(url) = configured {
        return url.to_owned();
    }
    let Some(host) = ollama_host.map(str::trim).filter(|h| !h.is_empty()) else {
        return DEFAULT_URL.to_owned();
    };
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let rest = rest.trim_end_matches('/');
    let rest = match rest.strip_prefix("0.0.0.0").or(rest.strip_prefix("[::]")) {
        Some(port) => format!("127.0.0.1{port}"),
        None => rest.to_owned(),
    };
    let has_port = rest
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    if has_port || scheme == "https" {
        format!("{scheme}://{rest}")
    } else {
        format!("{scheme}://{rest}:11434")
    }
}

#[cfg(test)]
mod tests;
