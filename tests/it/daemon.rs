//! The foreman in the background, and the emergency stop.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead, endless, on, write};
use crate::harness::wait_until;

fn waits(key: &str, file: &str) -> Value {
    on(
        key,
        &[
            json!({"signal": format!("{key}-runs")}),
            json!({"wait_for": "go"}),
            write(file, "1\n"),
            json!({"print": "done"}),
        ],
    )
}

fn store(flow: &Flow, beads: &[Value]) {
    let _stored = flow.execute(beads).args(["--detach"]).run().success();
}

fn status(flow: &Flow) -> Value {
    flow.rigs(["foreman", "status", "--json"])
        .run()
        .success()
        .json()
}

#[test]
fn a_foreman_in_the_background_works_says_what_it_does_and_stops() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[waits("one", "one.txt")]);
    let started = flow
        .rigs(["foreman", "start", "--json"])
        .run()
        .success()
        .json();
    let pid = started["pid"].as_u64().expect("a pid");
    assert_eq!(started["waits_for"], Value::Null);
    store(&flow, &[bead("one", &[])]);
    fake.wait_for("one-runs");
    let now = status(&flow);
    assert_eq!(now["foreman"]["pid"], pid);
    assert_eq!(now["foreman"]["driver"], "foreman");
    assert_eq!(now["foreman"]["background"], true);
    assert_eq!(now["at_work"][0]["bead_id"], flow.bead_id("one"));
    assert_eq!(now["at_work"][0]["abandoned"], false);

    let second = flow.rigs(["foreman", "start"]).run().exits(4);
    assert!(
        second
            .stderr
            .contains(&format!("runs in the background already, pid {pid}")),
        "{second}"
    );
    fake.release("go");
    assert!(
        wait_until(LONG, || flow.statuses() == ["completed"]),
        "{:?}",
        flow.statuses()
    );
    let stopped = flow.rigs(["foreman", "stop", "--json"]).run().success();
    assert_eq!(stopped.json()["pids"], json!([pid]));
    assert_eq!(status(&flow)["running"], false);
    let none = flow.rigs(["foreman", "stop"]).run().exits(4);
    assert!(none.stderr.contains("no foreman runs"), "{none}");

    let log = flow.env.rigs_home().join("logs/foreman.log");
    assert_eq!(started["log"], log.display().to_string());
    let log = std::fs::read_to_string(log).expect("a log");
    assert!(
        log.contains("works on everything") && log.contains("passed the gate"),
        "{log}"
    );
    flow.is_done(1);
}

#[test]
fn a_stop_tells_what_it_waits_for_and_now_waits_for_nothing() {
    let flow = Flow::new("[gate]\ncommands = []\n[foreman]\ngrace = \"10m\"");
    let endless = endless("one", &[]);
    let fake = flow.provider("fake", "command", &[endless]);
    store(&flow, &[bead("one", &[])]);
    let _started = flow.rigs(["foreman", "start"]).run().success();
    fake.wait_for("runs");
    let mut kind = flow.rigs(["foreman", "stop"]).start();
    kind.wait_for(&format!("1 run ends: {}", flow.bead_id("one")), LONG);
    let at_once = flow.rigs(["foreman", "stop", "--now"]).run().success();
    assert!(at_once.duration < Duration::from_secs(30), "{at_once}");
    let _kind = kind.wait(LONG).success();
    assert_eq!(flow.statuses(), ["queued"]);
    assert_eq!(flow.env.processes(), []);
    assert_eq!(flow.env.held(), Vec::<String>::new());
}

#[test]
fn what_keeps_a_foreman_from_starting_is_told_in_the_terminal() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.env.write("rigs/policy.toml", "[[rule]\n");
    let output = flow.rigs(["foreman", "start"]).run().exits(5);
    assert!(output.stderr.contains("policy.toml"), "{output}");
    let output = flow.rigs(["--json", "foreman", "start"]).run().exits(5);
    let error: Value = serde_json::from_str(&output.stderr).expect("one document");
    assert_eq!(error["error"]["kind"], "config");
}

#[test]
fn a_foreman_in_the_background_waits_behind_a_goal_and_takes_over() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("fake", "command", &[waits("one", "one.txt")]);
    let goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("one-runs");
    let started = flow
        .rigs(["foreman", "start", "--json"])
        .run()
        .success()
        .json();
    assert_eq!(started["waits_for"], goal.pid());
    let now = status(&flow);
    assert_eq!(now["foreman"]["driver"], "goal");
    assert_eq!(now["waiting"]["pid"], started["pid"]);
    let attached = flow.rigs(["foreman", "attach"]).start();
    fake.release("go");
    let _goal = goal.wait(LONG).success();
    let attached = attached.wait(LONG).success();
    assert!(attached.stderr.contains("passed the gate"), "{attached}");
    assert!(
        wait_until(LONG, || status(&flow)["foreman"]["pid"] == started["pid"]),
        "it takes over"
    );
    let _stopped = flow.rigs(["foreman", "stop"]).run().success();
    flow.is_done(1);
}

#[test]
fn everything_stops_for_good_and_goes_on_after_the_thaw() {
    let flow = Flow::new("[gate]\ncommands = []");
    let endless = endless("one", &[write("one.txt", "1\n")]);
    let again = always(&[write("one.txt", "2\n"), json!({"print": "done"})]);
    let fake = flow.provider("fake", "command", &[endless, again]);
    store(&flow, &[bead("one", &[])]);
    let _started = flow.rigs(["foreman", "start"]).run().success();
    fake.wait_for("runs");
    let stopped = flow
        .rigs(["stop", "--all", "--reason", "too hot", "--json"])
        .run()
        .success()
        .json();
    assert_eq!(stopped["reason"], "too hot");
    assert_eq!(stopped["put_back"], json!([flow.bead_id("one")]));
    assert_eq!(flow.statuses(), ["queued"]);
    assert_eq!(flow.env.held(), Vec::<String>::new());
    let left = flow.env.processes();
    assert_eq!(left.len(), 1, "only the foreman: {left:?}");

    // Neither the foreman that runs, nor a new one, nor a goal starts anything.
    let _stopped = flow.rigs(["foreman", "stop"]).run().success();
    let _started = flow.rigs(["foreman", "start"]).run().success();
    let goal = flow.execute(&[bead("two", &[])]).run().exits(4);
    assert!(goal.stderr.contains("rigs thaw"), "{goal}");
    let shown = flow.rigs(["status"]).run().success();
    assert!(shown.stdout.contains("(too hot)"), "{shown}");
    assert_eq!(fake.calls().len(), 1);

    let _thawed = flow.rigs(["thaw"]).run().success();
    assert!(
        wait_until(LONG, || flow.statuses() == ["completed"]),
        "{:?}",
        flow.statuses()
    );
    let _none = flow.rigs(["thaw"]).run().exits(4);
    let _stopped = flow.rigs(["foreman", "stop"]).run().success();
    flow.is_done(1);
}

#[test]
fn the_stop_itself_puts_back_what_a_dead_foreman_left() {
    let flow = Flow::new("[gate]\ncommands = []");
    let endless = endless("one", &[]);
    let fake = flow.provider("fake", "command", &[endless]);
    let goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("runs");
    goal.signal(Signal::SIGKILL);
    let _killed = goal.wait(LONG).exits(137);
    assert_ne!(flow.env.processes(), [], "the agent lives on");
    let told = format!(
        "1 run without a foreman, which is gone: {}; `rigs foreman start` ends what is left",
        flow.bead_id("one")
    );
    for words in [&["status"][..], &["foreman", "status"]] {
        let shown = flow.rigs([]).args(words).run().success();
        assert!(shown.stdout.contains(&told), "{shown}");
    }
    assert_eq!(status(&flow)["at_work"][0]["abandoned"], true);
    let stopped = flow.rigs(["stop", "--all"]).run().success();
    assert!(stopped.stdout.contains("1 bead ended"), "{stopped}");
    assert_eq!(flow.statuses(), ["queued"]);
    assert_eq!(flow.env.processes(), []);
    assert_eq!(flow.env.held(), Vec::<String>::new());
}

#[test]
fn a_goal_ends_when_everything_is_stopped() {
    let flow = Flow::new("[gate]\ncommands = []");
    let endless = endless("one", &[]);
    let fake = flow.provider("fake", "command", &[endless]);
    let goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("runs");
    let _stopped = flow.rigs(["stop", "--all"]).run().success();
    let output = goal.wait(LONG).exits(4);
    assert!(output.stdout.contains("rigs thaw"), "{output}");
    assert_eq!(flow.statuses(), ["queued"]);
}

#[test]
fn a_foreman_reads_its_configuration_again_and_keeps_the_old_one_when_it_is_broken() {
    let flow = Flow::new("[gate]\ncommands = []");
    let first = flow.provider("one", "command", &[waits("a", "a.txt")]);
    store(&flow, &[bead("a", &[])]);
    let mut foreman = flow.rigs(["foreman", "start", "--foreground"]).start();
    first.wait_for("a-runs");

    let before = flow.settings();
    flow.env
        .config(&format!("{before}[general]\nmax_paralel = 2\n"));
    foreman.signal(Signal::SIGHUP);
    foreman.wait_for("`general.max_paralel`: unknown key", LONG);

    // Another provider in the place of the one that works: what runs ends where it began.
    let second = flow.env.fake_agent(
        "two",
        &json!({"shape": "plain", "runs": [always(&[write("b.txt", "1\n"), json!({"print": "done"})])]}),
    );
    let (general, _) = before.split_once("[providers.one]").expect("an entry");
    flow.env.config(&format!(
        "{general}[general]\nlog_level = \"info\"\nmax_parallel = 3\n{}",
        second.provider("two", "command")
    ));
    foreman.signal(Signal::SIGHUP);
    foreman.wait_for("start the foreman again for these: general.log_level", LONG);
    store(&flow, &[bead("b", &[])]);
    foreman.wait_for("runs on two", LONG);
    first.release("go");
    assert!(
        wait_until(LONG, || flow.statuses() == ["completed"; 2]),
        "{:?}",
        flow.statuses()
    );
    foreman.signal(Signal::SIGTERM);
    let _stopped = foreman.wait(LONG).exits(143);
    assert_eq!(
        flow.env
            .query("SELECT provider FROM attempts ORDER BY started_at"),
        ["one", "two"]
    );
    let said = flow
        .env
        .query("SELECT type || ' ' || payload FROM events WHERE type LIKE 'config.%' ORDER BY seq");
    let [refused, loaded] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(
        refused.starts_with("config.refused {\"column\":1,"),
        "{refused}"
    );
    assert_eq!(
        loaded,
        "config.loaded {\"after_restart\":[\"general.log_level\"],\
         \"changed\":[\"general.max_parallel\",\"providers.one\",\"providers.two\"]}"
    );
    assert_eq!(flow.env.held(), Vec::<String>::new());
}
