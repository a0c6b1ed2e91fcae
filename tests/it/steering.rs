//! What a person says about a goal that runs or will run: by whom, how much, pause, cancel.

use std::time::Duration;

use serde_json::json;

use crate::flow::{Flow, LONG, always, bead, endless, on, write};

#[test]
fn a_detached_goal_is_done_by_a_foreman() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider(
        "fake",
        "command",
        &[always(&[
            json!({"shell": "date +%N > made.txt"}),
            json!({"print": "done"}),
        ])],
    );
    let output = flow
        .execute(&[bead("one", &[])])
        .args(["--detach"])
        .run()
        .success();
    assert_eq!(output.line(), flow.convoy());
    assert_eq!(flow.statuses(), ["pending"]);
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    foreman.wait_for("done", LONG);
    foreman.signal(nix::sys::signal::Signal::SIGTERM);
    let output = foreman.wait(LONG).exits(143);
    assert!(output.stderr.contains("passed the gate"), "{output}");
    flow.is_done(1);
}

#[test]
fn only_the_named_provider_is_used_and_no_more_than_so_many_run_at_once() {
    let flow = Flow::new("[gate]\ncommands = []");
    let alone = json!({"shell": "mkdir ../../alone && sleep 0.05 && rmdir ../../alone && date +%N > $(basename $PWD).txt"});
    let one = flow.provider_with(
        "one",
        "command",
        "max_parallel = 4",
        &[always(&[alone, json!({"print": "done"})])],
    );
    let other = flow.provider_with(
        "other",
        "command",
        "affinity = { implementation = 1.0 }",
        &[always(&[json!({"print": "done"})])],
    );
    let beads = ["a", "b", "c"].map(|key| bead(key, &[]));
    flow.execute(&beads)
        .args(["--provider", "one", "--max-parallel", "1"])
        .run()
        .success();
    flow.is_done(3);
    assert_eq!((one.calls().len(), other.calls().len()), (3, 0));
}

#[test]
fn a_spent_budget_stops_dispatch_and_resume_can_raise_it() {
    let flow = Flow::new("[gate]\ncommands = []");
    let used =
        json!({"claude": {"done": {"text": "ok", "usage": {"input": 90_000, "output": 10_000}}}});
    let steps = [
        json!({"claude": "start"}),
        json!({"shell": "date +%N > $(basename $PWD).txt"}),
        used,
    ];
    let fake = flow.provider("claude", "claude", &[always(&steps)]);
    let beads = [bead("one", &[]), bead("two", &["one"])];
    let output = flow
        .execute(&beads)
        .args(["--budget-tokens", "200000"])
        .run()
        .exits(7);
    assert_eq!(flow.statuses(), ["completed", "queued"]);
    assert_eq!(fake.calls().len(), 1);
    assert!(
        output.stdout.contains("the goal's budget of 200")
            && output.stdout.contains("raise it with --budget-tokens"),
        "{output}"
    );
    flow.goal(["resume", "--budget-tokens", "10000000"])
        .run()
        .success();
    flow.is_done(2);
}

#[test]
fn a_paused_convoy_starts_nothing_more_until_it_is_resumed() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider(
        "fake",
        "command",
        &[
            on(
                "one",
                &[
                    json!({"signal": "runs"}),
                    json!({"wait_for": "go"}),
                    write("one.txt", "1\n"),
                    json!({"print": "done"}),
                ],
            ),
            on("two", &[write("two.txt", "2\n"), json!({"print": "done"})]),
        ],
    );
    let goal = flow
        .execute(&[bead("one", &[]), bead("two", &["one"])])
        .start();
    fake.wait_for("runs");
    flow.rigs(["convoy", "pause"])
        .args([flow.convoy()])
        .run()
        .success();
    fake.release("go");
    let output = goal.wait(LONG).exits(4);
    assert_eq!(flow.statuses(), ["completed", "queued"]);
    assert!(
        output.stdout.contains("paused") && output.stdout.contains("rigs goal resume"),
        "{output}"
    );
    flow.goal(["resume"]).run().success();
    flow.is_done(2);
}

#[test]
fn a_bead_cancelled_while_it_runs_ends_with_all_its_processes() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider(
        "fake",
        "command",
        &[
            endless("one", &[write("one.txt", "1\n")]),
            on("two", &[write("two.txt", "2\n"), json!({"print": "done"})]),
        ],
    );
    let goal = flow.execute(&[bead("one", &[]), bead("two", &[])]).start();
    fake.wait_for("runs");
    flow.rigs(["bead", "cancel"])
        .args([flow.bead_id("one")])
        .run()
        .success();
    let output = goal.wait(LONG).success();
    assert_eq!(flow.statuses(), ["cancelled", "completed"]);
    assert!(output.duration < Duration::from_secs(20), "{output}");
    // What it had done is not thrown away.
    let kept = format!("refs/rigs/attempts/{}/1", flow.bead_id("one"));
    assert_eq!(flow.repo.show(&kept, "one.txt"), "1");
    flow.leaves_nothing();
}

#[test]
fn a_convoy_cancelled_while_it_runs_ends_everything() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[endless("one", &[])]);
    let goal = flow
        .execute(&[bead("one", &[]), bead("two", &["one"])])
        .start();
    fake.wait_for("runs");
    flow.rigs(["convoy", "cancel"])
        .args([flow.convoy()])
        .run()
        .success();
    let output = goal.wait(LONG).exits(1);
    assert!(output.stdout.contains("cancelled"), "{output}");
    assert_eq!(flow.statuses(), ["cancelled", "cancelled"]);
    flow.leaves_nothing();
}
