//! Clocks that jump, and machines that sleep: the file that the program reads its error from is
//! changed while it works. Time itself goes on as ever.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, bead, on, write};
use crate::harness::wait_until;

const HOUR: i64 = 3_600_000;

fn waits(key: &str) -> Value {
    let file = format!("{key}.txt");
    on(
        key,
        &[
            json!({"signal": format!("{key}-runs")}),
            json!({"wait_for": format!("{key}-goes-on")}),
            write(&file, "1\n"),
            json!({"print": "done"}),
        ],
    )
}

fn at_once(key: &str) -> Value {
    on(
        key,
        &[
            write(&format!("{key}.txt"), "1\n"),
            json!({"print": "done"}),
        ],
    )
}

/// Every clock of this home is wrong by so much from now on.
fn wrong(flow: &Flow, ms: i64) {
    let file = flow.env.write("clock.part", ms.to_string());
    std::fs::rename(file, flow.env.root().join("clock")).expect("the same folder");
}

fn home(settings: &str) -> Flow {
    let flow = Flow::new(settings);
    wrong(&flow, 0);
    let file = flow.env.root().join("clock");
    flow.env
        .var("RIGS_TEST_CLOCK", file.to_str().expect("a path"));
    flow
}

fn store(flow: &Flow, key: &str, provider: &str) {
    let goal = flow.execute(&[bead(key, &[])]);
    let goal = goal.args(["--detach", "--provider", provider]);
    let _stored = goal.run().success();
}

fn status_of(flow: &Flow, key: &str) -> String {
    let all = flow.env.query("SELECT title || ' ' || status FROM beads");
    let title = format!("Bead {key} ");
    let found = all.iter().find_map(|line| line.strip_prefix(&title));
    found
        .unwrap_or_else(|| panic!("no bead {key}: {all:?}"))
        .to_owned()
}

#[track_caller]
fn becomes(flow: &Flow, key: &str, status: &str) {
    assert!(
        wait_until(LONG, || status_of(flow, key) == status),
        "{key} is {}, not {status}",
        status_of(flow, key)
    );
}

#[test]
fn eight_hours_of_sleep_end_no_run_and_wake_what_was_due_meanwhile() {
    let flow = home("[gate]\ncommands = []");
    let limits = "max_parallel = 2\nidle_timeout = \"5m\"\ntimeout = \"20m\"\n";
    let agent = flow.provider_with("one", "command", limits, &[waits("a")]);
    let window = "limits = [{ window = \"5h\", unit = \"percent\" }]";
    let other = flow.provider_with("two", "command", window, &[at_once("b")]);
    let foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    store(&flow, "a", "one");
    agent.wait_for("a-runs");
    // The other one waits for a reset in three hours.
    let now = flow
        .env
        .query("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+3 hours')");
    let set = ["tank", "set", "two", "--window", "5h", "--percent", "100"];
    let set = flow.rigs(set).args(["--reset", &now[0]]);
    let _set = set.run().success();
    store(&flow, "b", "two");
    becomes(&flow, "b", "deferred");

    wrong(&flow, 8 * HOUR);
    becomes(&flow, "b", "completed");
    assert_eq!(status_of(&flow, "a"), "in_progress");
    agent.release("a-goes-on");
    becomes(&flow, "a", "completed");
    foreman.signal(Signal::SIGTERM);
    let _stopped = foreman.wait(LONG).exits(143);
    assert_eq!((agent.calls().len(), other.calls().len()), (1, 1));
    assert_eq!(flow.env.held(), Vec::<String>::new());
}

#[test]
fn a_clock_that_is_set_back_and_forth_makes_nobody_deaf_and_loses_nothing() {
    let flow = home("[gate]\ncommands = []\n[foreman]\ngrace = \"1s\"");
    let runs = [waits("a"), at_once("b"), at_once("c"), waits("d")];
    let agent = flow.provider_with("one", "command", "max_parallel = 2\n", &runs);
    let foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    store(&flow, "a", "one");
    agent.wait_for("a-runs");
    wrong(&flow, -8 * HOUR);
    store(&flow, "b", "one");
    becomes(&flow, "b", "completed");
    wrong(&flow, 8 * HOUR);
    store(&flow, "c", "one");
    becomes(&flow, "c", "completed");
    wrong(&flow, -HOUR);
    agent.release("a-goes-on");
    becomes(&flow, "a", "completed");
    assert_eq!(agent.calls().len(), 3);
    assert_eq!(flow.events("bead.complete"), 3);

    // A stop set back while it gives its grace is over in time all the same.
    store(&flow, "d", "one");
    agent.wait_for("d-runs");
    foreman.signal(Signal::SIGTERM);
    wrong(&flow, -9 * HOUR);
    let _stopped = foreman.wait(LONG).exits(143);
    becomes(&flow, "d", "queued");
    assert_eq!(flow.env.held(), Vec::<String>::new());
    assert_eq!(flow.env.processes(), []);
}
