//! Google's own protocol for Gemini: `POST /v1beta/models/MODEL:generateContent`, one document
//! out.

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

pub(crate) const DEFAULT_URL: &str = "https://generativelanguage.googleapis.com";

/// Bounds the question which models there are.
const QUESTION: Duration = Duration::from_secs(10);

/// A model behind the Gemini API.
#[derive(Debug)]
pub(crate) struct Google {
    endpoint: Endpoint,
    model: String,
}

impl Google {
    /// `base_url` holds everything before `/v1beta`.
    pub(crate) fn new(
        base_url: &str,
        model: &str,
        key: Option<SecretString>,
    ) -> Result<Self, LlmError> {
        // It becomes a part of the path.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if model.is_empty() || !model.chars().all(plain) {
            return Err(LlmError::Unusable(format!(
                "`{}` is not the name of a model such as gemini-2.5-flash",
                one_line(model, 60)
            )));
        }
        let endpoint =
            Endpoint::new(base_url, key)?.with_key_in(KeyHeader::Named("x-goog-api-key"));
        Ok(Self {
            endpoint,
            model: model.to_owned(),
        })
    }

    /// The names of the models that the key may use.
    pub(crate) async fn models(&self, clock: &Clock) -> Result<Vec<String>, LlmError> {
        let answer = self
            .endpoint
            .get("/v1beta/models?pageSize=1000", QUESTION, clock)
            .await?;
        let Some(list) = answer.get("models").and_then(Value::as_array) else {
            return Err(self.endpoint.malformed("no list of models in it"));
        };
        Ok(list
            .iter()
            .filter_map(|m| m.get("name")?.as_str())
            .map(|name| one_line(name.strip_prefix("models/").unwrap_or(name), 120))
            .collect())
    }

    fn body(request: &Request) -> Value {
        let part = |text: &str| json!([{"text": text}]);
        let system: Vec<&str> = request
            .messages
            .iter()
            .filter(|m| m.role == Role::System)
            .map(|m| m.content.as_str())
            .collect();
        let contents: Vec<Value> = request
            .messages
            .iter()
            .filter_map(|m| match m.role {
                Role::System => None,
                Role::User => Some(json!({"role": "user", "parts": part(&m.content)})),
                Role::Assistant => Some(json!({"role": "model", "parts": part(&m.content)})),
            })
            .collect();
        let mut config = json!({
            "maxOutputTokens": request.max_tokens,
            "temperature": request.temperature,
        });
        if let Some(schema) = &request.schema {
            config["responseMimeType"] = json!("application/json");
            config["responseJsonSchema"] = schema.clone();
        }
        let mut body = json!({"contents": contents, "generationConfig": config});
        if !system.is_empty() {
            body["systemInstruction"] = json!({"parts": part(&system.join("\n\n"))});
        }
        body
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    model_version: Option<String>,
    #[serde(default)]
    prompt_feedback: Option<Feedback>,
    #[serde(default)]
    usage_metadata: Counts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Content,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
    /// It is what the model thought, not what it says.
    #[serde(default)]
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

/// The prompt contains the cached ones; what tools brought and what the model thought
/// are counted by themselves.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    #[serde(rename = "promptTokenCount")]
    prompt: u64,
    #[serde(rename = "cachedContentTokenCount")]
    cached: u64,
    #[serde(rename = "candidatesTokenCount")]
    answer: u64,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts: u64,
    #[serde(rename = "toolUsePromptTokenCount")]
    tools: u64,
}

impl Counts {
    fn usage(&self) -> Usage {
        Usage {
            input: self
                .prompt
                .saturating_sub(self.cached)
                .saturating_add(self.tools),
            output: self.answer.saturating_add(self.thoughts),
            cache_read: self.cached,
            requests: 1,
            ..Usage::default()
        }
    }
}

#[async_trait]
impl LanguageModel for Google {
    fn label(&self) -> String {
        match self.endpoint.host() {
            "generativelanguage.googleapis.com" => format!("google {}", self.model),
            host => format!("{} at {host}", self.model),
        }
    }

    async fn complete(&self, request: &Request, clock: &Clock) -> Result<Completion, LlmError> {
        let patience = Patience::new(request.timeout, request.idle_timeout, clock);
        let path = format!("/v1beta/models/{}:generateContent", self.model);
        let body = Self::body(request);
        let mut answer = self.endpoint.send(&path, Some(&body), patience).await?;
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
        let usage = said.usage_metadata.usage();
        let blocked = said.prompt_feedback.and_then(|f| f.block_reason);
        let Some(first) = said.candidates.into_iter().next() else {
            return Err(self.endpoint.malformed(match blocked {
                Some(reason) => format!("the prompt was refused: {reason}"),
                None => "it ended before it was done".to_owned(),
            }));
        };
        let truncated = match first.finish_reason.as_deref() {
            Some("STOP") => false,
            Some("MAX_TOKENS") => true,
            Some(reason) => {
                return Err(self
                    .endpoint
                    .malformed(format!("the answer was refused: {reason}")));
            }
            None => return Err(self.endpoint.malformed("it ended before it was done")),
        };
        let parts = first.content.parts.into_iter().filter(|p| !p.thought);
        let text: String = parts.filter_map(|p| p.text).collect();
        offer(request.pieces.as_ref(), &text);
        Ok(Completion {
            text: match request.schema {
                Some(_) => unfenced(&text).to_owned(),
                None => text,
            },
            usage,
            model: said
                .model_version
                .map_or_else(|| self.model.clone(), |m| one_line(&m, 120)),
            truncated,
            headers: answer.headers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Message;
    use crate::llm::loopback::{Reply, Server, answer};

    async fn asked(reply: Reply) -> (Server, Result<Completion, LlmError>) {
        let server = Server::new(vec![reply]);
        let model = Google::new(&server.url(), "gemini-x", Some("AIza-1".into())).unwrap();
        let request = Request {
            schema: Some(json!({"type": "object"})),
            ..Request::new(vec![Message::system("Be brief."), Message::user("Hi")])
        };
        let answered = model.complete(&request, &Clock::system()).await;
        (server, answered)
    }

    #[tokio::test]
    async fn an_answer_is_read_with_its_tokens_apart() {
        let body = json!({"modelVersion": "gemini-x-001",
            "candidates": [{"finishReason": "STOP", "content": {"parts": [
                {"text": "hm", "thought": true}, {"text": "```json\n{}\n```"}]}}],
            "usageMetadata": {"promptTokenCount": 1200, "cachedContentTokenCount": 800,
                "candidatesTokenCount": 34, "thoughtsTokenCount": 10, "toolUsePromptTokenCount": 5}});
        let (mut server, answered) = asked(answer("200 OK", "", &body.to_string())).await;
        assert_eq!(
            answered.unwrap(),
            Completion {
                text: "{}".into(),
                usage: Usage {
                    input: 405,
                    output: 44,
                    cache_read: 800,
                    requests: 1,
                    ..Usage::default()
                },
                model: "gemini-x-001".into(),
                truncated: false,
                headers: vec![],
            }
        );
        let received = server.request().await;
        assert_eq!(
            received.line(),
            "POST /v1beta/models/gemini-x:generateContent HTTP/1.1"
        );
        assert_eq!(received.header("x-goog-api-key"), Some("AIza-1"));
        assert_eq!(
            received.json(),
            json!({"systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                "generationConfig": {"maxOutputTokens": 1024, "temperature": 0.0,
                    "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}})
        );
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error_that_says_why() {
        let quota = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota.",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                    {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "250"},
                    {"quotaId": "GenerateContentInputTokensPerModelPerMinute-FreeTier", "quotaValue": "250000"}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}]}});
        let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
        let unsafe_answer = json!({"candidates": [{"finishReason": "SAFETY"}]});
        for (status, body, want) in [
            (
                "429 Too Many Requests",
                &quota,
                "answered 429: You exceeded your current quota. (RESOURCE_EXHAUSTED, 429; quota GenerateRequestsPerDayPerProjectPerModel-FreeTier = 250; quota GenerateContentInputTokensPerModelPerMinute-FreeTier = 250000; retry in 34.07s)",
            ),
            ("200 OK", &blocked, "the prompt was refused: SAFETY"),
            ("200 OK", &unsafe_answer, "the answer was refused: SAFETY"),
            ("200 OK", &json!({}), "ended before it was done"),
        ] {
            let (_server, answered) = asked(answer(status, "", &body.to_string())).await;
            let said = answered.unwrap_err().to_string();
            assert!(said.contains(want), "{said}");
        }
    }

    #[test]
    fn a_name_that_would_change_the_path_is_refused() {
        for bad in ["", "../x", "a b", "m?key=1"] {
            assert!(Google::new(DEFAULT_URL, bad, None).is_err(), "{bad}");
        }
    }
}
