//! A provider's limit in the middle of a convoy: what it concerns waits for the reset that was
//! stated, everything else goes on, nothing fails, nobody asks before the reset.

use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead, claude, on};
use crate::harness::FakeAgent;

/// Some work that differs from bead to bead.
fn work() -> Value {
    json!({"shell": "echo x >> $(basename $PWD).txt"})
}

/// Starts, does half of the work and meets the limit.
fn walled(reset_in_s: u64) -> Value {
    json!({"steps": [{"claude": "start"}, work(), {"claude": {"limit": {"reset_in_s": reset_in_s}}}]})
}

/// When each run began, in milliseconds since the epoch.
fn times(fake: &FakeAgent) -> Vec<u64> {
    let at = |call: &Value| call["at_ms"].as_u64().expect("a time");
    fake.calls().iter().map(at).collect()
}

/// The reset that was stated, as the store has it.
fn reset(flow: &Flow) -> u64 {
    let text = flow.env.query(
        "SELECT json_extract(payload, '$.resets_at') FROM events WHERE type = 'window.closed'",
    );
    let at: chrono::DateTime<chrono::Utc> = text[0].parse().expect("a reset");
    u64::try_from(at.timestamp_millis()).expect("after 1970")
}

fn argument_after(call: &Value, name: &str) -> Option<String> {
    let args: Vec<&str> = call["args"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let at = args.iter().position(|a| *a == name)?;
    args.get(at + 1).map(|a| (*a).to_owned())
}

#[test]
fn a_convoy_waits_for_the_stated_reset_and_goes_on_in_the_same_session() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("claude", "claude", &[walled(2), always(&claude(&[work()]))]);
    let output = flow
        .execute(&[bead("one", &[]), bead("two", &[])])
        .run()
        .success();
    flow.is_done(2);
    let (times, reset) = (times(&fake), reset(&flow));
    assert_eq!(times.len(), 3);
    assert!(
        times[1] >= reset && times[2] >= reset,
        "asked before the reset: {times:?} {reset}"
    );
    let calls = fake.calls();
    let session = argument_after(&calls[0], "--session-id");
    let resumed = calls[1..]
        .iter()
        .filter(|c| argument_after(c, "--resume") == session);
    assert_eq!(resumed.count(), 1, "{calls:?}");
    assert!(output.stderr.contains("waits until"), "{output}");
    assert_eq!(flow.env.query("SELECT failures FROM beads"), ["0", "0"]);
    // The half that was done before the wall is there.
    let one = format!("{}.txt", flow.bead_id("one"));
    assert_eq!(flow.repo.show(&flow.branch(), &one), "x\nx");
}

#[test]
fn another_provider_goes_on_while_one_is_at_its_wall() {
    let flow = Flow::new("[gate]\ncommands = []");
    let best = "affinity = { implementation = 1.0 }";
    let runs = [walled(6), always(&claude(&[work()]))];
    let closed = flow.provider_with("claude", "claude", best, &runs);
    let least = "affinity = { implementation = 0.1 }";
    let runs = [
        on(
            "two",
            &[json!({"wait_for": "go"}), work(), json!({"print": "done"})],
        ),
        on("three", &[work(), json!({"print": "done"})]),
    ];
    let other = flow.provider_with("other", "command", least, &runs);
    let beads = [bead("one", &[]), bead("two", &[]), bead("three", &["two"])];
    let mut goal = flow.execute(&beads).start();
    goal.wait_for("waits until", LONG);
    other.release("go");
    let _done = goal.wait(LONG).success();
    flow.is_done(3);
    let (closed, other) = (times(&closed), times(&other));
    assert_eq!((closed.len(), other.len()), (2, 2));
    assert!(
        closed[1] >= reset(&flow) && other[1] < closed[1],
        "{closed:?} {other:?}"
    );
}

#[test]
fn no_wait_exits_75_and_says_until_when_and_resume_goes_on() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("claude", "claude", &[walled(3), always(&claude(&[work()]))]);
    let beads = [bead("one", &[]), bead("two", &["one"])];
    let output = flow
        .execute(&beads)
        .args(["--no-wait", "--json"])
        .run()
        .exits(75);
    assert_eq!(flow.statuses(), ["deferred", "queued"]);
    let summary = output.json();
    let until: chrono::DateTime<chrono::Utc> =
        summary["waiting_until"].as_str().unwrap().parse().unwrap();
    let reset = reset(&flow);
    assert!(until.timestamp_millis() as u64 >= reset);
    let next = format!("rigs goal resume {}", flow.convoy());
    assert_eq!(summary["next"], json!([next]));
    // Too early: nothing is asked, and it says so again.
    let output = flow.goal(["resume", "--no-wait"]).run().exits(75);
    assert!(output.stdout.contains("waits for capacity"), "{output}");
    assert_eq!(fake.calls().len(), 1);
    flow.goal(["resume"]).run().success();
    flow.is_done(2);
    assert!(times(&fake)[1] >= reset);
    assert_eq!(flow.env.query("SELECT failures FROM beads"), ["0", "0"]);
}

#[test]
fn a_wall_without_a_session_frees_the_bead_for_another_provider() {
    let flow = Flow::new("[gate]\ncommands = []");
    let best = "affinity = { implementation = 1.0 }";
    // Exit code 75 of a program of one's own: come back later.
    let first = flow.provider_with("first", "command", best, &[always(&[json!({"exit": 75})])]);
    let least = "affinity = { implementation = 0.1 }";
    let second = flow.provider_with(
        "second",
        "command",
        least,
        &[always(&[work(), json!({"print": "done"})])],
    );
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
    assert_eq!((first.calls().len(), second.calls().len()), (1, 1));
}

#[test]
fn a_wall_at_the_first_call_frees_the_bead_for_another_provider() {
    let flow = Flow::new("[gate]\ncommands = []");
    let best = "affinity = { implementation = 1.0 }";
    let refused =
        json!({"steps": [{"claude": "start"}, {"claude": {"limit": {"reset_in_s": 3600}}}]});
    let first = flow.provider_with("claude", "claude", best, &[refused]);
    let least = "affinity = { implementation = 0.1 }";
    let second = flow.provider_with(
        "second",
        "command",
        least,
        &[always(&[work(), json!({"print": "done"})])],
    );
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
    assert_eq!((first.calls().len(), second.calls().len()), (1, 1));
    assert_eq!(flow.env.query("SELECT failures FROM beads"), ["0"]);
}

#[test]
fn a_reset_that_is_past_already_is_not_asked_in_a_hot_loop() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider(
        "claude",
        "claude",
        &[always(&[
            json!({"claude": "start"}),
            json!({"claude": {"limit": {"reset_in_s": 0}}}),
        ])],
    );
    let mut goal = flow.execute(&[bead("one", &[])]).start();
    goal.wait_for("attempt 2", LONG);
    flow.rigs(["convoy", "cancel"])
        .args([flow.convoy()])
        .run()
        .success();
    let _ended = goal.wait(LONG);
    let times = times(&fake);
    assert!(times.windows(2).all(|w| w[1] - w[0] >= 900), "{times:?}");
}
