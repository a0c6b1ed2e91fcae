//! The kinds of provider. What is special about each is in its file under `provider/`.

use super::{Capability, words::word_enum};

word_enum! {
    /// How a provider is run and what its output means.
    pub(crate) enum ProviderKind as "provider kind" {
        /// Claude Code, the agent CLI.
        Claude = "claude",
        /// OpenAI Codex, the agent CLI.
        Codex = "codex",
        /// Gemini CLI, the agent CLI.
        Gemini = "gemini",
        /// opencode, the agent CLI for many providers.
        Opencode = "opencode",
        /// Any program: argv template, prompt on stdin, text or JSON lines out.
        Command = "command",
        /// An Ollama server.
        Ollama = "ollama",
        /// Any OpenAI-compatible HTTP endpoint.
        Openai = "openai",
        /// Anthropic's API, with a key.
        Anthropic = "anthropic",
        /// The Gemini API, with a key.
        Google = "google",
        /// A GGUF model inside this process.
        Embedded = "embedded",
        /// Nothing: runs are made up inside this process, for rehearsals.
        Sim = "sim",
    }
}

/// The model of every simulated run: in the store, and so in each answer, nothing of it can be
/// taken for the real thing.
pub(crate) const SIMULATED: &str = "simulated";

/// What is behind a provider, as far as running it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The vendor's own program, whose name is known.
    Agent,
    /// A program that only the entry knows.
    Program,
    /// A server that is asked over HTTP.
    Http,
    /// This process.
    Inside,
    /// Nothing at all.
    Nobody,
}

impl ProviderKind {
    pub(crate) fn way(self) -> Way {
        match self {
            Self::Claude | Self::Codex | Self::Gemini | Self::Opencode => Way::Agent,
            Self::Command => Way::Program,
            Self::Ollama | Self::Openai | Self::Anthropic | Self::Google => Way::Http,
            Self::Embedded => Way::Inside,
            Self::Sim => Way::Nobody,
        }
    }

    /// What a provider of this kind can do unless its entry says otherwise.
    pub(crate) fn capabilities(self) -> &'static [Capability] {
        match self.way() {
            Way::Agent | Way::Program | Way::Nobody => &[Capability::Text, Capability::Edit],
            Way::Http | Way::Inside => &[Capability::Text],
        }
    }
}
