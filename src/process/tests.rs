//! Real children of a real shell. Each test ends by asking `/proc` whether anything of it is
//! still alive.

mod asking;
mod ending;
mod streams;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use pretty_assertions::assert_eq;
use tokio_util::sync::CancellationToken;

use super::stream::{Line, MAX_LINE};
use super::*;
use crate::core::Clock;

const GRACE: Duration = Duration::from_millis(300);

fn sh(script: &str) -> Spec {
    Spec {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: BTreeMap::from([("PATH".to_owned(), OsString::from("/usr/bin:/bin"))]),
        cwd: "/".into(),
        stdin: Stdin::Null,
    }
}

fn fed(script: &str, bytes: &[u8]) -> Spec {
    Spec {
        stdin: Stdin::Bytes(bytes.to_vec()),
        ..sh(script)
    }
}

fn limits(time_ms: u64, output: usize) -> Limits {
    Limits {
        time: Duration::from_millis(time_ms),
        output,
    }
}

async fn ran(spec: &Spec, limits: Limits) -> Output {
    let stop = CancellationToken::new();
    let output = run(spec, limits, &Clock::system(), &stop).await;
    output.expect("it starts")
}

/// Lines up to the exit.
async fn all(running: &mut Running) -> (Vec<String>, Exit) {
    let mut lines = Vec::new();
    loop {
        match running.next().await {
            Next::Line(line) => lines.push(line.text),
            Next::Exited(exit) => return (lines, exit),
        }
    }
}

/// Lines until `n` of them have come.
async fn first(running: &mut Running, n: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < n {
        match running.next().await {
            Next::Line(line) => lines.push(line.text),
            Next::Exited(exit) => panic!("ended with {exit:?} after {lines:?}"),
        }
    }
    lines
}

/// Processes that say they belong to the run, whatever the code under test thinks.
fn carrying(marker: &str) -> Vec<u32> {
    let mut pids = Vec::new();
    for entry in table::all() {
        let marked = table::variable(entry.pid, MARKER).is_some_and(|m| m == marker.as_bytes());
        if marked && !entry.zombie {
            pids.push(entry.pid);
        }
    }
    pids
}

async fn end(running: &mut Running, marker: &str) {
    let left = running.end(GRACE, &Clock::system()).await;
    assert_eq!(
        (left, carrying(marker)),
        (Vec::<u32>::new(), Vec::<u32>::new())
    );
}

fn alive(pid: &str) -> bool {
    let pid = pid.parse().expect("a process id");
    table::entry(pid).is_some_and(|e| !e.zombie)
}

/// A killed process takes a moment to vanish.
async fn gone(pids: &[&str]) {
    let clock = Clock::system();
    for _ in 0..400 {
        if !pids.iter().any(|pid| alive(pid)) {
            return;
        }
        clock.sleep(Duration::from_millis(5)).await;
    }
    panic!("{pids:?} are alive");
}
