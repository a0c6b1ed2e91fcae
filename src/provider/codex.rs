//! OpenAI Codex, the agent CLI (`codex`, 0.169 and near it): how it is run, what its JSON lines
//! and its rollout file mean, how its endings are classed. Measured with the real program against
//! a loopback upstream; the recordings are in `transcripts/codex/`.

mod command;
mod reader;
mod rollout;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use super::plan::word;
use super::windows::DefaultWindow;
use super::{LogFile, Observation};
use crate::config::ProviderSettings;
use crate::core::Timestamp;
use crate::process::Spec;

pub(super) use command::{SETTINGS, command};
pub(crate) use reader::Reader;

/// The id of the plan's own limit; model families with a limit of their own have others.
pub(super) const LIMIT: &str = "codex";

/// A plan has a window of five hours and one of a week, told apart by their length; which of the
/// two comes first, and whether both exist, has changed. An endpoint or key of one's own has
/// neither.
pub(super) fn default_windows(entry: &ProviderSettings) -> Vec<DefaultWindow> {
    let own = entry.base_url.is_some()
        || entry.api_key_env.is_some()
        || entry.api_key_file.is_some()
        || entry.api_key_command.is_some();
    let hours: &[u64] = if own { &[] } else { &[5, 7 * 24] };
    hours
        .iter()
        .map(|h| DefaultWindow::percent(LIMIT, Duration::from_hours(*h)))
        .collect()
}

/// `$CODEX_HOME/sessions/YYYY/MM/DD/rollout-<time>-<thread id>.jsonl`: the only place with the
/// limits, the cause of a failure, and the tokens of a turn that did not complete.
pub(super) fn log_after_run(spec: &Spec, session: &str) -> Option<LogFile> {
    let id = word("a session id", session).ok()?;
    let home = match spec.env.get("CODEX_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(spec.env.get("HOME")?).join(".codex"),
    };
    Some(LogFile {
        root: home.join("sessions"),
        prefix: "rollout-",
        suffix: format!("-{id}.jsonl"),
        holds: id.to_owned(),
    })
}

/// The last words on limits in a rollout, or a part of one.
pub(super) fn windows_of_log(log: &str, now: Timestamp) -> Vec<Observation> {
    rollout::parse(log, now).windows
}
