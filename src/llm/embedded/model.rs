//! The embedded model as the rest of the program sees it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::engine::{Engine, Failed, Job};
use crate::core::text::one_line;
use crate::core::{Clock, Usage};
use crate::llm::{Completion, LanguageModel, LlmError, Request};

/// A loaded model.
pub(crate) struct Embedded {
    name: String,
    engine: Arc<Mutex<Engine>>,
}

impl Embedded {
    /// Loads a GGUF file; `name` is how messages call it. Takes a second or so and as much
    /// memory as the file has bytes, at least.
    pub(crate) async fn load(name: &str, path: &Path) -> Result<Self, LlmError> {
        let path = path.to_owned();
        let loaded = tokio::task::spawn_blocking(move || Engine::load(&path)).await;
        let reason = match loaded {
            Ok(Ok(engine)) => {
                return Ok(Self {
                    name: name.to_owned(),
                    engine: Arc::new(Mutex::new(engine)),
                });
            }
            Ok(Err(reason)) => reason,
            // The libraries panic on some files that lie about themselves.
            Err(_) => "its file is not consistent".into(),
        };
        Err(LlmError::Unusable(format!(
            "cannot load the model `{name}`: {}",
            one_line(&reason, 300)
        )))
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedded({})", self.name)
    }
}

/// Tells the blocking thread that nobody waits any more: on a time-out, and when the caller's
/// future is dropped.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl LanguageModel for Embedded {
    fn label(&self) -> String {
        format!("embedded {}", self.name)
    }

    async fn complete(&self, request: &Request, clock: &Clock) -> Result<Completion, LlmError> {
        let timeout = LlmError::Timeout {
            endpoint: self.label(),
            limit: request.timeout,
        };
        let end = clock.now() + request.timeout;
        let give_up = GiveUp(Arc::new(AtomicBool::new(false)));
        let stop = give_up.0.clone();
        let job = Job {
            messages: request.messages.clone(),
            schema: request.schema.clone(),
            max_tokens: request.max_tokens as usize,
            temperature: request.temperature,
            pieces: request.pieces.clone(),
        };
        let locked = clock.timeout(request.timeout, self.engine.clone().lock_owned());
        let Some(mut engine) = locked.await else {
            return Err(timeout);
        };
        let work = tokio::task::spawn_blocking(move || engine.answer(&job, &stop));
        let left = end.since(clock.now());
        let answer = match clock.timeout(left, work).await {
            None | Some(Ok(Err(Failed::GaveUp))) => return Err(timeout),
            Some(Err(_)) => Err("it broke off; its file may not be consistent".into()),
            Some(Ok(Err(Failed::TooLong { tokens, window }))) => {
                return Err(LlmError::TooLong {
                    model: self.name.clone(),
                    tokens,
                    window,
                });
            }
            Some(Ok(Err(Failed::Broken(reason)))) => Err(reason),
            Some(Ok(Ok(answer))) => Ok(answer),
        };
        match answer {
            Ok(answer) => Ok(Completion {
                text: answer.text,
                usage: Usage {
                    input: answer.read as u64,
                    output: answer.written as u64,
                    requests: 1,
                    ..Usage::default()
                },
                model: self.name.clone(),
                truncated: answer.truncated,
                headers: Vec::new(),
            }),
            Err(reason) => Err(LlmError::Unusable(format!(
                "the model `{}` cannot answer: {}",
                self.name,
                one_line(&reason, 300)
            ))),
        }
    }
}
