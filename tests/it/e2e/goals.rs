//! What tests of whole goals share: plans, commands on the real clock, and what the ledger says.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Run, TestEnv, TestRepo};
use crate::lab::{Counts, Usage};

/// More than any goal here takes, on a machine that is busy.
pub(super) const LONG: Duration = Duration::from_mins(2);

/// `rigs` in the repository, on the real clock: what the lab states about resets is real.
pub(super) fn rigs<'a>(env: &'a TestEnv, repo: &TestRepo, args: &[&str]) -> Run<'a> {
    env.rigs(args).dir(repo.root()).real_time().timeout(LONG)
}

/// A bead of a plan: its key, its title, and the keys it depends on.
pub(super) type Planned<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Writes a plan as a person would, every bead an implementation task.
pub(super) fn plan(env: &TestEnv, goal: &str, beads: &[Planned<'_>]) -> PathBuf {
    let beads: Vec<Value> = beads
        .iter()
        .map(|(key, title, after)| {
            json!({
                "key": key, "title": title, "description": title, "task_type": "implementation",
                "complexity": "small", "priority": "normal", "acceptance_criteria": [format!("{title} is done")],
                "depends_on": after, "files": [],
            })
        })
        .collect();
    let text = json!({"goal": goal, "beads": beads, "planned_by": "test", "notes": []});
    env.write("plan.json", text.to_string())
}

/// Every bead of a summary as `rigs bead show` has it, in the order of the plan.
#[track_caller]
pub(super) fn beads(env: &TestEnv, repo: &TestRepo, summary: &Value) -> Vec<Value> {
    let show = |bead: &Value| {
        let id = bead["id"].as_str().expect("an id");
        let shown = rigs(env, repo, &["bead", "show", id, "--json"]).run();
        shown.success().json()
    };
    let listed = summary["beads"].as_array().expect("beads");
    listed.iter().map(show).collect()
}

/// The usage of a bead, a convoy or a summary, as the lab counts it, and its requests.
#[track_caller]
pub(super) fn charged(of: &Value) -> (Usage, u64) {
    let number = |name: &str| {
        of["usage"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {of}"))
    };
    let usage = Usage {
        input: number("input"),
        output: number("output"),
        cache_read: number("cache_read"),
        cache_write: number("cache_write"),
    };
    (usage, number("requests"))
}

/// What the lab has told its client of this tag.
pub(super) fn told(counts: &Counts) -> (Usage, u64) {
    (counts.usage, counts.answered)
}

/// The status of every bead of a summary.
pub(super) fn statuses(summary: &Value) -> Vec<String> {
    let of = |bead: &Value| bead["status"].as_str().unwrap_or_default().to_owned();
    summary["beads"]
        .as_array()
        .expect("beads")
        .iter()
        .map(of)
        .collect()
}

/// Runs `sh test.sh` (or any command) on what a branch has, in a folder of its own.
#[track_caller]
pub(super) fn passes_on(env: &TestEnv, repo: &TestRepo, rev: &str, argv: &[&str]) -> bool {
    let dir = env.root().join("look").join(rev.replace('/', "-"));
    std::fs::create_dir_all(&dir).expect("a folder");
    let tree = env.root().join("look.tar");
    repo.git(["archive", "--output", &tree.to_string_lossy(), rev]);
    let untar = ["-xf".into(), tree.into_os_string()];
    env.program_run("/bin/tar".as_ref(), untar)
        .dir(&dir)
        .run()
        .success();
    let (program, args) = argv.split_first().expect("a command");
    env.program_run(program.as_ref(), args)
        .dir(&dir)
        .timeout(LONG)
        .run()
        .code
        == 0
}

/// Length in seconds and percent of every percent window that is known, shortest first.
#[track_caller]
pub(super) fn percents(env: &TestEnv, repo: &TestRepo, provider: &str) -> Vec<(u64, f64)> {
    let listed = rigs(env, repo, &["tank", "list", "--json"]).run();
    let tanks = listed.success().json();
    let tanks = tanks.as_array().expect("tanks");
    let tank = tanks.iter().find(|tank| tank["provider"] == provider);
    let windows = tank.expect("the tank")["windows"]
        .as_array()
        .expect("windows");
    let known = |w: &Value| {
        let length = w["duration_seconds"].as_u64()?;
        (w["kind"] == "percent").then_some((length, w["percent"].as_f64()?))
    };
    let mut percents: Vec<_> = windows.iter().filter_map(known).collect();
    percents.sort_by_key(|(length, _)| *length);
    percents
}

/// The epoch second of a time in JSON.
#[track_caller]
pub(super) fn epoch(time: &Value) -> u64 {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    let time: chrono::DateTime<chrono::Utc> = text.parse().expect("RFC 3339");
    time.timestamp() as u64
}
