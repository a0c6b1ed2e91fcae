//! One question to a program that answers line by line and would go on running.

use tokio_util::sync::CancellationToken;

use super::running::{Next, start};
use super::stream::Stream;
use super::{Exit, Limits, ProcessError, Spec, run};
use crate::core::Clock;
use crate::core::text::one_line;

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The line that is the answer.
    Answer(String),
    /// The program ended without one; the last line of its stderr.
    Ended { exit: Exit, stderr: String },
    /// It answered neither in time nor within the size allowed.
    TimedOut,
}

/// Starts `spec` and reads its output until `is_answer` holds of a line of stdout. The program
/// and whatever it started are ended in any case; `limits.output` bounds all it may print.
pub(crate) async fn ask(
    spec: &Spec,
    limits: Limits,
    clock: &Clock,
    stop: &CancellationToken,
    is_answer: impl Fn(&str) -> bool,
) -> Result<Asked, ProcessError> {
    if stop.is_cancelled() {
        return Err(ProcessError::Stopped);
    }
    let mut child = start(spec, &run::unique())?;
    let mut left = limits.output;
    let mut last = String::new();
    let reading = async {
        loop {
            match child.next().await {
                Next::Exited(exit) => {
                    let stderr = std::mem::take(&mut last);
                    return Asked::Ended { exit, stderr };
                }
                Next::Line(line) => {
                    left = left.saturating_sub(line.text.len() + 1);
                    match line.stream {
                        Stream::Out if is_answer(&line.text) => return Asked::Answer(line.text),
                        Stream::Err if !line.text.trim().is_empty() => {
                            last = one_line(&line.text, 300);
                        }
                        Stream::Out | Stream::Err => {}
                    }
                    if left == 0 {
                        return Asked::TimedOut;
                    }
                }
            }
        }
    };
    let asked = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        asked = clock.timeout(limits.time, reading) => Some(asked.unwrap_or(Asked::TimedOut)),
    };
    // In real time, whatever clock the limit is measured by.
    let alive = child.end(run::GRACE, &Clock::system()).await;
    if !alive.is_empty() {
        tracing::error!(pids = ?alive, program = %spec.program.display(), "processes would not end");
    }
    asked.ok_or(ProcessError::Stopped)
}
