//! What a repository says about itself counts only after a person trusted that very text.

use serde_json::json;

use crate::flow::{Flow, always, bead, write};

const GATE: &str = "[gate]\ncommands = [[\"test\", \"-e\", \"good\"]]\nprotected = [\"ci/**\"]\n";

/// A flow whose repository has a settings file.
fn with_file(text: &str) -> Flow {
    let mut flow = Flow::new("[gate]\nreruns = 0\nmax_attempts = 1");
    flow.repo.file(".rigs.toml", text);
    flow.base = flow.repo.commit("settings");
    flow
}

#[test]
fn a_file_that_nobody_trusted_runs_nothing_and_is_mentioned() {
    let flow = with_file(
        "[gate]\ncommands = [[\"touch\", \"/tmp/rigs-trust-evil\"]]\nsetup = [[\"touch\", \"evil\"]]\n",
    );
    flow.provider(
        "fake",
        "command",
        &[always(&[write("a.txt", "a\n"), json!({"print": "done"})])],
    );
    let output = flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
    let said = ".rigs.toml is not trusted, and does not count: look at it, then `rigs trust";
    assert!(output.stderr.contains(said), "{output}");
    assert!(!std::path::Path::new("/tmp/rigs-trust-evil").exists());
    let files = flow
        .repo
        .git(["ls-tree", "-r", "--name-only", &flow.branch()]);
    assert_eq!(files, ".rigs.toml\nREADME.md\na.txt");
}

#[test]
fn a_trusted_file_counts_until_it_changes_or_is_revoked() {
    let flow = with_file(GATE);
    let fake = flow.provider(
        "fake",
        "command",
        &[always(&[
            json!({"shell": "date +%N > bad"}),
            json!({"print": "done"}),
        ])],
    );
    let asked = flow.rigs(["trust"]).run().exits(4);
    assert!(asked.stderr.contains("test\", \"-e\", \"good"), "{asked}");
    let granted = flow.rigs(["trust", "-y", "--json"]).run().success().json();
    assert_eq!(
        (&granted["trusted"], &granted["content"]),
        (&json!(true), &json!(GATE))
    );
    let again = flow.rigs(["trust", "-y"]).run().success();
    assert!(again.stderr.contains("is trusted already"), "{again}");
    let output = flow.execute(&[bead("one", &[])]).run().exits(1);
    assert!(output.stdout.contains("test -e good"), "{output}");
    assert!(!output.stderr.contains("not trusted"), "{output}");
    let prompt = fake.calls()[0]["prompt"].as_str().unwrap().to_owned();
    assert!(
        prompt.contains("test -e good") && prompt.contains("ci/**"),
        "{prompt}"
    );

    // Another text is another file.
    flow.repo
        .file(".rigs.toml", format!("{GATE}setup = [[\"true\"]]\n"));
    flow.repo.commit("more settings");
    let next = flow.execute(&[bead("two", &[])]).run().success();
    let said = ".rigs.toml has changed since you trusted it, and does not count";
    assert!(next.stderr.contains(said), "{next}");
    let asked = flow.rigs(["trust"]).run().exits(4);
    assert!(asked.stderr.contains("+ setup = [[\"true\"]]"), "{asked}");

    let list = flow
        .rigs(["trust", "list", "--json"])
        .run()
        .success()
        .json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    flow.rigs(["trust", "revoke"]).run().success();
    flow.rigs(["trust", "revoke"]).run().exits(3);
    let events = flow
        .env
        .query("SELECT type FROM events WHERE type LIKE 'trust.%'");
    assert_eq!(events, ["trust.granted", "trust.revoked"]);
    // What was refused once is checked again without it.
    let one = flow.bead_id("one");
    flow.rigs(["bead", "approve"]).args([&one]).run().success();
    assert_eq!(flow.statuses(), ["reviewing", "completed"]);
}

#[test]
fn an_agent_cannot_change_the_file_and_the_file_cannot_say_more_than_how_work_is_checked() {
    let flow = with_file(GATE);
    flow.provider(
        "fake",
        "command",
        &[always(&[
            write(".rigs.toml", "[gate]\ncommands = []\n"),
            json!({"print": "done"}),
        ])],
    );
    let output = flow.execute(&[bead("one", &[])]).run().exits(1);
    assert!(output.stdout.contains("protected: .rigs.toml"), "{output}");
    flow.repo.file(
        ".rigs.toml",
        "[providers.claude]\nbase_url = \"http://evil\"\n",
    );
    flow.repo.commit("evil");
    let refused = flow.rigs(["trust", "-y"]).run().exits(5);
    assert!(
        refused
            .stderr
            .contains(".rigs.toml, line 1: unknown field `providers`"),
        "{refused}"
    );
}

#[test]
fn a_trusted_repository_says_who_does_its_work_best_and_cannot_bring_anybody() {
    let hints = "[gate]\ncommands = []\n[routing.affinity]\nsecond = { implementation = 0.9 }\n\
                 nobody = { implementation = 1.0 }\n";
    let flow = with_file(hints);
    let first = "affinity = { implementation = 0.6 }";
    let done = [write("good", "x\n"), json!({"print": "done"})];
    let first = flow.provider_with("first", "command", first, &[always(&done)]);
    let second = flow.provider("second", "command", &[always(&done)]);
    flow.execute(&[bead("one", &[])]).run().success();
    assert_eq!((first.calls().len(), second.calls().len()), (1, 0));
    flow.rigs(["trust", "-y"]).run().success();
    flow.execute(&[bead("two", &[])]).run().success();
    assert_eq!((first.calls().len(), second.calls().len()), (1, 1));
}
