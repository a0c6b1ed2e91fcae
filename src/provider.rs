//! Providers: one file per kind holds everything that is special about it, as pure functions:
//! how to run it, what its output means, how its errors are classed, which windows it has.
//! Running is the foreman's business; only [`probe`] does more than compute: it asks what is left.
//!
//! ```text
//! RunPlan --command()--> process::Spec            (what to start)
//! lines   --Reader-----> Signal, Signal, ...      (what happens while it runs)
//! exit    --finish()---> Outcome                  (one row of one table says how it ended)
//! ```

mod anthropic;
mod claude;
mod codex;
mod command;
mod embedded;
mod gemini;
mod google;
mod headers;
mod key;
mod ollama;
mod openai;
mod opencode;
pub(crate) mod plan;
mod price;
pub(crate) mod probe;
mod reader;
mod reset;
mod rule;
pub(crate) mod signal;
pub(crate) mod sim;
#[cfg(test)]
mod tests;
mod text;
mod toolchains;
mod windows;

use std::path::PathBuf;

use crate::config::ProviderSettings;
use crate::core::ProviderKind;
use crate::process::Spec;

pub(crate) use headers::observations;
pub(crate) use key::secrets;
pub(crate) use plan::{GivenFile, ProviderError, RunPlan, Secrets, Session, base_env};
pub(crate) use price::with_cost;
pub(crate) use reader::{Ending, Reader, StopReason};
pub(crate) use signal::{Class, Observation, Outcome, Scope, Signal, WindowStatus};
pub(crate) use text::{classify, closed_by};
pub(crate) use windows::DefaultWindow;

/// The process that does the plan's work. Kinds that are asked over HTTP or inside this process
/// have none.
pub(crate) fn command(plan: &RunPlan) -> Result<Spec, ProviderError> {
    match plan.kind()? {
        ProviderKind::Claude => claude::command(plan),
        ProviderKind::Codex => codex::command(plan),
        ProviderKind::Gemini => gemini::command(plan),
        ProviderKind::Opencode => opencode::command(plan),
        ProviderKind::Command => command::command(plan),
        kind @ (ProviderKind::Ollama
        | ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Embedded
        | ProviderKind::Sim) => Err(ProviderError::NoProgram { kind }),
    }
}

/// The files that the program reads its settings from; to be written, for the user alone, before
/// it is started.
pub(crate) fn files(plan: &RunPlan) -> Result<Vec<GivenFile>, ProviderError> {
    match plan.kind()? {
        ProviderKind::Gemini => Ok(gemini::files(plan)),
        ProviderKind::Claude
        | ProviderKind::Codex
        | ProviderKind::Opencode
        | ProviderKind::Command
        | ProviderKind::Ollama
        | ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Embedded
        | ProviderKind::Sim => Ok(Vec::new()),
    }
}

/// The program's name when the entry does not say another; `None` where there is no program or
/// only the entry can know it.
pub(crate) fn default_program(kind: ProviderKind) -> Option<&'static str> {
    match kind {
        ProviderKind::Claude => Some("claude"),
        ProviderKind::Codex => Some("codex"),
        ProviderKind::Gemini => Some("gemini"),
        ProviderKind::Opencode => Some("opencode"),
        ProviderKind::Command
        | ProviderKind::Ollama
        | ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Embedded
        | ProviderKind::Sim => None,
    }
}

/// What makes the program print its version; empty where nothing is known to.
pub(crate) fn version_args(kind: ProviderKind) -> &'static [&'static str] {
    match kind {
        ProviderKind::Claude
        | ProviderKind::Codex
        | ProviderKind::Gemini
        | ProviderKind::Opencode => &["--version"],
        ProviderKind::Command
        | ProviderKind::Ollama
        | ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Embedded
        | ProviderKind::Sim => &[],
    }
}

/// The windows that a provider is taken to have until it has said which it has. All start in
/// state unknown: nobody publishes their sizes. An observation for a provider replaces the lot,
/// because windows appear and vanish.
pub(crate) fn default_windows(kind: ProviderKind, entry: &ProviderSettings) -> Vec<DefaultWindow> {
    match kind {
        ProviderKind::Claude => claude::default_windows(entry),
        ProviderKind::Codex => codex::default_windows(entry),
        // With a key, limits are by project and model, and nobody is told their size.
        ProviderKind::Gemini
        | ProviderKind::Opencode
        | ProviderKind::Command
        | ProviderKind::Ollama
        | ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Embedded
        | ProviderKind::Sim => Vec::new(),
    }
}

/// Where a program wrote what it does not print: the file under `root`, at any depth, whose name
/// begins and ends so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFile {
    pub(crate) root: PathBuf,
    pub(crate) prefix: &'static str,
    pub(crate) suffix: String,
    /// What stands in it; another file of such a name is not it.
    pub(crate) holds: String,
}

impl LogFile {
    pub(crate) fn is(&self, file_name: &str) -> bool {
        file_name.starts_with(self.prefix) && file_name.ends_with(&self.suffix)
    }
}

/// The log to hand to [`Reader::log_file`] once the run has ended. `spec` is what [`command()`]
/// gave, `session` what the run reported.
pub(crate) fn log_after_run(kind: ProviderKind, spec: &Spec, session: &str) -> Option<LogFile> {
    match kind {
        ProviderKind::Codex => codex::log_after_run(spec, session),
        ProviderKind::Gemini => gemini::log_after_run(spec, session),
        ProviderKind::Claude
        | ProviderKind::Opencode
        | ProviderKind::Command
        | ProviderKind::Ollama
        | ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Embedded
        | ProviderKind::Sim => None,
    }
}
