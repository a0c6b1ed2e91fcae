//! SIGKILL of rigs at moments of a run, of agents, and the kind signals: afterwards `goal resume`
//! completes everything exactly once and nothing is left. `points` has every step of a bead.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead, claude};

/// Work of an agent that starts a daemon, tells what it used and leaves a line per run.
pub(crate) fn run() -> Vec<Value> {
    claude(&[
        json!({"child": {}}),
        json!({"claude": {"window": {"used": 0.1}}}),
        json!({"claude": {"say": "at work"}}),
        json!({"shell": "echo x >> $(basename $PWD).txt"}),
    ])
}

/// Tokens of one such run.
const USED: u64 = 1100;

/// What must hold after a kill and a `goal resume`.
#[track_caller]
pub(crate) fn recovered(flow: &Flow, beads: usize, runs: usize) {
    flow.is_done(beads);
    let used: u64 = flow
        .env
        .query("SELECT coalesce(sum(input + output + cache_write), 0) FROM usage")[0]
        .parse()
        .expect("a number");
    assert!(used >= USED * runs as u64, "{used} tokens for {runs} runs");
    let open = flow
        .env
        .query("SELECT id FROM attempts WHERE status = 'running'");
    assert_eq!(open, Vec::<String>::new());
    // Every attempt has its place in the ledger.
    let missing = flow.env.query("SELECT a.id FROM attempts a WHERE a.status <> 'not_started' AND NOT EXISTS (SELECT 1 FROM usage u WHERE u.attempt_id = a.id)");
    assert_eq!(missing, Vec::<String>::new(), "not charged");
    for line in flow.env.query("SELECT id FROM beads") {
        let text = flow.repo.show(&flow.branch(), &format!("{line}.txt"));
        assert!(text.starts_with('x'), "{text}");
    }
}

/// Runs until a test lets it go on, with something half done.
fn held() -> Value {
    json!({"steps": [
        {"claude": "start"}, {"child": {}},
        {"shell": "echo half >> half.txt"}, {"claude": {"say": "half way"}},
        {"signal": "runs"}, {"wait_for": "never"},
    ]})
}

#[test]
fn killed_twice_in_a_row_while_the_agent_runs() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider("claude", "claude", &[held(), held(), always(&run())]);
    let goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("runs");
    // The session must be known before it can be gone on with.
    let known = "SELECT count(*) FROM attempts WHERE session_id IS NOT NULL";
    assert!(crate::harness::wait_until(LONG, || flow.env.query(known) == ["1"]));
    goal.signal(Signal::SIGKILL);
    let _killed = goal.wait(LONG).exits(137);
    std::fs::remove_file(fake.script().with_file_name("runs")).unwrap();
    let goal = flow.goal(["resume"]).start();
    fake.wait_for("runs");
    assert!(crate::harness::wait_until(LONG, || flow.env.query(known) == ["2"]));
    goal.signal(Signal::SIGKILL);
    let _killed = goal.wait(LONG).exits(137);
    flow.goal(["resume"]).run().success();
    recovered(&flow, 1, 1);
    assert_eq!(flow.repo.show(&flow.branch(), "half.txt"), "half\nhalf");
    let args = |n: usize| fake.calls()[n]["args"].to_string();
    assert!(
        args(1).contains("--resume"),
        "the session is gone on with once"
    );
    assert!(
        !args(2).contains("--resume"),
        "and not after it was lost twice"
    );
    assert_eq!(flow.env.query("SELECT failures FROM beads"), ["0"]);
}

#[test]
fn killed_at_any_moment_while_three_beads_run() {
    let flow = Flow::new("[gate]\ncommands = []");
    let slow = json!({"shell": "echo x >> $(basename $PWD).txt; sleep 0.2"});
    flow.provider_with(
        "fake",
        "command",
        "max_parallel = 3",
        &[always(&[
            json!({"child": {}}),
            slow,
            json!({"print": "done"}),
        ])],
    );
    let beads = ["a", "b", "c"].map(|key| bead(key, &[]));
    // The places differ from run to run by what the machine does; each must do.
    let words = [
        "working on it",
        "runs on fake",
        "runs on fake",
        "passed the gate",
    ];
    for (n, word) in words.iter().enumerate() {
        let run = if n == 0 {
            flow.execute(&beads)
        } else {
            flow.goal(["resume"])
        };
        let mut goal = run.start();
        goal.wait_for(word, LONG);
        goal.signal(Signal::SIGKILL);
        if goal.wait(LONG).code == 0 {
            return flow.is_done(3);
        }
    }
    flow.goal(["resume"]).run().success();
    flow.is_done(3);
}

#[test]
fn an_agent_that_is_killed_is_started_again() {
    let flow = Flow::new("[gate]\ncommands = []");
    let killed = json!({"steps": [{"claude": "start"}, {"child": {}}, {"shell": "echo half >> half.txt"}, {"kill": 9}]});
    let fake = flow.provider("claude", "claude", &[killed, always(&run())]);
    flow.execute(&[bead("one", &[])]).run().success();
    recovered(&flow, 1, 1);
    assert_eq!(fake.calls().len(), 2);
    assert_eq!(flow.repo.show(&flow.branch(), "half.txt"), "half");
}

/// A gate that a test can hold: it runs until `gate-go` is there.
fn held_gate(flow: &Flow) {
    let root = flow.env.root().display();
    flow.env.program(
        "gate",
        &format!("touch {root}/gate-runs\n[ -f {root}/gate-go ] || exec sleep 100\n"),
    );
}

fn wait_for_gate(flow: &Flow) {
    let path = flow.env.root().join("gate-runs");
    assert!(crate::harness::wait_until(LONG, || path.exists()));
}

#[test]
fn killed_or_interrupted_in_the_gate_the_work_is_only_checked_again() {
    for (signal, code) in [(Signal::SIGKILL, 137), (Signal::SIGINT, 130)] {
        let flow = Flow::new("[gate]\ncommands = [[\"gate\"]]\n[foreman]\ngrace = \"100ms\"");
        held_gate(&flow);
        let fake = flow.provider("claude", "claude", &[always(&run())]);
        let goal = flow.execute(&[bead("one", &[])]).start();
        wait_for_gate(&flow);
        goal.signal(signal);
        let _ended = goal.wait(LONG).exits(code);
        if signal == Signal::SIGINT {
            assert_eq!(flow.statuses(), ["reviewing"]);
            assert_eq!(flow.env.held(), Vec::<String>::new());
            assert_eq!(flow.env.processes(), []);
        }
        flow.env.write("gate-go", "");
        flow.goal(["resume"]).run().success();
        recovered(&flow, 1, 1);
        assert_eq!(fake.calls().len(), 1);
    }
}

#[test]
fn ctrl_c_puts_everything_back_and_resume_goes_on() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let flow = Flow::new("[gate]\ncommands = []\n[foreman]\ngrace = \"100ms\"");
        let fake = flow.provider("claude", "claude", &[held(), always(&run())]);
        let goal = flow
            .execute(&[bead("one", &[]), bead("two", &["one"])])
            .start();
        fake.wait_for("runs");
        goal.signal(signal);
        let output = goal.wait(LONG).exits(code);
        assert!(
            output
                .stdout
                .contains("interrupted; everything was put back"),
            "{output}"
        );
        assert!(output.stderr.contains("stopping"), "{output}");
        assert_eq!(flow.statuses(), ["queued", "queued"]);
        assert_eq!((flow.env.held(), flow.env.processes()), (vec![], vec![]));
        let kept = format!("refs/rigs/attempts/{}/1", flow.bead_id("one"));
        assert_eq!(flow.repo.show(&kept, "half.txt"), "half");
        flow.goal(["resume"]).run().success();
        recovered(&flow, 2, 2);
        assert!(fake.calls()[1]["args"].to_string().contains("--resume"));
    }
}

#[test]
fn what_ends_within_the_grace_is_not_lost() {
    let flow = Flow::new("[gate]\ncommands = []\n[foreman]\ngrace = \"30s\"");
    let mut steps = vec![json!({"signal": "runs"}), json!({"wait_for": "go"})];
    steps.extend(run());
    let fake = flow.provider("claude", "claude", &[always(&steps)]);
    let mut goal = flow
        .execute(&[bead("one", &[]), bead("two", &["one"])])
        .start();
    fake.wait_for("runs");
    goal.signal(Signal::SIGINT);
    goal.wait_for("stopping", LONG);
    fake.release("go");
    let _ended = goal.wait(LONG).exits(130);
    assert_eq!(flow.statuses(), ["completed", "queued"]);
    flow.goal(["resume"]).run().success();
    recovered(&flow, 2, 2);
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let flow = Flow::new("[gate]\ncommands = []\n[foreman]\ngrace = \"5m\"");
    let stubborn = json!({"steps": [
        {"claude": "start"}, "ignore_sigterm", {"child": {}},
        {"shell": "echo half >> half.txt"}, {"signal": "runs"}, "never_end",
    ]});
    let fake = flow.provider("claude", "claude", &[stubborn, always(&run())]);
    let mut goal = flow.execute(&[bead("one", &[])]).start();
    fake.wait_for("runs");
    goal.signal(Signal::SIGINT);
    goal.wait_for("again", LONG);
    goal.signal(Signal::SIGINT);
    let began = std::time::Instant::now();
    let _ended = goal.wait(LONG).exits(130);
    assert!(began.elapsed().as_secs() < 4, "{:?}", began.elapsed());
    assert_eq!((flow.env.held(), flow.env.processes()), (vec![], vec![]));
    flow.goal(["resume"]).run().success();
    recovered(&flow, 1, 1);
    assert_eq!(flow.repo.show(&flow.branch(), "half.txt"), "half");
}

#[test]
fn interrupted_while_the_worktree_is_set_up_the_bead_is_put_back() {
    let flow =
        Flow::new("[gate]\ncommands = []\nsetup = [[\"gate\"]]\n[foreman]\ngrace = \"100ms\"");
    held_gate(&flow);
    flow.provider("claude", "claude", &[always(&run())]);
    let goal = flow.execute(&[bead("one", &[])]).start();
    wait_for_gate(&flow);
    goal.signal(Signal::SIGINT);
    let _ended = goal.wait(LONG).exits(130);
    assert_eq!(flow.statuses(), ["queued"]);
    flow.env.write("gate-go", "");
    flow.goal(["resume"]).run().success();
    recovered(&flow, 1, 1);
}
