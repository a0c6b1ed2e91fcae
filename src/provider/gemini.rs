//! Gemini CLI, the agent CLI (`gemini`, 0.61 and near it): how it is run, what its stream-json
//! output, its stderr and its log of a session mean, how its endings are classed. Measured with
//! the real program against a loopback upstream; the recordings are in `transcripts/gemini/`.

mod chat;
mod command;
mod exit;
mod reader;
mod table;

use std::path::PathBuf;

use super::LogFile;
use super::plan::word;
use crate::process::Spec;

pub(super) use command::{command, files};
pub(crate) use reader::Reader;

/// Where it keeps settings, logins and sessions, below its home.
const FOLDER: &str = ".gemini";

/// `$GEMINI_CLI_HOME/.gemini/tmp/<project>/chats/session-<time>-<start of the id>.jsonl`: the
/// tokens of a run that was ended before it could report them. Two sessions that were begun
/// together have names that end alike, so that only their whole id tells them apart.
pub(super) fn log_after_run(spec: &Spec, session: &str) -> Option<LogFile> {
    let id = word("a session id", session).ok()?;
    let home = PathBuf::from(spec.env.get("GEMINI_CLI_HOME")?);
    Some(LogFile {
        root: home.join(FOLDER).join("tmp"),
        prefix: "session-",
        suffix: format!("-{}.jsonl", id.get(..8)?),
        holds: chat::header(id),
    })
}
