//! A copy of this program that goes on when the terminal and its starter are gone.
//!
//! Both of its streams lead to the starter until it has its log: how it began, or why it could
//! not, is told where the person waits.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{children, table};
use crate::core::Clock;

/// More than the first words of a program are.
const WORDS: u64 = 64 * 1024;

/// How a detached program began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) pid: u32,
    /// What it said before it let go of its starter.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Its exit code, when it ended instead of letting go.
    pub(crate) ended: Option<i32>,
}

/// Starts `program` in a session of its own, with the whole of `env` and nothing to read, and
/// waits until it lets go of its streams ([`let_go`]) or ends. `None` when it did neither in
/// `limit`; it is ended then.
#[expect(
    clippy::disallowed_methods,
    reason = "the one child that is this program itself and outlives it"
)]
pub(crate) async fn detach<'a>(
    program: &Path,
    args: &[OsString],
    env: impl Iterator<Item = (&'a str, &'a OsStr)>,
    cwd: &Path,
    limit: Duration,
) -> io::Result<Option<Begun>> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(env)
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    children::in_own_session(&mut command);
    let mut child = command.spawn()?;
    let pid = child.id().expect("invariant: not waited for yet");
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let said = async {
        let (stdout, stderr) = tokio::join!(words(stdout), words(stderr));
        // An end closes both streams too, and comes right after.
        let ended = Clock::system()
            .timeout(Duration::from_millis(200), child.wait())
            .await;
        let code = |status: std::process::ExitStatus| status.code().unwrap_or(1);
        Ok(Begun {
            pid,
            stdout: stdout?,
            stderr: stderr?,
            ended: ended.transpose()?.map(code),
        })
    };
    let begun = Clock::system().timeout(limit, said).await;
    if begun.is_none() {
        child.kill().await?;
    }
    begun.transpose()
}

async fn words(stream: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let mut said = Vec::new();
    if let Some(stream) = stream {
        stream.take(WORDS).read_to_end(&mut said).await?;
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// From here on this process writes to `log` whatever it says on either stream.
pub(crate) fn let_go(log: &File) -> io::Result<()> {
    nix::unistd::dup2_stdout(log)?;
    nix::unistd::dup2_stderr(log)?;
    Ok(())
}

/// Asks that very process to end: its start time is compared right before. False when it is
/// gone.
pub(crate) fn interrupt(pid: u32, started: u64, signal: Signal) -> io::Result<bool> {
    if !table::is_alive(pid, started) {
        return Ok(false);
    }
    match kill(Pid::from_raw(pid as i32), signal) {
        Ok(()) => Ok(true),
        Err(nix::errno::Errno::ESRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
