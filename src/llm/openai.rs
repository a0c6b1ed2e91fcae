//! Any OpenAI-compatible server: `POST /chat/completions`, server-sent events out.
//!
//! "Compatible" differs from server to server in what a request may hold. The request starts
//! with everything; when a server refuses it and names the field, that field is dropped or
//! spelled the other way (see [`shape`]) and the server's taste is remembered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use super::http::{Answer, Endpoint, Patience};
use super::stream::{Events, Thinking};
use super::{Completion, LanguageModel, LlmError, Request, offer};
use crate::core::Clock;
use crate::core::text::one_line;

mod reply;
mod shape;

use reply::Gathered;
use shape::Shape;
pub(super) use shape::unfenced;

/// Bounds the question which models there are.
const QUESTION: Duration = Duration::from_secs(10);
/// Changes of the request's form before a refusal is final.
const MOST_CHANGES: usize = 6;

/// A model behind an OpenAI-compatible endpoint.
#[derive(Debug)]
pub(crate) struct OpenAi {
    endpoint: Endpoint,
    model: String,
    /// What this server was found to accept.
    shape: Mutex<Shape>,
}

impl OpenAi {
    /// `base_url` holds everything before `/chat/completions`, so usually ends with `/v1`.
    pub(crate) fn new(
        base_url: &str,
        model: &str,
        key: Option<SecretString>,
    ) -> Result<Self, LlmError> {
        Ok(Self {
            endpoint: Endpoint::new(base_url, key)?,
            model: model.to_owned(),
            shape: Mutex::new(Shape::default()),
        })
    }

    /// The names of the models that the server offers.
    pub(crate) async fn models(&self, clock: &Clock) -> Result<Vec<String>, LlmError> {
        let answer = self.endpoint.get("/models", QUESTION, clock).await?;
        let Some(list) = answer.get("data").and_then(Value::as_array) else {
            return Err(self.endpoint.malformed("no list of models in it"));
        };
        Ok(list
            .iter()
            .filter_map(|m| Some(one_line(m.get("id")?.as_str()?, 120)))
            .collect())
    }

    fn shape(&self) -> Shape {
        *self.shape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the request in the form that this server takes, finding that form if need be.
    async fn ask(
        &self,
        request: &Request,
        patience: &Patience,
    ) -> Result<(Answer, Shape), LlmError> {
        let mut shape = self.shape();
        for _ in 0..MOST_CHANGES {
            let body = shape.body(&self.model, request);
            let sent = self
                .endpoint
                .send("/chat/completions", Some(&body), patience.clone())
                .await;
            let refused = match sent {
                Ok(answer) => {
                    *self.shape.lock().unwrap_or_else(PoisonError::into_inner) = shape;
                    return Ok((answer, shape));
                }
                Err(refused) => refused,
            };
            let next = match &refused {
                LlmError::Status { status, body, .. } => shape.after(*status, body, request),
                LlmError::Unreachable { .. }
                | LlmError::Timeout { .. }
                | LlmError::Malformed { .. }
                | LlmError::TooLong { .. }
                | LlmError::Unusable(_) => None,
            };
            shape = next.ok_or(refused)?;
        }
        Err(self
            .endpoint
            .malformed("it refuses every form of the request"))
    }
}

#[async_trait]
impl LanguageModel for OpenAi {
    fn label(&self) -> String {
        match self.endpoint.host() {
            "api.openai.com" => format!("openai {}", self.model),
            host => format!("{} at {host}", self.model),
        }
    }

    async fn complete(&self, request: &Request, clock: &Clock) -> Result<Completion, LlmError> {
        let patience = Patience::new(request.timeout, request.idle_timeout, clock);
        let (mut answer, shape) = self.ask(request, &patience).await?;

        let mut gathered = Gathered::default();
        let mut thinking = Thinking::default();
        let mut text = String::new();
        if answer.is_json_document() {
            // A server that does not stream answers with one document.
            let document = answer.text().await?;
            gathered
                .take(&document)
                .map_err(|e| self.refusal(e, &mut answer))?;
        } else {
            let mut events = Events::default();
            while !gathered.is_done() {
                let (ready, over) = match answer.chunk().await? {
                    Some(bytes) => (
                        events
                            .push(&bytes)
                            .map_err(|e| self.endpoint.malformed(e.to_string()))?,
                        false,
                    ),
                    None => (events.finish(), true),
                };
                for event in ready {
                    gathered
                        .take(&event)
                        .map_err(|e| self.refusal(e, &mut answer))?;
                    let piece = thinking.push(&gathered.take_text());
                    offer(request.pieces.as_ref(), &piece);
                    text.push_str(&piece);
                }
                if over {
                    break;
                }
            }
        }
        let piece = thinking.push(&gathered.take_text());
        offer(request.pieces.as_ref(), &piece);
        text.push_str(&piece);
        let rest = thinking.finish();
        offer(request.pieces.as_ref(), &rest);
        text.push_str(&rest);

        if !gathered.is_complete() {
            return Err(self.endpoint.malformed("it ended before it was done"));
        }
        if gathered.was_filtered() {
            return Err(self
                .endpoint
                .malformed("the server's content filter stopped it"));
        }
        if request.schema.is_some() && !shape.enforces_schema() {
            text = unfenced(&text).to_owned();
        }
        Ok(Completion {
            text,
            usage: gathered.usage(),
            truncated: gathered.was_truncated(),
            model: gathered.model().unwrap_or_else(|| self.model.clone()),
            headers: answer.headers,
        })
    }
}

impl OpenAi {
    fn refusal(&self, error: reply::Refusal, answer: &mut Answer) -> LlmError {
        match error {
            reply::Refusal::Error { status, body } => {
                let headers = std::mem::take(&mut answer.headers);
                self.endpoint.status(status, &body, headers)
            }
            reply::Refusal::Garbage(text) => self.endpoint.malformed(format!(
                "not an event of a completion: {}",
                one_line(&text, 120)
            )),
        }
    }
}

#[cfg(test)]
mod tests;
