//! Child processes: each in a session and process group of its own, with a scrubbed environment
//! and a marker in it, bounded output, and an end that leaves nothing behind.
//!
//! ```text
//! Spec ── children::spawn ──> child (setsid, RIGS_RUN=marker) ── stream ──> Running::next, run
//!                               └─ its tools, in sessions of their own
//! end, end_marked ── family: who belongs to the run (table: /proc) ──> TERM, grace, KILL, proof
//! ```
//!
//! Agents start their tools in sessions of their own, so that signals to the group never reach
//! them. Who belongs to a run is therefore read from `/proc`: what carries the marker, what is
//! in the run's session, what descends from either. A process is always named by its id AND its
//! start time, compared right before each signal, so that a reused id is never hit.
//! Without `/proc` (macOS) only the group can be ended.

mod ask;
mod children;
mod detach;
mod family;
mod interactive;
mod memory;
mod run;
mod running;
mod stream;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use ask::{Asked, ask};
pub(crate) use children::{become_subreaper, reap_adopted};
pub(crate) use detach::{detach, interrupt, let_go};
pub(crate) use family::{end_marked, marked};
pub(crate) use interactive::interactive;
pub(crate) use memory::{give_memory_back, share_memory};
pub(crate) use run::{run, run_tidy};
pub(crate) use running::{Next, Running, start};
pub(crate) use stream::Stream;
pub(crate) use table::{is_alive, start_time};

/// What to run. The environment is exactly `env` (and the marker): nothing is inherited, and no
/// open file besides the three standard ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    /// Absolute path.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: BTreeMap<String, OsString>,
    pub(crate) cwd: PathBuf,
    pub(crate) stdin: Stdin,
}

/// What the child reads; always given, then end of file. A child that waits on an open, silent
/// pipe waits for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stdin {
    Null,
    Bytes(Vec<u8>),
    /// Given, and left open: for a server that takes the end of its input as the order to go,
    /// with its answers still on their way. For [`ask()`], which ends it.
    Open(Vec<u8>),
}

/// Name of the environment variable that marks everything a run starts. Markers are unique per
/// run (an attempt's id); who reuses one ends both.
pub(crate) const MARKER: &str = "RIGS_RUN";

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    pub(crate) fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// As shells count: 128 and the signal for a killed process.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// Bounds of a run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    /// Most bytes kept of each of stdout and stderr: the head and the tail, the middle dropped.
    pub(crate) output: usize,
}

/// What a run to its end left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) exit: Exit,
    /// Lossy UTF-8; when cut, a line in the middle says how much is missing.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Something was left out of one of them.
    pub(crate) cut: bool,
    /// Ended by us because `Limits::time` was over.
    pub(crate) timed_out: bool,
    pub(crate) duration: Duration,
}

/// Why a program did not run to an end of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("program `{}` not found", program.display())]
    NotFound { program: PathBuf },
    #[error("`{}` cannot be executed", program.display())]
    NotExecutable { program: PathBuf },
    #[error("no folder `{}` to run in", cwd.display())]
    NoFolder { cwd: PathBuf },
    #[error("arguments and environment for `{}` are too large", program.display())]
    TooBig { program: PathBuf },
    #[error("cannot start `{}`", program.display())]
    Spawn { program: PathBuf, source: io::Error },
    /// Ended because the caller asked for it.
    #[error("stopped")]
    Stopped,
}
