//! The quality gate from outside: work that is refused, tried elsewhere, and left to a person.

use serde_json::{Value, json};

use crate::flow::{Flow, always, bead, on, write};

/// A gate that passes once the file `good` is there.
const GOOD: &str = "[gate]\ncommands = [[\"test\", \"-e\", \"good\"]]\nreruns = 0";

fn done(path: &str) -> [Value; 2] {
    [
        json!({"shell": format!("date +%N > {path}")}),
        json!({"print": "done"}),
    ]
}

#[test]
fn work_refused_too_often_waits_for_a_person_who_answers() {
    let flow = Flow::new(GOOD);
    let fake = flow.provider(
        "fake",
        "command",
        &[
            json!({"times": 3, "steps": done("bad")}),
            json!({"when": "make the file good", "times": 0, "steps": done("good")}),
        ],
    );
    let output = flow
        .execute(&[bead("one", &[]), bead("two", &["one"])])
        .run()
        .exits(1);
    assert_eq!(flow.statuses(), ["blocked", "blocked"]);
    assert_eq!(fake.calls().len(), 3);
    let said = "the quality gate refused 3 attempts, the last one because of test -e good";
    assert!(output.stdout.contains(said), "{output}");
    let id = flow.bead_id("one");
    let show = flow
        .rigs(["bead", "show", "--json"])
        .args([&id])
        .run()
        .success()
        .json();
    assert_eq!(
        (&show["blocked"]["cause"], &show["failures"]),
        (&json!("person"), &json!(3))
    );
    let approved = flow
        .rigs([
            "bead",
            "approve",
            "--json",
            "--answer",
            "make the file good",
        ])
        .args([&id])
        .run()
        .success()
        .json();
    assert_eq!(
        (&approved["status"], &approved["failures"]),
        (&json!("queued"), &json!(0))
    );
    flow.rigs(["bead", "approve"]).args([&id]).run().exits(4);
    let edited = ["bead", "edit", "-d", "make the file good too"];
    flow.rigs(edited)
        .args([flow.bead_id("two")])
        .run()
        .success();
    flow.goal(["resume"]).run().success();
    flow.is_done(2);
    assert_eq!(flow.events("bead.edited"), 1);
}

#[test]
fn after_two_refusals_somebody_else_begins_afresh() {
    let flow = Flow::new(GOOD);
    let best = "affinity = { implementation = 1.0 }";
    let first = flow.provider_with("first", "command", best, &[always(&done("bad"))]);
    let second = flow.provider(
        "second",
        "command",
        &[always(&[
            json!({"shell": "! test -e bad"}),
            json!({"shell": "echo x > good"}),
            json!({"print": "done"}),
        ])],
    );
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
    assert_eq!((first.calls().len(), second.calls().len()), (2, 1));
    let prompt = second.calls()[0]["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.contains("test -e good: exit code 1"), "{prompt}");
}

#[test]
fn a_gate_that_fails_now_and_then_is_flaky_and_that_is_on_record() {
    let flow = Flow::new("[gate]\ncommands = [[\"sometimes\"]]");
    let seen = flow.env.root().join("seen");
    let (seen, script) = (seen.display(), "echo 'assertion failed'; exit 1");
    let script = format!("test -e '{seen}' || {{ touch '{seen}'; {script}; }}\n");
    flow.env.program("sometimes", &script);
    flow.provider(
        "fake",
        "command",
        &[on("one", &[write("a", "a\n"), json!({"print": "done"})])],
    );
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
    let why = flow
        .rigs(["why"])
        .args([flow.bead_id("one")])
        .run()
        .success();
    assert!(why.stdout.contains("flaky: exit code 1"), "{why}");
}

#[test]
fn work_that_a_broken_gate_could_not_judge_is_checked_again_and_no_agent_is_paid_twice() {
    let flow = Flow::new("[gate]\ncommands = [[\"checks\"]]");
    let fake = flow.provider(
        "fake",
        "command",
        &[on("one", &[write("a", "a\n"), json!({"print": "done"})])],
    );
    let output = flow.execute(&[bead("one", &[])]).run().exits(1);
    assert!(output.stdout.contains("`checks` was not found"), "{output}");
    let id = flow.bead_id("one");
    let approve = || flow.rigs(["bead", "approve"]).args([&id]).run().success();
    let said = approve();
    assert!(said.stderr.contains("its work is checked again"), "{said}");
    assert_eq!(flow.statuses(), ["reviewing"]);
    // Nothing was mended.
    flow.goal(["resume"]).run().exits(1);
    assert_eq!(flow.statuses(), ["blocked"]);

    // A person looked around and left something; it is no part of the work, and not lost.
    let tree = flow.env.rigs_home().join("worktrees").join(&id);
    std::fs::write(tree.join("a"), "mine\n").unwrap();
    flow.env.program("checks", "grep -q a a");
    approve();
    flow.goal(["resume"]).run().success();
    flow.is_done(1);
    assert_eq!(fake.calls().len(), 1);
    assert_eq!(flow.events("bead.review"), 2);
    assert_eq!(flow.repo.show(&flow.branch(), "a"), "a");
    let kept = flow
        .repo
        .git(["for-each-ref", "--format=%(refname)", "refs/rigs/rescue"]);
    let kept: Vec<&str> = kept.lines().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(flow.repo.show(kept[0], "a"), "mine");
}
