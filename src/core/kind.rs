//! The kinds of provider. What is special about each is in its file under `provider/`.

use super::{Capability, words::word_enum};

word_enum! {
    /// How a provider is run and what its output means.
    pub(crate) enum ProviderKind as "provider kind" {
        /// Claude Code, the agent CLI.
        Claude = "claude",
        /// OpenAI Codex, the agent CLI.
        Codex = "codex",
        /// Any program: argv template, prompt on stdin, text or JSON lines out.
        Command = "command",
        /// An Ollama server.
        Ollama = "ollama",
        /// Any OpenAI-compatible HTTP endpoint.
        Openai = "openai",
        /// A GGUF model inside this process.
        Embedded = "embedded",
    }
}

impl ProviderKind {
    /// What a provider of this kind can do unless its entry says otherwise.
    pub(crate) fn capabilities(self) -> &'static [Capability] {
        match self {
            Self::Claude | Self::Codex | Self::Command => &[Capability::Text, Capability::Edit],
            Self::Ollama | Self::Openai | Self::Embedded => &[Capability::Text],
        }
    }
}
