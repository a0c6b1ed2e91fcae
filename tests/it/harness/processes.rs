//! The processes of a test, found by what they carry, never by name. Linux only: elsewhere
//! nothing is found.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A live process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) pid: u32,
    /// Its argv, joined by blanks.
    pub(crate) command: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.command)
    }
}

/// Processes whose environment names a path of this test, or who stand in it. `RIGS_TEST_ENV` is
/// such a path; so is HOME, which remains where rigs scrubs the environment of its children.
pub(super) fn of(root: &Path) -> Vec<Left> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let root_text = root.as_os_str().as_encoded_bytes();
    let mut found: Vec<Left> = entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let dir = entry.path();
            let environ = std::fs::read(dir.join("environ")).unwrap_or_default();
            let ours = contains(&environ, root_text)
                || std::fs::read_link(dir.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root));
            // This very process was not started by the test.
            (ours && pid != std::process::id()).then_some(())?;
            let command = std::fs::read(dir.join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command)
                .replace('\0', " ")
                .trim()
                .to_owned();
            Some(Left { pid, command })
        })
        .collect();
    found.sort_by_key(|left| left.pid);
    found
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// What `look` still finds when the time is over, or nothing as soon as it finds nothing.
pub(super) fn wait_until_gone(look: impl Fn() -> Vec<Left>, time: Duration) -> Vec<Left> {
    let mut left = Vec::new();
    wait_until(time, || {
        left = look();
        left.is_empty()
    });
    left
}

/// Looks again and again, for as long as `time`; whether it came true.
pub(crate) fn wait_until(time: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process cannot be awaited any other way"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Ends what a test left behind, so that one failure does not disturb the next test.
pub(super) fn end(left: &[Left]) {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    for process in left {
        // Gone in the meantime is as good.
        let _: nix::Result<()> = kill(Pid::from_raw(process.pid as i32), Signal::SIGKILL);
    }
}
