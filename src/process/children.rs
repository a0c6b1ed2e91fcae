//! Starting children, and knowing which children of this process are ours to wait for.

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpgrp, getpid, setsid};
use tokio::process::{Child, Command};

use super::table::{self, Entry};
use super::{MARKER, ProcessError, Spec, Stdin};

/// Children started here and not yet waited for, with their start times. Who is a child is a
/// property of the whole process, which is why this is a static.
///
/// It tells our children from orphans that the kernel handed to us as their subreaper: only
/// those are reaped by `reap_adopted`, and only those can belong to a run without a mark of it.
static OURS: Mutex<BTreeMap<u32, u64>> = Mutex::new(BTreeMap::new());

fn ours() -> MutexGuard<'static, BTreeMap<u32, u64>> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program that another of our threads is just writing, or forking beside the writing of,
/// is "busy" for a moment.
const BUSY_TRIES: usize = 20;

/// Starts `spec` as the leader of a group of its own, with piped output, and unless it is `tidy`
/// of a session of its own. Also gives its start time, 0 where there is no `/proc`.
pub(super) fn spawn(
    spec: &Spec,
    marker: &str,
    tidy: bool,
) -> Result<(Child, u32, u64), ProcessError> {
    // Held over the spawn: a child that ends at once must be known before anyone reaps.
    let mut ours = ours();
    let mut tries = 0;
    let child = loop {
        match command(spec, marker, tidy).spawn() {
            Err(e) if errno(&e) == Some(Errno::ETXTBSY) && tries < BUSY_TRIES => {
                tries += 1;
                std::thread::yield_now();
            }
            done => break done,
        }
    };
    let child = child.map_err(|source| explain(spec, source))?;
    let pid = child.id().expect("invariant: not waited for yet");
    let started = table::start_time(pid).unwrap_or(0);
    ours.insert(pid, started);
    Ok((child, pid, started))
}

/// The child was waited for, or is left to the runtime.
pub(super) fn forget(pid: u32) {
    ours().remove(&pid);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts programs"
)]
fn command(spec: &Spec, marker: &str, tidy: bool) -> Command {
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .env_clear()
        .envs(&spec.env)
        .env(MARKER, marker)
        .current_dir(&spec.cwd)
        .stdin(match spec.stdin {
            Stdin::Null => Stdio::null(),
            Stdin::Bytes(_) | Stdin::Open(_) => Stdio::piped(),
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if tidy {
        // Nothing else is done between fork and exec, so that the kernel need not copy our memory.
        command.process_group(0);
    } else {
        in_own_session(&mut command);
    }
    command
}

/// A session of its own takes the child off our terminal and makes it the leader of a group of
/// its own. Files that our parent left open for us stay with us.
#[expect(
    unsafe_code,
    reason = "setsid has no safe form in Command; between fork and exec only two system calls are \
              made, which allocate nothing and take no lock"
)]
pub(super) fn in_own_session(command: &mut Command) {
    let before_exec = || {
        setsid()?;
        close_on_exec();
        Ok(())
    };
    // SAFETY: the closure calls setsid(2) and close_range(2) only; both are async-signal-safe.
    unsafe {
        command.pre_exec(before_exec);
    }
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "close_range has no safe form in our dependencies"
)]
fn close_on_exec() {
    use nix::libc;
    // Kernels before 5.11 refuse, and then nothing is lost but tidiness.
    // SAFETY: changes a flag of descriptors and touches no memory.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn close_on_exec() {}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

fn explain(spec: &Spec, source: io::Error) -> ProcessError {
    let program = spec.program.clone();
    match errno(&source) {
        Some(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) if !spec.cwd.is_dir() => {
            ProcessError::NoFolder {
                cwd: spec.cwd.clone(),
            }
        }
        // A script whose interpreter is missing is "not found" too.
        Some(Errno::ENOENT) if program.exists() => ProcessError::NotExecutable { program },
        Some(Errno::ENOENT | Errno::ENOTDIR) => ProcessError::NotFound { program },
        Some(Errno::EACCES | Errno::ENOEXEC | Errno::EISDIR) => {
            ProcessError::NotExecutable { program }
        }
        Some(Errno::E2BIG) => ProcessError::TooBig { program },
        _ => ProcessError::Spawn { program, source },
    }
}

/// Makes this process the parent of its descendants' orphans (Linux), so that a daemonised tool
/// can be found and waited for. Elsewhere nothing happens.
pub(crate) fn become_subreaper() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        tracing::warn!(%error, "cannot adopt orphans of runs");
    }
}

/// An orphan that came to us: a child we did not start. Everything started here is in a group
/// of its own, and so are its orphans; a child in our group was started by other means.
fn adopted(entry: &Entry, ours: &BTreeMap<u32, u64>) -> bool {
    entry.parent == getpid().as_raw() as u32
        && !ours.contains_key(&entry.pid)
        && entry.group != getpgrp().as_raw() as u32
}

/// Waits for adopted orphans that have ended, each by its id.
pub(crate) fn reap_adopted() {
    reap(&table::all());
}

/// The same for those of a list that was just read.
pub(super) fn reap(list: &[Entry]) {
    let ours = ours();
    for entry in list {
        // Asked again: our own children may have been started, or waited for, since.
        let adopted = || table::entry(entry.pid).is_some_and(|e| e.zombie && adopted(&e, &ours));
        if entry.zombie && adopted() {
            // An error means that it is gone already.
            let pid = Pid::from_raw(entry.pid as i32);
            let _ended = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// An adopted process that bears no mark of any run.
pub(super) fn is_unmarked(entry: &Entry) -> bool {
    adopted(entry, &ours()) && table::variable(entry.pid, MARKER).is_none()
}

/// The same, and one that none of the runs still going
/// (other than `ending`) can have started, because each of them is younger.
pub(super) fn is_stray(entry: &Entry, ending: u32) -> bool {
    if !is_unmarked(entry) {
        return false;
    }
    let ours = ours();
    !ours
        .iter()
        .any(|(pid, started)| *pid != ending && *started <= entry.started)
}
