//! Work that meets other work: conflicts between beads, and a person who commits meanwhile.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::flow::{Flow, LONG, bead, on, write};
use crate::harness::{FakeAgent, Run, Running, wait_until};

/// A run that writes one line into the file that all of them write, when it is told to.
fn line(key: &str) -> Value {
    on(
        key,
        &[
            json!({"signal": format!("{key}-runs")}),
            json!({"wait_for": format!("go-{key}")}),
            write("same.txt", &format!("{key}\n")),
            json!({"print": format!("wrote {key}")}),
        ],
    )
}

/// A run of a conflict bead.
fn resolver(steps: &[Value]) -> Value {
    json!({"when": "Two pieces of work changed the same places", "steps": steps})
}

/// What a resolver finds, and what it makes of it.
fn resolve() -> Value {
    json!({"shell": "grep -q '^<<<<<<<' same.txt && grep -q '^one$' same.txt && grep -q '^two$' same.txt \
        && printf 'one\\ntwo\\n' > same.txt"})
}

/// Beads `one` and `two`, which both run before either ends; `one` is merged first.
fn both<'a>(flow: &'a Flow, fake: &FakeAgent, run: Run<'a>) -> Running<'a> {
    let goal = run.start();
    for key in ["one", "two"] {
        fake.wait_for(&format!("{key}-runs"));
    }
    fake.release("go-one");
    completed(flow, 1);
    fake.release("go-two");
    goal
}

fn completed(flow: &Flow, beads: usize) {
    let done = || flow.events("bead.complete") >= beads;
    assert!(wait_until(LONG, done), "{:?}", flow.statuses());
}

fn flow(runs: &[Value]) -> (Flow, FakeAgent) {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider_with("fake", "command", "max_parallel = 3", runs);
    (flow, fake)
}

/// Every bead is completed, both lines are in, and the work of `two` is the very commit it made.
fn is_resolved(flow: &Flow) {
    assert_eq!(flow.statuses(), ["completed"; 3]);
    assert_eq!(flow.repo.show(&flow.branch(), "same.txt"), "one\ntwo");
    let work = format!("refs/rigs/attempts/{}/1", flow.bead_id("two"));
    let branch = flow.branch();
    flow.repo
        .git(["merge-base", "--is-ancestor", &work, &branch]);
    assert_eq!(flow.events("merge.conflict"), 1);
    assert_eq!(flow.events("bead.complete"), 3);
    flow.leaves_nothing();
}

#[test]
fn a_conflict_becomes_a_bead_of_its_own_with_both_sides() {
    let (flow, fake) = flow(&[
        resolver(&[resolve(), json!({"print": "both"})]),
        line("one"),
        line("two"),
    ]);
    let goal = both(
        &flow,
        &fake,
        flow.execute(&[bead("one", &[]), bead("two", &[])]),
    );
    let output = goal.wait(LONG).success();
    is_resolved(&flow);
    assert!(output.stderr.contains("brings both together"), "{output}");
    let calls = fake.calls();
    let prompt = calls[2]["prompt"].as_str().unwrap();
    for part in [
        "In conflict:\n- same.txt\n",
        "### Merged already",
        "+one\n",
        "### To be merged: Bead two",
        "do two",
        "+two\n",
        "- it is done\n",
    ] {
        assert!(prompt.contains(part), "{part:?} is not in\n{prompt}");
    }
    let range = format!("{}..{}", flow.base, flow.branch());
    let format = "--format=%(trailers:key=Rigs-Merges,valueonly)";
    let merges = flow.repo.git(["log", "--merges", format, &range]);
    assert_eq!(merges.trim(), flow.bead_id("two"));
}

#[test]
fn a_merge_that_was_given_up_or_left_marked_is_sent_back() {
    let (flow, fake) = flow(&[
        resolver(&[
            json!({"shell": "git merge --abort && echo mine > same.txt"}),
            json!({"print": "gave up"}),
        ]),
        json!({"when": "The merge was given up", "steps": [
            {"shell": "grep -q '^<<<<<<<' same.txt"}, {"print": "left as it is"},
        ]}),
        json!({"when": "Marks of the conflict are left in: same.txt", "steps": [
            {"shell": "printf 'one\\ntwo\\n' > same.txt"}, {"print": "both"},
        ]}),
        line("one"),
        line("two"),
    ]);
    let goal = both(
        &flow,
        &fake,
        flow.execute(&[bead("one", &[]), bead("two", &[])]),
    );
    goal.wait(LONG).success();
    is_resolved(&flow);
}

#[test]
fn a_conflict_outlives_a_killed_foreman() {
    let (flow, fake) = flow(&[
        resolver(&[json!({"signal": "resolves"}), json!({"wait_for": "never"})]),
        resolver(&[resolve(), json!({"print": "both"})]),
        line("one"),
        line("two"),
    ]);
    let goal = both(
        &flow,
        &fake,
        flow.execute(&[bead("one", &[]), bead("two", &[])]),
    );
    fake.wait_for("resolves");
    let why = flow
        .rigs(["why"])
        .args([flow.bead_id("two")])
        .run()
        .success();
    assert!(why.stdout.contains("brings both together"), "{why}");
    goal.signal(Signal::SIGKILL);
    let _killed = goal.wait(LONG).exits(137);
    flow.goal(["resume"]).run().success();
    is_resolved(&flow);
}

#[test]
fn twice_in_conflict_is_for_a_person_who_can_have_it_done_again() {
    let again = json!({"when": "same places: same.txt", "steps": [
        {"shell": "test \"$(cat same.txt)\" = three && echo two >> same.txt"},
        {"print": "wrote it again"},
    ]});
    let (flow, fake) = flow(&[
        resolver(&[
            resolve(),
            json!({"signal": "resolves"}),
            json!({"wait_for": "three-is-in"}),
            json!({"print": "both"}),
        ]),
        again,
        line("one"),
        line("two"),
        line("three"),
    ]);
    let beads = [bead("one", &[]), bead("two", &[]), bead("three", &["one"])];
    let goal = both(&flow, &fake, flow.execute(&beads));
    fake.wait_for("resolves");
    fake.release("go-three");
    completed(&flow, 2);
    fake.release("three-is-in");
    let output = goal.wait(LONG).exits(1);
    assert_eq!(
        flow.statuses(),
        ["completed", "blocked", "completed", "cancelled"]
    );
    assert!(
        output.stdout.contains("in conflict twice, in same.txt"),
        "{output}"
    );
    assert_eq!(flow.repo.commit_of("main"), flow.base);
    let cancelled = flow.env.query("SELECT bead_id FROM conflicts");
    let refused = flow
        .rigs(["bead", "retry"])
        .args([&cancelled[0]])
        .run()
        .exits(4);
    assert!(refused.stderr.contains("does not wait for it"), "{refused}");
    flow.rigs(["bead", "retry"])
        .args([flow.bead_id("two")])
        .run()
        .success();
    flow.goal(["resume"]).run().success();
    assert_eq!(flow.repo.show(&flow.branch(), "same.txt"), "three\ntwo");
    let convoy = flow.convoy();
    flow.rigs(["convoy", "land"]).args([convoy]).run().success();
    assert_eq!(flow.repo.read("same.txt"), "three\ntwo\n");
}

#[test]
fn conflicts_of_one_convoy_are_resolved_one_after_the_other() {
    let (flow, fake) = flow(&[
        resolver(&[resolve(), json!({"print": "both"})]),
        resolver(&[
            json!({"shell": "grep -q '^<<<<<<<' same.txt && printf 'one\\ntwo\\nthree\\n' > same.txt"}),
            json!({"print": "all"}),
        ]),
        line("one"),
        line("two"),
        line("three"),
    ]);
    let goal = flow
        .execute(&[bead("one", &[]), bead("two", &[]), bead("three", &[])])
        .start();
    for key in ["one", "two", "three"] {
        fake.wait_for(&format!("{key}-runs"));
    }
    fake.release("go-one");
    completed(&flow, 1);
    for key in ["go-two", "go-three"] {
        let conflicts = flow.events("merge.conflict");
        fake.release(key);
        let met = || flow.events("merge.conflict") > conflicts;
        assert!(wait_until(LONG, met));
    }
    goal.wait(LONG).success();
    assert_eq!(flow.statuses(), ["completed"; 5]);
    assert_eq!(flow.events("merge.conflict"), 2);
    assert_eq!(
        flow.repo.show(&flow.branch(), "same.txt"),
        "one\ntwo\nthree"
    );
    flow.leaves_nothing();
}

#[test]
fn what_the_person_commits_meanwhile_stays_and_lands_together() {
    let flow = Flow::new("[gate]\ncommands = []");
    let fake = flow.provider(
        "fake",
        "command",
        &[on(
            "one",
            &[
                json!({"signal": "runs"}),
                json!({"wait_for": "go"}),
                write("made.txt", "made\n"),
                json!({"print": "done"}),
            ],
        )],
    );
    let goal = flow.execute(&[bead("one", &[])]).args(["--land"]).start();
    fake.wait_for("runs");
    flow.repo.file("mine.txt", "mine\n");
    let mine = flow.repo.commit("my own commit");
    fake.release("go");
    goal.wait(LONG).success();
    assert_eq!(flow.repo.read("made.txt"), "made\n");
    assert_eq!(flow.repo.read("mine.txt"), "mine\n");
    assert_eq!(flow.repo.git(["status", "--porcelain"]), "");
    flow.repo
        .git(["merge-base", "--is-ancestor", &mine, "main"]);
}
