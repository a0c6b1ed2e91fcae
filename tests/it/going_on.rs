//! What an attempt goes on with after another one ended: its session where that is sound, the
//! worktree and a note in any case, a blank start never.

use serde_json::{Value, json};

use crate::flow::{Flow, always, bead, claude};

/// Leaves a line per run.
fn work() -> Value {
    json!({"shell": "echo x >> made.txt"})
}

/// Does half of the work and ends by an error of the API.
fn ends_by(status: u16, kind: &str) -> Value {
    json!({"steps": [
        {"claude": "start"}, work(), {"claude": {"say": "half way"}},
        {"claude": {"error": {"status": status, "kind": kind, "text": "no"}}},
    ]})
}

fn resumes(call: &Value) -> bool {
    call["args"].to_string().contains("--resume")
}

#[track_caller]
fn told_of_the_work(call: &Value, by: &str) {
    let prompt = call["prompt"].as_str().expect("a prompt");
    for part in [
        &format!("{by} worked on this task before and was interrupted"),
        "Changed in the worktree so far",
        "- made.txt (+1 -0)\n",
    ] {
        assert!(prompt.contains(part), "{part:?} is not in\n{prompt}");
    }
}

#[test]
fn a_session_that_the_provider_refuses_is_left_and_its_work_is_not() {
    let flow = Flow::new("[gate]\ncommands = []");
    let runs = [ends_by(400, "invalid_request"), always(&claude(&[work()]))];
    let fake = flow.provider("claude", "claude", &runs);
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
    let calls = fake.calls();
    assert_eq!(calls.len(), 2);
    assert!(!resumes(&calls[1]), "{:?}", calls[1]["args"]);
    told_of_the_work(&calls[1], "claude");
    assert_eq!(flow.repo.show(&flow.branch(), "made.txt"), "x\nx");
}

#[test]
fn another_provider_gets_the_worktree_and_a_note_of_what_was_done() {
    let flow = Flow::new("[gate]\ncommands = []");
    let best = "affinity = { implementation = 1.0 }";
    let runs = [ends_by(401, "authentication_failed")];
    flow.provider_with("claude", "claude", best, &runs);
    let other = [work(), json!({"print": "done"})];
    let other = flow.provider("other", "command", &[always(&other)]);
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
    told_of_the_work(&other.calls()[0], "claude");
    assert_eq!(flow.repo.show(&flow.branch(), "made.txt"), "x\nx");
}

#[test]
fn a_worktree_that_somebody_removed_meanwhile_comes_back_with_its_work() {
    let flow = Flow::new("[gate]\ncommands = []");
    let walled = json!({"steps": [
        {"claude": "start"}, work(), {"claude": {"limit": {"reset_in_s": 2}}},
    ]});
    let fake = flow.provider("claude", "claude", &[walled, always(&claude(&[work()]))]);
    let goal = flow.execute(&[bead("one", &[])]).args(["--no-wait"]);
    goal.run().exits(75);
    let dir = flow.env.rigs_home().join("worktrees");
    std::fs::remove_dir_all(dir.join(flow.bead_id("one"))).expect("removed");
    flow.goal(["resume"]).run().success();
    flow.is_done(1);
    assert!(resumes(&fake.calls()[1]));
    assert_eq!(flow.repo.show(&flow.branch(), "made.txt"), "x\nx");
}

#[test]
fn codex_goes_on_in_its_thread_after_a_limit_and_begins_another_after_a_full_context() {
    let full = "context_window_exceeded";
    for (end, goes_on) in [
        (json!({"codex": {"limit": {"reset_in_s": 2}}}), true),
        (
            json!({"codex": {"error": {"status": 400, "kind": full, "text": full}}}),
            false,
        ),
    ] {
        let flow = Flow::new("[gate]\ncommands = []");
        let first =
            json!({"steps": [{"codex": "start"}, work(), {"codex": {"say": "half way"}}, end]});
        let then = [
            json!({"codex": "start"}),
            work(),
            json!({"codex": {"done": {"text": "ok"}}}),
        ];
        let fake = flow.provider("codex", "codex", &[first, always(&then)]);
        flow.execute(&[bead("one", &[])]).run().success();
        flow.is_done(1);
        let calls = fake.calls();
        assert_eq!(calls.len(), 2);
        let args = calls[1]["args"].to_string();
        assert_eq!(args.contains("\"resume\""), goes_on, "{args}");
        if !goes_on {
            told_of_the_work(&calls[1], "codex");
        }
        assert_eq!(flow.repo.show(&flow.branch(), "made.txt"), "x\nx");
    }
}
