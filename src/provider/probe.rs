//! Sources: ways to learn what a provider has left without using any of its tokens. A file per
//! source says how it is asked and, purely, what its answer means; [`ask()`] does the asking.
//!
//! ```text
//!  app_server, usage, login, ccusage   a program is run          ┐
//!  rollout                             files it left are read    ├─ read() ─> Answer
//!  openrouter, deepseek, github,       an endpoint is asked      │
//!  ollama, oauth                                                 ┘
//!  feed                                text that is given to rigs
//! ```
//!
//! When a source may be asked again, and what becomes of its answer, is the refinery's business.

mod app_server;
mod ask;
mod ccusage;
mod deepseek;
pub(crate) mod feed;
#[cfg(test)]
mod fuzz;
mod github;
mod login;
mod oauth;
mod ollama;
mod openrouter;
mod rollout;
mod usage;

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Observation;
use super::plan::ProviderError;
use crate::config::secret::SecretError;
use crate::config::{Env, ProviderSettings};
use crate::core::words::word_enum;
use crate::core::{Clock, Timestamp};
use crate::llm::LlmError;
use crate::process::ProcessError;

pub(crate) use ask::ask;

word_enum! {
    /// A way to learn what a provider has left.
    pub(crate) enum Probe as "source" {
        /// Codex's own server: asks the provider, uses no tokens.
        AppServer = "app-server",
        /// What codex wrote down about its last runs.
        Rollout = "rollout",
        /// Claude Code's answer to "what have I used"; it asks the provider.
        Usage = "usage",
        /// Whether Claude Code is logged in, and with which plan.
        Login = "login",
        /// Blocks of five hours by the logs of Claude Code: an estimate.
        Ccusage = "ccusage",
        /// The provider's page of usage, with a token of Claude Code.
        OAuth = "oauth",
        OpenRouter = "openrouter",
        DeepSeek = "deepseek",
        GitHub = "github",
        Ollama = "ollama",
    }
}

impl Probe {
    /// Whether it can tell that a window is open again before its reset.
    pub(crate) fn knows_resets(self) -> bool {
        match self {
            Self::AppServer | Self::Usage | Self::OAuth | Self::OpenRouter | Self::DeepSeek => true,
            Self::Rollout | Self::Login | Self::Ccusage | Self::GitHub | Self::Ollama => false,
        }
    }

    /// The most that a question may take.
    pub(crate) fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Ollama | Self::Rollout => 5,
            Self::AppServer
            | Self::Login
            | Self::OAuth
            | Self::OpenRouter
            | Self::DeepSeek
            | Self::GitHub => 10,
            Self::Ccusage | Self::Usage => 20,
        })
    }

    /// The least time between two questions, whoever asks: these endpoints limit their pollers,
    /// some of them for hours.
    pub(crate) fn least(self) -> Duration {
        Duration::from_secs(match self {
            Self::Rollout | Self::Login | Self::Ccusage | Self::Ollama => 0,
            Self::OpenRouter | Self::DeepSeek => 10,
            Self::AppServer => 30,
            Self::GitHub => 60,
            Self::Usage | Self::OAuth => 300,
        })
    }

    /// The time between two questions when nothing presses.
    pub(crate) fn usual(self) -> Duration {
        Duration::from_secs(match self {
            Self::Rollout | Self::Ollama => 10,
            Self::Login | Self::Ccusage | Self::OpenRouter | Self::DeepSeek => 60,
            Self::AppServer | Self::GitHub => 120,
            Self::Usage | Self::OAuth => 900,
        })
    }
}

/// Who is asked, and with what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) entry: &'a ProviderSettings,
    /// Absolute; for sources that are programs.
    pub(crate) program: Option<&'a Path>,
    pub(crate) env: &'a Env,
    /// A folder without settings of any program, to run them in.
    pub(crate) cwd: &'a Path,
    pub(crate) clock: &'a Clock,
    pub(crate) stop: &'a CancellationToken,
}

/// What a source said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) observations: Vec<Observation>,
    /// What else a person would like to know, a few words each.
    pub(crate) said: Vec<String>,
    /// An estimate of what was used; see [`Block`].
    pub(crate) block: Option<Block>,
}

/// The running stretch of five hours as the logs on this machine show it. Its beginning is
/// rounded down to the hour: the provider's window may be an hour off in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    /// Input, output and cache writes.
    pub(crate) tokens: u64,
}

/// Why a source gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("{program} is not in PATH")]
    NoProgram { program: &'static str },
    #[error("{0}")]
    Refused(String),
    /// It limits those who ask.
    #[error("it answers no more for now")]
    Limited { retry_after: Option<Duration> },
    #[error("no answer within {}s", limit.as_secs())]
    TimedOut { limit: Duration },
    #[error("{program} ended with {status} and no answer{}", detail(said))]
    Ended {
        program: &'static str,
        status: String,
        said: String,
    },
    #[error("its answer is not understood: {0}")]
    Unreadable(String),
    #[error("there is nothing to read: {0}")]
    Nothing(String),
    #[error(transparent)]
    Llm(LlmError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Plan(#[from] ProviderError),
}

fn detail(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

impl From<LlmError> for ProbeError {
    fn from(error: LlmError) -> Self {
        match error {
            LlmError::Status {
                status: 429,
                headers,
                ..
            } => {
                let after = headers.iter().find(|(name, _)| name == "retry-after");
                let seconds = after.and_then(|(_, value)| value.trim().parse::<u32>().ok());
                Self::Limited {
                    retry_after: seconds.map(|s| Duration::from_secs(s.into())),
                }
            }
            error => Self::Llm(error),
        }
    }
}

/// JSON that was promised to be an object.
fn object(text: &str) -> Result<serde_json::Value, ProbeError> {
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|_| ProbeError::Unreadable("not JSON".into()))?;
    if json.is_object() {
        Ok(json)
    } else {
        Err(ProbeError::Unreadable("not a JSON object".into()))
    }
}
