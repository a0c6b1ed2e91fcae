//! One command: how it is started, watched, signalled and awaited.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::output::layout;
use super::{Output, TestEnv};

/// More than any command of a test may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A command that is not started yet.
#[must_use]
pub(crate) struct Run<'a> {
    env: &'a TestEnv,
    program: PathBuf,
    args: Vec<OsString>,
    vars: BTreeMap<String, OsString>,
    dir: PathBuf,
    stdin: Vec<u8>,
    timeout: Duration,
    modes_bind: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        env: &'a TestEnv,
        program: PathBuf,
        args: Vec<OsString>,
        vars: BTreeMap<String, OsString>,
    ) -> Self {
        let dir = env.root().to_owned();
        Self {
            env,
            program,
            args,
            vars,
            dir,
            stdin: Vec::new(),
            timeout: TIMEOUT,
            modes_bind: false,
        }
    }

    pub(crate) fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// Further arguments.
    pub(crate) fn args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// What it reads, then end of file; nothing unless given.
    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    pub(crate) fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    /// No file that it writes may grow beyond so many bytes: beyond, the disk is full, until
    /// [`Running::has_space`].
    pub(crate) fn file_limit(mut self, bytes: u64) -> Self {
        let blocks = bytes / 512;
        let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
        let program = std::mem::replace(&mut self.program, "/bin/sh".into());
        let shell = ["-c".into(), script.into(), program.into_os_string()];
        self.args.splice(0..0, shell);
        self
    }

    /// The modes of files bind it, also where root runs the tests.
    pub(crate) fn modes_bind(mut self) -> Self {
        self.modes_bind = true;
        self
    }

    /// Its clock is the real one: for commands that wait for something outside of them.
    pub(crate) fn real_time(mut self) -> Self {
        self.vars.remove("RIGS_TEST_TIME");
        self
    }

    /// A command that takes longer fails the test.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs to its end.
    #[must_use = "a command may fail"]
    #[track_caller]
    pub(crate) fn run(self) -> Output {
        let timeout = self.timeout;
        self.start().wait(timeout)
    }

    /// Starts it, and lets the test go on.
    pub(crate) fn start(self) -> Running<'a> {
        let mut child = self.command().spawn().unwrap_or_else(|e| {
            panic!("{} does not start: {e}", self.program.display());
        });
        let (send, parts) = channel();
        pump(
            child.stdout.take().expect("stdout is piped"),
            Stream::Out,
            send.clone(),
        );
        pump(
            child.stderr.take().expect("stderr is piped"),
            Stream::Err,
            send,
        );
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let text = self.stdin;
        // A thread: a command that prints much before it reads would block us both. One that
        // does not read at all breaks the pipe, which is its right.
        std::thread::spawn(move || drop(stdin.write_all(&text)));
        Running {
            env: self.env,
            child,
            parts,
            stdout: Vec::new(),
            stderr: Vec::new(),
            began: Instant::now(),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the harness stands outside of rigs"
    )]
    fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(&self.vars)
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.modes_bind {
            respect_modes(&mut command);
        }
        command
    }
}

/// Whoever is root may write anything, as long as it has the capability to pass over modes.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "neither prctl nor what happens between fork and exec has a safe form"
)]
fn respect_modes(command: &mut std::process::Command) {
    use nix::libc;
    use std::os::unix::process::CommandExt;

    const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
    let is_root = nix::unistd::geteuid().is_root();
    let drop_it = move || {
        // SAFETY: one system call, which touches no memory.
        let done = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) };
        // Nobody else has it.
        if done == 0 || !is_root {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: the closure makes one system call only, and allocates nothing.
    unsafe {
        command.pre_exec(drop_it);
    }
}

#[cfg(not(target_os = "linux"))]
fn respect_modes(_: &mut std::process::Command) {}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// Passes on what comes out of a pipe, until its end or until nobody listens any more.
fn pump(mut pipe: impl Read + Send + 'static, stream: Stream, send: Sender<(Stream, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut part = vec![0; 8192];
        while let Ok(n @ 1..) = pipe.read(&mut part) {
            if send.send((stream, part[..n].to_vec())).is_err() {
                return;
            }
        }
    });
}

/// A command that runs. Dropped before its end, it is killed.
#[must_use]
pub(crate) struct Running<'a> {
    env: &'a TestEnv,
    child: Child,
    parts: Receiver<(Stream, Vec<u8>)>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    began: Instant,
}

impl Running<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this process alone, as `kill PID` does.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, signal).expect("the process is there to be signalled");
    }

    /// Its files may grow again.
    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "prlimit has no safe form in our dependencies")]
    pub(crate) fn has_space(&self) {
        use nix::libc;
        let unlimited = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        let pid = self.child.id() as libc::pid_t;
        // SAFETY: reads one struct of ours and writes none.
        let done = unsafe {
            libc::prlimit(
                pid,
                libc::RLIMIT_FSIZE,
                &raw const unlimited,
                std::ptr::null_mut(),
            )
        };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }

    /// Its exit code (128 and the signal for a killed one), when it has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("our own child");
        status.map(code_of)
    }

    /// Waits until stdout and stderr together hold this text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str, timeout: Duration) {
        let end = Instant::now() + timeout;
        while !self.so_far().contains(text) {
            let came = self.take(end.saturating_duration_since(Instant::now()));
            assert!(came, "`{text}` did not come; so far:\n{}", self.so_far());
        }
    }

    /// Everything it printed so far: stdout, then stderr.
    pub(crate) fn so_far(&mut self) -> String {
        while self.take(Duration::ZERO) {}
        format!("{}{}", lossy(&self.stdout), lossy(&self.stderr))
    }

    /// Waits for its end; a command that takes longer is killed and fails the test.
    #[must_use = "a command may fail"]
    #[track_caller]
    pub(crate) fn wait(mut self, timeout: Duration) -> Output {
        let end = Instant::now() + timeout;
        // Both pipes closed is the usual sign of the end; a grandchild may hold them open.
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                break status;
            }
            if Instant::now() >= end {
                self.child.kill().expect("our own child");
                panic!(
                    "still running after {timeout:?}; so far:\n{}",
                    self.so_far()
                );
            }
            if !self.take(Duration::from_millis(10)) {
                // The pipes may be closed, then `take` returns at once.
                super::processes::wait_until(Duration::from_millis(5), || false);
            }
        };
        let grace = Instant::now() + Duration::from_secs(1);
        while self.take(grace.saturating_duration_since(Instant::now())) {}
        let code = code_of(status);
        let (stdout, stderr) = (lossy(&self.stdout), lossy(&self.stderr));
        let normalised = self.env.normalise(&layout(&stdout, &stderr, code));
        Output {
            stdout,
            stderr,
            code,
            duration: self.began.elapsed(),
            normalised,
        }
    }

    /// Takes one more part; false when none came in time or both pipes are closed.
    fn take(&mut self, timeout: Duration) -> bool {
        match self.parts.recv_timeout(timeout) {
            Ok((Stream::Out, part)) => self.stdout.extend(part),
            Ok((Stream::Err, part)) => self.stderr.extend(part),
            Err(_) => return false,
        }
        true
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

fn code_of(status: ExitStatus) -> i32 {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    status.code().unwrap_or(128 + signal.unwrap_or_default())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
