//! Anthropic's own protocol: `POST /v1/messages`, one document out.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Endpoint, KeyHeader, Patience};
use super::openai::unfenced;
use super::{Completion, LanguageModel, LlmError, Request, Role, offer};
use crate::core::text::one_line;
use crate::core::{Clock, Usage};

pub(crate) const DEFAULT_URL: &str = "https://api.anthropic.com";

/// Bounds the question which models there are.
const QUESTION: Duration = Duration::from_secs(10);

/// A model behind Anthropic's API.
#[derive(Debug)]
pub(crate) struct Anthropic {
    endpoint: Endpoint,
    model: String,
}

impl Anthropic {
    /// `base_url` holds everything before `/v1/messages`.
    pub(crate) fn new(
        base_url: &str,
        model: &str,
        key: Option<SecretString>,
    ) -> Result<Self, LlmError> {
        const VERSION: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];
        let endpoint = Endpoint::new(base_url, key)?
            .with_key_in(KeyHeader::Named("x-api-key"))
            .with_headers(VERSION);
        Ok(Self {
            endpoint,
            model: model.to_owned(),
        })
    }

    /// The names of the models that the key may use.
    pub(crate) async fn models(&self, clock: &Clock) -> Result<Vec<String>, LlmError> {
        let answer = self
            .endpoint
            .get("/v1/models?limit=1000", QUESTION, clock)
            .await?;
        let Some(list) = answer.get("data").and_then(Value::as_array) else {
            return Err(self.endpoint.malformed("no list of models in it"));
        };
        Ok(list
            .iter()
            .filter_map(|m| Some(one_line(m.get("id")?.as_str()?, 120)))
            .collect())
    }

    fn body(&self, request: &Request) -> Value {
        let said = |role: Role| request.messages.iter().filter(move |m| m.role == role);
        let mut system: Vec<String> = said(Role::System).map(|m| m.content.clone()).collect();
        if let Some(schema) = &request.schema {
            system.push(format!(
                "Answer with one JSON value and nothing else. It must satisfy this JSON Schema: {schema}"
            ));
        }
        let messages: Vec<Value> = request
            .messages
            .iter()
            .filter_map(|m| match m.role {
                Role::System => None,
                Role::User => Some(json!({"role": "user", "content": m.content})),
                Role::Assistant => Some(json!({"role": "assistant", "content": m.content})),
            })
            .collect();
        let mut body = json!({
            "model": self.model,
            "max_tokens": request.max_tokens,
            "messages": messages,
        });
        if !system.is_empty() {
            body["system"] = json!(system.join("\n\n"));
        }
        body
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    model: String,
    #[serde(default)]
    content: Vec<Block>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Counts,
}

#[derive(Deserialize)]
struct Block {
    #[serde(default)]
    text: Option<String>,
}

/// The four are disjoint. Any may be null.
#[derive(Default, Deserialize)]
struct Counts {
    #[serde(default, rename = "input_tokens")]
    input: Option<u64>,
    #[serde(default, rename = "output_tokens")]
    output: Option<u64>,
    #[serde(default, rename = "cache_read_input_tokens")]
    cache_read: Option<u64>,
    #[serde(default, rename = "cache_creation_input_tokens")]
    cache_write: Option<u64>,
}

#[async_trait]
impl LanguageModel for Anthropic {
    fn label(&self) -> String {
        match self.endpoint.host() {
            "api.anthropic.com" => format!("anthropic {}", self.model),
            host => format!("{} at {host}", self.model),
        }
    }

    async fn complete(&self, request: &Request, clock: &Clock) -> Result<Completion, LlmError> {
        let patience = Patience::new(request.timeout, request.idle_timeout, clock);
        let body = self.body(request);
        let mut answer = self
            .endpoint
            .send("/v1/messages", Some(&body), patience)
            .await?;
        let text = answer.text().await?;
        let json: Value = serde_json::from_str(&text).map_err(|_| {
            self.endpoint
                .malformed("not JSON; it may have been cut off")
        })?;
        if json.get("error").is_some_and(|e| !e.is_null()) {
            return Err(self.endpoint.status(200, &text, answer.headers));
        }
        let said: Answer = serde_json::from_value(json)
            .map_err(|_| self.endpoint.malformed("not an answer of a model"))?;
        let Some(reason) = said.stop_reason else {
            return Err(self.endpoint.malformed("it ended before it was done"));
        };
        if reason == "refusal" {
            return Err(self.endpoint.malformed("the model refused to answer"));
        }
        let text: String = said.content.into_iter().filter_map(|b| b.text).collect();
        offer(request.pieces.as_ref(), &text);
        let usage = &said.usage;
        Ok(Completion {
            text: match request.schema {
                Some(_) => unfenced(&text).to_owned(),
                None => text,
            },
            usage: Usage {
                input: usage.input.unwrap_or(0),
                output: usage.output.unwrap_or(0),
                cache_read: usage.cache_read.unwrap_or(0),
                cache_write: usage.cache_write.unwrap_or(0),
                requests: 1,
                ..Usage::default()
            },
            model: if said.model.is_empty() {
                self.model.clone()
            } else {
                one_line(&said.model, 120)
            },
            truncated: reason == "max_tokens",
            headers: answer.headers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Message;
    use crate::llm::loopback::{Reply, Server, answer};

    fn ask() -> Request {
        Request::new(vec![Message::system("Be brief."), Message::user("Hi")])
    }

    async fn asked(reply: Reply) -> (Server, Result<Completion, LlmError>) {
        let server = Server::new(vec![reply]);
        let model = Anthropic::new(&server.url(), "claude-x", Some("sk-secret-1".into())).unwrap();
        let answer = model.complete(&ask(), &Clock::system()).await;
        (server, answer)
    }

    #[tokio::test]
    async fn an_answer_is_read_with_its_four_kinds_of_tokens_and_its_headers() {
        let body = serde_json::json!({"model": "claude-x-1", "stop_reason": "max_tokens",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello"}],
            "usage": {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": null}});
        let headers = "anthropic-ratelimit-requests-limit: 50\r\n";
        let (mut server, answered) = asked(answer("200 OK", headers, &body.to_string())).await;
        assert_eq!(
            answered.unwrap(),
            Completion {
                text: "Hello".into(),
                usage: Usage {
                    input: 3,
                    output: 5,
                    cache_read: 7,
                    requests: 1,
                    ..Usage::default()
                },
                model: "claude-x-1".into(),
                truncated: true,
                headers: vec![("anthropic-ratelimit-requests-limit".into(), "50".into())],
            }
        );
        let received = server.request().await;
        assert_eq!(received.line(), "POST /v1/messages HTTP/1.1");
        assert_eq!(received.header("x-api-key"), Some("sk-secret-1"));
        assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));
        assert_eq!(received.header("authorization"), None);
        assert_eq!(
            received.json(),
            serde_json::json!({"model": "claude-x", "max_tokens": 1024, "system": "Be brief.",
                "messages": [{"role": "user", "content": "Hi"}]})
        );
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error_that_says_why() {
        let limit = serde_json::json!({"type": "error", "error": {"type": "rate_limit_error",
            "message": "You have reached your API usage limits", "details": {"error_code": "enforced_spend_limit_reached"}}});
        let unfinished = serde_json::json!({"content": [], "usage": {}});
        let words = "You have reached your API usage limits (rate_limit_error, enforced_spend_limit_reached)";
        let refused = serde_json::json!({"stop_reason": "refusal"});
        for (status, body, want) in [
            (
                "429 Too Many Requests",
                &limit,
                format!("answered 429: {words}"),
            ),
            ("200 OK", &limit, format!("answered 200: {words}")),
            ("200 OK", &unfinished, "ended before it was done".into()),
            ("200 OK", &refused, "refused to answer".into()),
        ] {
            let (_server, answered) = asked(answer(status, "", &body.to_string())).await;
            let said = answered.unwrap_err().to_string();
            assert!(said.contains(&want), "{said}");
        }
    }
}
