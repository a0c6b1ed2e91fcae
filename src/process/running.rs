//! A child whose output is read while it runs.

use std::collections::VecDeque;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStderr, ChildStdout};

use super::family::{Family, Pause};
use super::stream::{Feed, Line, Pipe, Sink, Stream};
use super::{Exit, ProcessError, Spec, Stdin, children};
use crate::core::Clock;
use crate::core::clock::Moment;

/// How long after the child's end a grandchild may hold its pipes open.
const LINGER: Duration = Duration::from_secs(1);

/// More than a pipe can hold: what comes beyond this after the child's end is not the child's.
const LAST_WORDS: u64 = 2 << 20;

/// How many bytes of output are kept while a run is being ended and nobody reads it.
const LATE: usize = 4 << 20;

/// A started child. Dropped before its end it is killed, with all that belongs to it.
pub(crate) struct Running {
    child: Child,
    pid: u32,
    started: u64,
    marker: String,
    /// Its working folder at the start, as the kernel names it.
    place: PathBuf,
    stdin: Feed,
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    /// Cut off, not yet given out.
    lines: VecDeque<Line>,
    /// Bytes of lines that were kept though nobody asked for them.
    late: usize,
    end: End,
    /// It is known to leave nobody outside of its group.
    tidy: bool,
    /// Nothing of the run was left when it was last looked at.
    ended: bool,
}

/// How far the child's end has come.
#[derive(Debug, Clone, Copy)]
enum End {
    NotYet,
    /// Gone; its pipes may be held open by others until then.
    Gone {
        exit: Exit,
        until: Moment,
        read: u64,
    },
    /// Gone, and that time is over: what lies ready is still read.
    Late {
        exit: Exit,
        read: u64,
    },
}

/// What comes next from a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    Line(Line),
    Exited(Exit),
}

/// Starts a child whose output is read line by line, with `marker` in its environment.
pub(crate) fn start(spec: &Spec, marker: &str) -> Result<Running, ProcessError> {
    Running::start(
        spec,
        marker,
        Sink::lines(Stream::Out),
        Sink::lines(Stream::Err),
        false,
    )
}

impl Running {
    pub(super) fn start(
        spec: &Spec,
        marker: &str,
        out: Sink,
        err: Sink,
        tidy: bool,
    ) -> Result<Self, ProcessError> {
        let (mut child, pid, started) = children::spawn(spec, marker, tidy)?;
        let (bytes, stays_open) = match &spec.stdin {
            Stdin::Null => (Vec::new(), false),
            Stdin::Bytes(bytes) => (bytes.clone(), false),
            Stdin::Open(bytes) => (bytes.clone(), true),
        };
        Ok(Self {
            stdin: Feed::new(child.stdin.take(), bytes, stays_open),
            out: Pipe::new(child.stdout.take(), out),
            err: Pipe::new(child.stderr.take(), err),
            child,
            pid,
            started,
            marker: marker.to_owned(),
            place: spec.cwd.canonicalize().unwrap_or_else(|_| spec.cwd.clone()),
            lines: VecDeque::new(),
            late: 0,
            end: End::NotYet,
            tidy,
            ended: false,
        })
    }

    #[cfg(test)]
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The same number: the child leads its own group.
    pub(crate) fn pgid(&self) -> i32 {
        self.pid as i32
    }

    /// Kernel start time in ticks since boot; 0 where there is no `/proc`.
    pub(crate) fn started(&self) -> u64 {
        self.started
    }

    /// The next line of either stream; after the last one how the child ended, again and again.
    /// A grandchild that holds the pipes open delays that by a second at most. May be cancelled
    /// without loss. Nothing is read or written between calls, so that a child that prints
    /// faster than its lines are taken waits.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Next::Line(line);
            }
            if let Some(exit) = self.done() {
                return Next::Exited(exit);
            }
            self.step().await;
        }
    }

    /// Reads, writes and waits to the end of child and streams. Lines are kept only up to a
    /// bound, which is for output that nobody asked for line by line.
    pub(super) async fn finish(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.done() {
                return exit;
            }
            let kept = self.lines.len();
            self.step().await;
            self.bound(kept);
        }
    }

    /// Drops the lines after the first `kept` when too much was kept already.
    fn bound(&mut self, kept: usize) {
        if self.late > LATE {
            self.lines.truncate(kept);
        }
        // A line costs more than its text.
        self.late += self
            .lines
            .iter()
            .skip(kept)
            .map(|l| l.text.len() + 64)
            .sum::<usize>();
    }

    /// How the child ended, once nothing can come from its streams.
    fn done(&mut self) -> Option<Exit> {
        let (exit, before) = match self.end {
            End::NotYet => return None,
            End::Gone { exit, .. } => (exit, None),
            End::Late { exit, read } => (exit, Some(read)),
        };
        let enough = before.is_some_and(|read| self.read() > read + LAST_WORDS);
        if enough {
            self.close();
        }
        (!self.out.is_open() && !self.err.is_open()).then_some(exit)
    }

    /// The texts of both streams, and whether something is missing in them.
    pub(super) fn texts(&mut self) -> (String, String, bool) {
        let (out, cut_out) = self.out.text();
        let (err, cut_err) = self.err.text();
        (out, err, cut_out || cut_err)
    }

    fn read(&self) -> u64 {
        self.out.read() + self.err.read()
    }

    fn close(&mut self) {
        self.stdin.close();
        self.out.close(&mut self.lines);
        self.err.close(&mut self.lines);
    }

    /// One event of the child or its streams.
    async fn step(&mut self) {
        let read = self.read();
        match self.end {
            End::NotYet => {
                let Self {
                    child,
                    stdin,
                    out,
                    err,
                    lines,
                    ..
                } = self;
                // Two queues: the branches are polled together, and each needs its own.
                let mut more = VecDeque::new();
                let status = tokio::select! {
                    () = out.pump(lines), if out.is_open() => None,
                    () = err.pump(&mut more), if err.is_open() => None,
                    () = stdin.pump(), if stdin.has_more() => None,
                    status = child.wait() => Some(status),
                };
                self.lines.append(&mut more);
                if let Some(status) = status {
                    children::forget(self.pid);
                    self.end = End::Gone {
                        exit: exit_of(status),
                        until: Clock::system().moment() + LINGER,
                        read,
                    };
                }
            }
            End::Gone { exit, until, read } => {
                self.stdin.close();
                let real = Clock::system();
                let mut more = VecDeque::new();
                let late = tokio::select! {
                    () = self.out.pump(&mut self.lines), if self.out.is_open() => false,
                    () = self.err.pump(&mut more), if self.err.is_open() => false,
                    () = real.sleep_to(until) => true,
                };
                self.lines.append(&mut more);
                if late {
                    self.end = End::Late { exit, read };
                }
            }
            End::Late { .. } => {
                // Lets the runtime notice what has arrived meanwhile.
                tokio::task::yield_now().await;
                let mut more = VecDeque::new();
                let idle = tokio::select! {
                    biased;
                    () = self.out.pump(&mut self.lines), if self.out.is_open() => false,
                    () = self.err.pump(&mut more), if self.err.is_open() => false,
                    () = std::future::ready(()) => true,
                };
                self.lines.append(&mut more);
                if idle {
                    self.close();
                }
            }
        }
    }

    /// Ends the run, whether or not the child has ended: TERM to the group and all that belongs
    /// to the run, `grace`, KILL until none of them is found. Gives the ids still alive, which
    /// must be none. What the child prints meanwhile is kept for `next`, up to a bound. After a
    /// tidy program that has gone, nobody is looked for.
    pub(crate) async fn end(&mut self, grace: Duration, clock: &Clock) -> Vec<u32> {
        if self.tidy && self.is_all_gone() {
            self.ended = true;
            return Vec::new();
        }
        let (marker, place) = (self.marker.clone(), self.place.clone());
        let mut family = Family::of_child(&marker, self.pid, self.started, &place);
        // Before the first signal, while every parent is still there to tell whose child is whose.
        let alone = family.look().is_empty() && !matches!(self.end, End::NotYet);
        if !alone {
            let told = self.signal_group(Signal::SIGTERM);
            family.signal(Signal::SIGTERM, told);
            self.wait(&mut family, grace, clock).await;
            self.signal_group(Signal::SIGKILL);
        }
        let left = family.kill(u32::from(alone)).await;
        if left.is_empty() {
            // All writers are gone, so this ends with what is in the pipes.
            self.finish().await;
            self.ended = true;
        }
        left
    }

    /// It ended by itself in time, closed its streams, and its group is empty.
    fn is_all_gone(&mut self) -> bool {
        matches!(self.done(), Some(Exit::Code(_)))
            && matches!(self.end, End::Gone { .. })
            && killpg(Pid::from_raw(self.pgid()), None) == Err(Errno::ESRCH)
    }

    /// Reads on until nobody of the family is left or `grace` is over.
    async fn wait(&mut self, family: &mut Family<'_>, grace: Duration, clock: &Clock) {
        let real = Clock::system();
        let mut pause = Pause::default();
        let mut look = pause.next(&real);
        let over = clock.sleep(grace);
        tokio::pin!(over);
        loop {
            let reading = self.done().is_none();
            let kept = self.lines.len();
            tokio::select! {
                () = &mut over => return,
                () = self.step(), if reading => self.bound(kept),
                () = real.sleep_to(look) => {
                    if !matches!(self.end, End::NotYet) && family.look().is_empty() {
                        return;
                    }
                    look = pause.next(&real);
                }
            }
        }
    }

    /// To the whole group at once. Until the child was waited for, its id is the group's and
    /// nobody else's; after that, without `/proc`, the group is all there is.
    /// Gives the group when it was told.
    fn signal_group(&self, signal: Signal) -> Option<u32> {
        let ours = matches!(self.end, End::NotYet) || cfg!(not(target_os = "linux"));
        // An error means that nobody is left in it.
        (ours && killpg(Pid::from_raw(self.pgid()), signal).is_ok()).then_some(self.pid)
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({}, {:?})", self.pid, self.end)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.signal_group(Signal::SIGKILL);
            Family::of_child(&self.marker, self.pid, self.started, &self.place)
                .signal(Signal::SIGKILL, None);
        }
        children::forget(self.pid);
    }
}

fn exit_of(status: std::io::Result<ExitStatus>) -> Exit {
    // An error means that somebody else waited for it; then nobody knows how it ended.
    let status = status.unwrap_or_else(|_| ExitStatus::from_raw(0xff << 8));
    match status.signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.code().unwrap_or(255)),
    }
}
