//! A run to its end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio_util::sync::CancellationToken;

use super::running::Running;
use super::stream::Sink;
use super::{Exit, Limits, MARKER, Output, ProcessError, Spec, table};
use crate::core::Clock;

/// Between the request to end and the end.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Runs `spec` to its end, keeping at most `limits.output` bytes of each stream. When time is
/// over or `stop` is cancelled the run is ended; and whatever it left behind is ended in any
/// case. A marker that `spec.env` holds is kept, so that what belongs to an attempt can be found
/// after a crash; otherwise the run gets one of its own.
pub(crate) async fn run(
    spec: &Spec,
    limits: Limits,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Output, ProcessError> {
    run_as(spec, limits, clock, stop, false).await
}

/// The same for a program that leaves nobody outside of its group (git, with all that it could
/// be told to start put out of force) and asks nothing of a terminal: looking through all
/// processes after each call of it, and copying our memory for it, would cost more than the call.
pub(crate) async fn run_tidy(
    spec: &Spec,
    limits: Limits,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<Output, ProcessError> {
    run_as(spec, limits, clock, stop, true).await
}

async fn run_as(
    spec: &Spec,
    limits: Limits,
    clock: &Clock,
    stop: &CancellationToken,
    tidy: bool,
) -> Result<Output, ProcessError> {
    if stop.is_cancelled() {
        return Err(ProcessError::Stopped);
    }
    let marker = match spec.env.get(MARKER).and_then(|m| m.to_str()) {
        Some(given) => given.to_owned(),
        None => unique(),
    };
    let begun = clock.moment();
    let mut child = Running::start(
        spec,
        &marker,
        Sink::whole(limits.output),
        Sink::whole(limits.output),
        tidy,
    )?;
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        ended = clock.timeout(limits.time, child.finish()) => Some(ended),
    };
    // In real time, whatever clock the limit is measured by.
    let left = child.end(GRACE, &Clock::system()).await;
    if !left.is_empty() {
        tracing::error!(pids = ?left, program = %spec.program.display(), "processes would not end");
    }
    let Some(ended) = ended else {
        return Err(ProcessError::Stopped);
    };
    let timed_out = ended.is_none();
    let exit = match ended {
        Some(exit) => exit,
        None if left.is_empty() => child.finish().await,
        // Stuck in the kernel; it dies when it comes back.
        None => Exit::Signal(Signal::SIGKILL as i32),
    };
    let (stdout, stderr, cut) = child.texts();
    Ok(Output {
        exit,
        stdout,
        stderr,
        cut,
        timed_out,
        duration: clock.moment().since(begun),
    })
}

/// Unlike any marker of any process on this machine since it was started.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static STARTED: OnceLock<u64> = OnceLock::new();
    let me = std::process::id();
    let started = STARTED.get_or_init(|| table::start_time(me).unwrap_or(0));
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("run-{me}-{started}-{n}")
}
