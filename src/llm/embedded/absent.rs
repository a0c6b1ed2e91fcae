//! What stands for the embedded model in a program that was built without it.

use std::path::Path;

use async_trait::async_trait;

use crate::core::Clock;
use crate::llm::{Completion, LanguageModel, LlmError, Request};

/// There is none.
#[derive(Debug)]
pub(crate) enum Embedded {}

impl Embedded {
    #[expect(
        clippy::unused_async,
        reason = "the same signature as with the feature"
    )]
    pub(crate) async fn load(name: &str, _path: &Path) -> Result<Self, LlmError> {
        Err(LlmError::Unusable(format!(
            "this rigs was built without `local-llm` and cannot run `{name}` itself; build it with `cargo build --release --features local-llm`, or use an Ollama server"
        )))
    }
}

#[async_trait]
impl LanguageModel for Embedded {
    fn label(&self) -> String {
        match *self {}
    }

    async fn complete(&self, _: &Request, _: &Clock) -> Result<Completion, LlmError> {
        match *self {}
    }
}
