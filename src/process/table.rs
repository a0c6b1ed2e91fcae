//! The kernel's table of processes, read from `/proc`. Elsewhere it is empty, and of a process
//! is known only whether it exists.

/// One process, as `/proc/PID/stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// Clock ticks since boot at which it started; with `pid` it names one process for good.
    pub(super) started: u64,
    /// Ended, and waiting for its parent to notice.
    pub(super) zombie: bool,
}

impl Entry {
    pub(super) fn name(&self) -> (u32, u64) {
        (self.pid, self.started)
    }
}

/// When the process started, in ticks since boot (0 where there is no `/proc`); `None` when it
/// is gone.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    entry(pid).map(|e| e.started)
}

/// That very process still runs. A zombie does not.
pub(crate) fn is_alive(pid: u32, started: u64) -> bool {
    entry(pid).is_some_and(|e| e.started == started && !e.zombie)
}

#[cfg(target_os = "linux")]
pub(super) fn entry(pid: u32) -> Option<Entry> {
    // The name of a program may be any bytes.
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&stat))
}

/// Every process there is.
#[cfg(target_os = "linux")]
pub(super) fn all() -> Vec<Entry> {
    let Ok(dir) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    dir.filter_map(|file| file.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(entry)
        .collect()
}

/// The value of `name` in the environment that the process was started with; `None` also when
/// it belongs to someone else.
#[cfg(target_os = "linux")]
pub(super) fn variable(pid: u32, name: &str) -> Option<Vec<u8>> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environ
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(<[u8]>::to_vec)
}

/// Where the process stands; `None` also when it belongs to someone else.
#[cfg(target_os = "linux")]
pub(super) fn folder(pid: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// Without `/proc` nothing but existence is known: every process started at 0.
#[cfg(not(target_os = "linux"))]
pub(super) fn entry(pid: u32) -> Option<Entry> {
    use nix::errno::Errno;
    let there = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), None);
    matches!(there, Ok(()) | Err(Errno::EPERM)).then_some(Entry {
        pid,
        parent: 0,
        group: 0,
        session: 0,
        started: 0,
        zombie: false,
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn all() -> Vec<Entry> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn folder(_pid: u32) -> Option<std::path::PathBuf> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn variable(_pid: u32, _name: &str) -> Option<Vec<u8>> {
    None
}

/// Fields as in proc_pid_stat(5). The name in parentheses may itself hold spaces and
/// parentheses, so the fields are counted from the last one.
#[cfg(any(target_os = "linux", test))]
fn parse(pid: u32, stat: &str) -> Option<Entry> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Both are 0 for a kernel thread.
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    // Field 22; the session was field 6.
    let started = fields.nth(15)?.parse().ok()?;
    Some(Entry {
        pid,
        parent,
        group,
        session,
        started,
        zombie: matches!(state, "Z" | "X" | "x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_that_looks_like_fields_does_not_confuse_the_parser() {
        let stat = "42 (a) R 1 (b) S 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 0 0";
        let want = Entry {
            pid: 42,
            parent: 7,
            group: 42,
            session: 41,
            started: 9876,
            zombie: false,
        };
        assert_eq!(parse(42, stat), Some(want));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(stat in ".{0,80}") {
            let _entry = parse(1, &stat);
        }
    }
}
