//! Work that meets other work: conflicts between beads, and a person who commits meanwhile.

use serde_json::{Value, json};

use crate::flow::{Flow, LONG, bead, on, write};

/// Runs of both beads that start together and write the same line differently.
fn both(key: &str) -> Value {
    on(
        key,
        &[
            json!({"signal": format!("{key}-runs")}),
            json!({"wait_for": "go"}),
            write("same.txt", &format!("{key}\n")),
            json!({"print": format!("wrote {key}")}),
        ],
    )
}

#[test]
fn a_conflict_is_done_again_on_top_of_what_was_merged() {
    let flow = Flow::new("[gate]\ncommands = []");
    let again = json!({"when": "same places: same.txt", "steps": [
        // It starts from what was merged meanwhile.
        {"shell": "test \"$(wc -l < same.txt)\" = 1"},
        {"shell": "echo again >> same.txt"},
        {"print": "wrote it again"},
    ]});
    let fake = flow.provider_with(
        "fake",
        "command",
        "max_parallel = 2",
        &[again, both("one"), both("two")],
    );
    let goal = flow.execute(&[bead("one", &[]), bead("two", &[])]).start();
    for key in ["one-runs", "two-runs"] {
        fake.wait_for(key);
    }
    fake.release("go");
    let output = goal.wait(LONG).success();
    flow.is_done(2);
    let text = flow.repo.show(&flow.branch(), "same.txt");
    assert!(
        ["one\nagain", "two\nagain"].contains(&text.as_str()),
        "{text}"
    );
    assert!(
        output
            .stderr
            .contains("is in conflict with what was merged meanwhile"),
        "{output}"
    );
    assert_eq!(flow.events("merge.conflict"), 1);
}

#[test]
fn twice_in_conflict_is_for_a_person() {
    let flow = Flow::new("[gate]\ncommands = []");
    // The agent insists on its old commit, which cannot be merged.
    let insists = json!({"when": "same places: same.txt", "steps": [
        {"shell": "git -c user.name=a -c user.email=a@b reset -q --hard $(git for-each-ref --format='%(objectname)' refs/rigs/attempts/$(basename $PWD)/1)"},
        {"shell": "echo more >> other.txt"},
        {"print": "no"},
    ]});
    let fake = flow.provider_with(
        "fake",
        "command",
        "max_parallel = 2",
        &[insists, both("one"), both("two")],
    );
    let goal = flow.execute(&[bead("one", &[]), bead("two", &[])]).start();
    for key in ["one-runs", "two-runs"] {
        fake.wait_for(key);
    }
    fake.release("go");
    let output = goal.wait(LONG).exits(1);
    let mut statuses = flow.statuses();
    statuses.sort_unstable();
    assert_eq!(statuses, ["blocked", "completed"]);
    assert!(
        output.stdout.contains("in conflict twice, in same.txt"),
        "{output}"
    );
    assert_eq!(flow.repo.commit_of("main"), flow.base);
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
