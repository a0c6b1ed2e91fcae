//! Whole programs, timed from their start to their end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A home folder of rigs.
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
}

impl Home {
    pub(crate) fn new(root: &Path, name: &str) -> Self {
        let dir = root.join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        Self { dir }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.dir.join("rigs.db")
    }

    pub(crate) fn rigs(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rigs"));
        command
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.dir)
            .env("RIGS_HOME", &self.dir);
        command
    }
}

pub(crate) fn bare_cli() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bare-cli"));
    command.arg("--version");
    command
}

/// The `sqlite3` program that inserts one row; `None` where there is none.
pub(crate) fn sqlite3(db: &Path) -> Option<impl Fn() -> Command> {
    let found = Command::new("sqlite3")
        .arg("-version")
        .stdout(Stdio::null())
        .status();
    if !found.is_ok_and(|s| s.success()) {
        return None;
    }
    let db = db.to_owned();
    Some(move || {
        let mut command = Command::new("sqlite3");
        // In an argument that begins with a dot, everything belongs to that command.
        command.args(["-cmd", ".timeout 5000"]).arg(&db).arg(
            "PRAGMA synchronous = FULL;\n\
             INSERT INTO jobs VALUES (hex(randomblob(8)), 'x', 'done', 0, '2026-11-20');",
        );
        command
    })
}

/// Rows that the program has inserted.
pub(crate) fn rows(db: &Path) -> u32 {
    let count = Command::new("sqlite3")
        .arg(db)
        .arg("SELECT count(*) FROM jobs")
        .output()
        .expect("it ran before");
    let text = String::from_utf8_lossy(&count.stdout);
    text.trim().parse().expect("a number")
}

pub(crate) fn time(mut command: Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    let began = Instant::now();
    let done = command.output().expect("a program that starts");
    let took = began.elapsed();
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    took
}

/// Runs both by turns; gives the times of each.
pub(crate) fn pairs(
    runs: u32,
    a: impl Fn() -> Command,
    b: impl Fn() -> Command,
) -> [Vec<Duration>; 2] {
    let mut both = [Vec::new(), Vec::new()];
    time(a());
    time(b());
    for n in 0..runs {
        // Neither is always the one that finds the machine warm.
        if n % 2 == 0 {
            both[0].push(time(a()));
            both[1].push(time(b()));
        } else {
            both[1].push(time(b()));
            both[0].push(time(a()));
        }
    }
    both
}

/// As many shells at once, each running the command so often; gives the time of the slowest.
pub(crate) fn shells(
    shells: u32,
    each: u32,
    command: impl Fn() -> Command + Sync,
) -> (Duration, u32) {
    let began = Instant::now();
    let failed: u32 = std::thread::scope(|scope| {
        let all: Vec<_> = (0..shells)
            .map(|_| {
                scope.spawn(|| {
                    (0..each)
                        .map(|_| {
                            let status = command()
                                .stdin(Stdio::null())
                                .stdout(Stdio::null())
                                .stderr(Stdio::null())
                                .status();
                            u32::from(!status.is_ok_and(|s| s.success()))
                        })
                        .sum::<u32>()
                })
            })
            .collect();
        all.into_iter().map(|s| s.join().expect("a shell")).sum()
    });
    (began.elapsed(), failed)
}

/// Resident memory of a process in MB, from /proc; `None` elsewhere than on Linux.
pub(crate) fn resident_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    let kb: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kb / 1024.0)
}
