//! SIGKILL of rigs while the real claude runs a tool.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::agents::RealAgents;
use super::goals::{self, LONG, charged, rigs};
use crate::harness::{TestEnv, wait_until};
use crate::lab::{Script, Step, Upstream};

#[test]
fn a_killed_rigs_leaves_nothing_undone_and_nothing_done_twice() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let repo = env.repo("project");
    repo.failing_script();
    // claude starts its tools in a session of their own: no signal to its group reaches this.
    repo.file(
        "Makefile",
        "test:\n\tsh test.sh\nslow:\n\tsleep 3600\n.PHONY: test slow\n",
    );
    let base = repo.commit("a slow target");
    let lab = Upstream::start(Script::steps([
        Step::edit("answer.txt", "41", "42"),
        Step::shell("make slow"),
        Step::write("note.txt", "mended\n"),
        Step::text("mended"),
    ]));
    env.config(&agents.claude_provider("claude", &lab));
    let goal = [
        "goal",
        "execute",
        "make the failing tests pass",
        "-y",
        "--json",
    ];
    let killed = rigs(&env, &repo, &goal).start();
    let is_tool = |command: &str| command == "sleep 3600";
    let tool_runs = || env.processes().iter().any(|p| is_tool(&p.command));
    assert!(wait_until(LONG, tool_runs), "the tool never ran");
    killed.signal(Signal::SIGKILL);
    assert_eq!(killed.wait(Duration::from_secs(10)).code, 137);
    // The agent and its tool outlive rigs; that is what recovery is for.
    assert!(tool_runs());
    let before = lab.counts("claude");

    let summary = rigs(&env, &repo, &["goal", "resume", "--json"])
        .run()
        .success()
        .json();
    assert_eq!(env.processes(), []);
    assert_eq!(goals::statuses(&summary), ["completed"]);
    let beads = goals::beads(&env, &repo, &summary);
    let attempts = beads[0]["attempts"].as_array().expect("attempts");
    let seen: Vec<_> = attempts.iter().map(|a| a["status"].as_str()).collect();
    assert_eq!(seen, [Some("lost"), Some("done")]);
    // Its session was known before the kill, and is gone on with.
    assert_eq!(attempts[0]["session_id"], attempts[1]["session_id"]);
    assert_eq!(beads[0]["failures"], 0);

    // Exactly once: one merge, one completion, every step of the script played once.
    let branch = summary["branch"].as_str().expect("a branch");
    assert_eq!(
        repo.git([
            "rev-list",
            "--count",
            "--merges",
            &format!("{base}..{branch}")
        ]),
        "1"
    );
    assert_eq!(repo.show(branch, "answer.txt"), "42");
    assert_eq!(repo.show(branch, "note.txt"), "mended");
    assert_eq!(repo.commit_of("main"), base);
    let events = rigs(&env, &repo, &["events", "--json"]).run().success();
    let completions = events.json_lines();
    let completions = completions.iter().filter(|e| e["type"] == "bead.complete");
    assert_eq!(completions.count(), 1);

    // What the killed run had used is in the ledger, with at least what the server counted.
    let (ours, requests) = charged(&summary);
    let counts = lab.counts("claude");
    assert!(before.answered >= 2 && counts.answered > before.answered);
    assert!(requests >= counts.answered, "{requests} for {counts:?}");
    assert!(
        ours.input + ours.output + ours.cache_write
            >= counts.usage.input + counts.usage.output + counts.usage.cache_write,
        "{ours:?} for {counts:?}"
    );
    lab.assert_in_order();
}
