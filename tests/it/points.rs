//! SIGKILL of rigs before and after each effect of a bead's life (`src/foreman/crash.rs` has the
//! list): afterwards everything is completed exactly once and nothing is left.

use serde_json::{Value, json};

use crate::flow::{Flow, LONG, always, bead};
use crate::kill::{recovered, run};

fn beads(prefix: &str, count: usize) -> Vec<Value> {
    let key = |n| format!("{prefix}{n}");
    (0..count).map(|n| bead(&key(n), &[])).collect()
}

/// Both sides of an effect, as `RIGS_TEST_CRASH` names them.
fn around(effect: &str) -> [String; 2] {
    ["before", "after"].map(|side| format!("{side} {effect}"))
}

/// Starts the goal of so many beads, or resumes it, and dies there.
fn dies(flow: &Flow, count: usize, point: &str) {
    let run = if flow.env.query("SELECT id FROM convoys").is_empty() {
        flow.execute(&beads("", count))
    } else {
        flow.goal(["resume"])
    };
    let output = run.var("RIGS_TEST_CRASH", point).run();
    assert_eq!(output.code, 137, "not killed {point}: {output}");
}

/// One after another on one store.
struct Relay {
    effects: &'static [&'static str],
    /// Beyond the last of these effects a bead must be left for the next death.
    beads: usize,
    /// Where it dies before each of the deaths, so that there is something to recover.
    lead: Option<&'static str>,
    /// So many runs at most are asked for again, because their end was not in the store.
    lost: usize,
}

/// Dies around each of the effects in turn; then the rest is done.
fn relay(relay: &Relay) {
    // One at a time: else others are lost on the way, and the figures are those of the machine.
    let flow = Flow::new("[general]\nmax_parallel = 1\n[gate]\ncommands = [[\"true\"]]");
    let fake = flow.provider("claude", "claude", &[always(&run())]);
    for point in relay.effects.iter().flat_map(|effect| around(effect)) {
        if let Some(lead) = relay.lead {
            dies(&flow, relay.beads, lead);
        }
        dies(&flow, relay.beads, &point);
    }
    flow.goal(["resume"]).run().success();
    recovered(&flow, relay.beads, relay.beads);
    let calls = fake.calls().len();
    let all = relay.beads..=relay.beads + relay.lost;
    assert!(all.contains(&calls), "{calls} runs, not {all:?}");
}

const RELAYS: [Relay; 6] = [
    Relay {
        effects: &[
            "bead.assayed",
            "bead.claimed",
            "worktree.made",
            "worktree.noted",
            "run.spawned",
        ],
        beads: 2,
        lead: None,
        lost: 4,
    },
    Relay {
        effects: &[
            "run.noted",
            "session.noted",
            "usage.noted",
            "window.noted",
            "run.exited",
        ],
        beads: 2,
        lead: None,
        lost: 10,
    },
    Relay {
        effects: &[
            "work.committed",
            "work.kept",
            "run.settled",
            "work.reviewed",
        ],
        beads: 4,
        lead: None,
        lost: 5,
    },
    Relay {
        effects: &[
            "bead.accepted",
            "merge.made",
            "merge.advanced",
            "worktree.cleared",
            "branch.deleted",
            "bead.completed",
        ],
        beads: 7,
        lead: None,
        lost: 0,
    },
    Relay {
        effects: &["lost.ended", "lost.kept", "lost.closed"],
        beads: 2,
        lead: Some("after run.noted"),
        lost: 12,
    },
    Relay {
        effects: &["bead.adopted", "recovery.closed"],
        beads: 5,
        lead: Some("after bead.accepted"),
        lost: 0,
    },
];

#[test]
fn killed_around_the_start_of_a_run() {
    relay(&RELAYS[0]);
}

#[test]
fn killed_while_the_agent_runs() {
    relay(&RELAYS[1]);
}

#[test]
fn killed_around_the_end_of_a_run() {
    relay(&RELAYS[2]);
}

#[test]
fn killed_around_the_merge() {
    relay(&RELAYS[3]);
}

#[test]
fn killed_while_it_recovers_a_lost_run() {
    relay(&RELAYS[4]);
}

#[test]
fn killed_while_it_takes_up_finished_work() {
    relay(&RELAYS[5]);
}

#[test]
fn killed_around_the_making_of_the_convoy() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider("claude", "claude", &[always(&run())]);
    for (point, convoys) in around("convoy.stored").iter().zip(0..) {
        dies(&flow, 2, point);
        let stored = flow.env.query("SELECT count(*) FROM convoys");
        assert_eq!(stored, [convoys.to_string()], "{point}");
    }
    flow.goal(["resume"]).run().success();
    recovered(&flow, 2, 2);
}

#[test]
fn killed_around_a_deferral_and_its_end() {
    let flow = Flow::new("[gate]\ncommands = []");
    let wall = json!({"steps": [{"claude": "start"}, {"claude": {"limit": {"reset_in_s": 2}}}]});
    let fake = flow.provider("claude", "claude", &[wall, always(&run())]);
    for point in ["bead.deferred", "bead.promoted"]
        .iter()
        .flat_map(|effect| around(effect))
    {
        dies(&flow, 2, &point);
    }
    flow.goal(["resume"]).run().success();
    recovered(&flow, 2, 2);
    assert_eq!(fake.calls().len(), 3, "nobody asks before the reset");
}

#[test]
fn killed_around_the_sweep_of_a_convoy_that_is_over() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider("claude", "claude", &[always(&run())]);
    let goals = [
        ("one", "before worktree.swept"),
        ("two", "after worktree.swept"),
    ];
    for (key, point) in goals {
        let goal = flow.execute(&beads(key, 1));
        let output = goal.var("RIGS_TEST_CRASH", point).timeout(LONG).run();
        assert_eq!(output.code, 137, "{point}: {output}");
    }
    // The second goal swept behind the first before it began.
    assert_eq!(flow.statuses(), ["completed", "pending"]);
    flow.goal(["resume"]).run().success();
    assert_eq!(flow.statuses(), ["completed"; 2]);
    assert_eq!(flow.events("bead.complete"), 2);
    flow.leaves_nothing();
}

#[test]
fn killed_around_the_landing_of_a_convoy() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider("claude", "claude", &[always(&run())]);
    flow.execute(&beads("", 1)).run().success();
    recovered(&flow, 1, 1);
    // The base has moved on: landing makes a merge.
    flow.repo.file("other.txt", "of the user\n");
    flow.repo.commit("work of the user");
    let land = || flow.rigs(["convoy", "land"]).args([flow.convoy()]);
    for point in ["convoy.moved", "convoy.landed"]
        .iter()
        .flat_map(|effect| around(effect))
    {
        let output = land().var("RIGS_TEST_CRASH", &point).run();
        assert_eq!(output.code, 137, "{point}: {output}");
    }
    land().run().success();
    assert_eq!(
        flow.events("convoy.landed"),
        2,
        "one was noted and its command killed"
    );
    let range = format!("{}..main", flow.base);
    let merges = flow
        .repo
        .git(["log", "--merges", "--format=%s", "--first-parent", &range]);
    assert_eq!(merges.lines().count(), 1, "{merges}");
    let file = format!("{}.txt", flow.bead_id("0"));
    assert_eq!(
        (flow.repo.read(&file), flow.repo.read("other.txt")),
        ("x\n".into(), "of the user\n".into())
    );
    let worktrees = flow.repo.git(["worktree", "list", "--porcelain"]);
    assert_eq!(worktrees.matches("worktree ").count(), 1, "{worktrees}");
}

#[test]
fn every_effect_has_its_test() {
    let source = include_str!("../../src/foreman/crash.rs");
    let list = source.split("const EFFECTS").nth(1).expect("the list");
    let mut named: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let here = [
        "convoy.stored",
        "bead.deferred",
        "bead.promoted",
        "worktree.swept",
        "convoy.moved",
        "convoy.landed",
    ];
    let mut tested: Vec<&str> = RELAYS
        .iter()
        .flat_map(|relay| relay.effects)
        .chain(&here)
        .copied()
        .collect();
    named.sort_unstable();
    tested.sort_unstable();
    assert_eq!(named, tested);
}
