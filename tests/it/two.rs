//! Two processes on one store: one drives, the other follows and takes over.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, bead, on};

fn made(key: &str, before: &[Value]) -> Value {
    let mut steps = before.to_vec();
    steps.push(json!({"shell": "echo x >> $(basename $PWD).txt"}));
    steps.push(json!({"print": "done"}));
    on(key, &steps)
}

fn waits(key: &str) -> Value {
    made(
        key,
        &[
            json!({"signal": format!("{key}-runs")}),
            json!({"wait_for": "go"}),
        ],
    )
}

/// Every bead of the store was completed once, and merged once into the branch of its convoy.
fn all_done(flow: &Flow, beads: usize) {
    assert_eq!(flow.statuses(), vec!["completed"; beads]);
    assert_eq!(flow.events("bead.complete"), beads);
    for line in flow.env.query("SELECT repo || ' ' || branch FROM convoys") {
        let (repo, branch) = line.split_once(' ').expect("two words");
        let merges = flow
            .repo
            .git(["-C", repo, "log", "--merges", "--oneline", branch]);
        assert_eq!(merges.lines().count(), 1, "{merges}");
    }
    flow.leaves_nothing();
}

#[test]
fn the_second_goal_is_done_by_the_first_process() {
    let flow = Flow::new("[gate]\ncommands = []");
    let other = flow.env.repo("other");
    let fake = flow.provider_with(
        "fake",
        "command",
        "max_parallel = 2",
        &[waits("one"), made("two", &[])],
    );
    let first = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("one-runs");
    let second = flow
        .execute(&[bead("two", &[])])
        .dir(other.root())
        .run()
        .success();
    assert!(
        second.stderr.contains("another foreman did the work"),
        "{second}"
    );
    assert!(
        second.stderr.contains("passed the gate"),
        "it shows progress: {second}"
    );
    fake.release("go");
    let _first = first.wait(LONG).success();
    all_done(&flow, 2);
}

#[test]
fn the_second_takes_over_when_the_first_is_killed() {
    let flow = Flow::new("[gate]\ncommands = []");
    let runs = [
        waits("one"),
        waits("two"),
        made("two", &[]),
        made("one", &[]),
    ];
    let fake = flow.provider_with("fake", "command", "max_parallel = 2", &runs);
    let first = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("one-runs");
    let second = flow.execute(&[bead("two", &[])]).start();
    fake.wait_for("two-runs");
    first.signal(Signal::SIGKILL);
    let _killed = first.wait(LONG).exits(137);
    let _second = second.wait(LONG).success();
    // Nobody waits for the first goal any more: it is put back, not done.
    let mut statuses = flow.statuses();
    statuses.sort_unstable();
    assert_eq!(statuses, ["completed", "queued"]);
    flow.goal(["resume"]).run().success();
    all_done(&flow, 2);
}

#[test]
fn a_foreman_beside_a_goal_waits_and_then_does_the_rest() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider_with(
        "fake",
        "command",
        "max_parallel = 2",
        &[waits("one"), made("two", &[])],
    );
    let goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("one-runs");
    let _stored = flow
        .execute(&[bead("two", &[])])
        .args(["--detach"])
        .run()
        .success();
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    foreman.wait_for("takes over", LONG);
    fake.release("go");
    let _goal = goal.wait(LONG).success();
    foreman.wait_for("done", LONG);
    foreman.signal(Signal::SIGINT);
    let _foreman = foreman.wait(LONG).exits(130);
    all_done(&flow, 2);
}

#[test]
fn a_goal_beside_a_foreman_follows_and_the_second_foreman_takes_over() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[waits("one"), made("one", &[])]);
    let mut first = flow.rigs(["foreman", "start", "--foreground"]).start();
    first.wait_for("works on everything", LONG);
    let goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("one-runs");
    first.signal(Signal::SIGKILL);
    let _killed = first.wait(LONG).exits(137);
    let mut second = flow.rigs(["foreman", "start", "--foreground"]).start();
    let _goal = goal.wait(LONG).success();
    second.wait_for("works on everything", LONG);
    second.signal(Signal::SIGTERM);
    let _second = second.wait(LONG).exits(143);
    all_done(&flow, 1);
}

#[test]
fn a_follower_that_is_interrupted_leaves_the_work_to_the_foreman() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[waits("one")]);
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    foreman.wait_for("works on everything", LONG);
    let mut goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("one-runs");
    goal.wait_for("runs on fake", LONG);
    goal.signal(Signal::SIGINT);
    let output = goal.wait(LONG).exits(130);
    assert!(output.stdout.contains("rigs goal resume"), "{output}");
    fake.release("go");
    foreman.wait_for("done", LONG);
    foreman.signal(Signal::SIGTERM);
    let _foreman = foreman.wait(LONG).exits(143);
    all_done(&flow, 1);
}

#[test]
fn a_follower_says_that_nobody_can_take_its_work() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider_with("fake", "command", "permission = \"read\"", &[]);
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    foreman.wait_for("works on everything", LONG);
    let output = flow.execute(&[bead("one", &[])]).run().exits(7);
    assert!(output.stdout.contains("it may read at most"), "{output}");
    foreman.signal(Signal::SIGTERM);
    let _foreman = foreman.wait(LONG).exits(143);
}

#[test]
fn of_foremen_that_are_started_at_once_one_drives_and_the_others_say_who() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[made("one", &[])]);
    let started: Vec<_> = (0..4)
        .map(|_| flow.rigs(["foreman", "start", "--json"]).start())
        .collect();
    let ended: Vec<_> = started.into_iter().map(|run| run.wait(LONG)).collect();
    let (stand, others): (Vec<_>, Vec<_>) = ended.into_iter().partition(|run| run.code == 0);
    let [only] = &stand[..] else {
        panic!("{} foremen", stand.len());
    };
    let pid = only.json()["pid"].clone();
    for other in others {
        let said = other.exits(4);
        assert!(
            said.stderr.contains("runs in the background already"),
            "{said}"
        );
    }
    let status = flow.rigs(["foreman", "status", "--json"]).run().success();
    assert_eq!(status.json()["foreman"]["pid"], pid);
    let goal = flow.execute(&[bead("one", &[])]).run().success();
    assert!(
        goal.stderr.contains("another foreman did the work"),
        "{goal}"
    );
    let _stopped = flow.rigs(["foreman", "stop"]).run().success();
    assert_eq!(fake.calls().len(), 1);
    all_done(&flow, 1);
}
