//! Agents that do not end by themselves, and programs that are not what their name says.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::flow::{Flow, always, bead, claude, write};
use crate::harness::{FakeAgent, Output};

/// One bead on an agent that plays this, and how its only attempt ended: class and rule.
fn ends(settings: &str, entry: &str, steps: &[Value]) -> (Flow, FakeAgent, Output, Vec<String>) {
    let flow = Flow::new(&format!(
        "[gate]\ncommands = []\nmax_attempts = 1\n{settings}"
    ));
    let fake = flow.provider_with("claude", "claude", entry, &[always(steps)]);
    let output = flow.execute(&[bead("one", &[])]).run();
    let ended = flow
        .env
        .query("SELECT status || ' ' || rule FROM attempts ORDER BY number");
    assert_eq!(flow.env.processes(), [], "{output}");
    (flow, fake, output, ended)
}

#[test]
fn an_agent_that_never_says_anything_is_ended_after_its_time_to_start() {
    let steps = [json!({"child": {"session": true}}), json!("never_end")];
    let entry = "startup_timeout = \"200ms\"\nidle_timeout = \"1h\"";
    let (_flow, fake, output, ended) = ends("", entry, &steps);
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(ended, ["silent no_first_output"; 3]);
    assert_eq!(fake.calls().len(), 3);
}

#[test]
fn an_agent_that_talks_for_ever_is_ended_when_its_whole_time_is_over() {
    let chatter =
        "while :; do echo '{\"type\":\"system\",\"subtype\":\"status\"}'; sleep 0.02; done";
    let steps = [json!({"claude": "start"}), json!({"shell": chatter})];
    let entry = "timeout = \"700ms\"";
    let (flow, _fake, output, ended) = ends("", entry, &steps);
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(ended, ["timed_out timed_out"; 3]);
    assert_eq!(flow.statuses(), ["failed"]);
}

#[test]
fn an_agent_that_has_said_its_result_and_stays_is_ended_and_its_work_counts() {
    let mut steps = claude(&[write("a.txt", "a\n")]);
    steps.push(json!({"child": {"session": true}}));
    steps.push(json!("never_end"));
    // Longer than a machine under load lets an agent wait between two steps.
    let entry = "idle_timeout = \"3s\"";
    let (flow, fake, output, ended) = ends("", entry, &steps);
    assert_eq!(output.code, 0, "{output}");
    assert_eq!(ended, ["done finished"]);
    assert_eq!(fake.calls().len(), 1);
    flow.is_done(1);
}

#[test]
fn an_agent_that_uses_far_more_than_it_was_thought_to_is_ended() {
    let used = json!({"type": "assistant", "message": {"id": "m1", "model": "sonnet",
        "content": [{"type": "text", "text": "on and on"}],
        "usage": {"input_tokens": 90_000_000, "output_tokens": 1}}});
    let steps = [
        json!({"claude": "start"}),
        write("a.txt", "a\n"),
        json!({"print": used.to_string()}),
        json!("never_end"),
    ];
    let entry = "idle_timeout = \"1h\"";
    let (flow, _fake, output, ended) = ends("", entry, &steps);
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(ended, ["runaway runaway"]);
    assert_eq!(flow.statuses(), ["failed"]);
    assert!(output.stdout.contains("90,000,000 tokens"), "{output}");
    // What it had written is kept.
    let kept = format!("refs/rigs/attempts/{}/1", flow.bead_id("one"));
    assert_eq!(flow.repo.show(&kept, "a.txt"), "a");
}

#[test]
fn an_agent_that_runs_far_longer_than_it_was_thought_to_is_ended() {
    let steps = [json!({"claude": "start"}), json!("never_end")];
    let settings = "[budget]\ntime_per_run = \"500ms\"";
    let (_flow, _fake, output, ended) = ends(settings, "", &steps);
    assert_eq!(output.code, 1, "{output}");
    assert_eq!(ended, ["runaway runaway"]);
    assert!(output.stdout.contains("it took longer than"), "{output}");
}

#[test]
fn a_program_in_the_repository_never_stands_for_an_agent_or_for_git() {
    let flow = Flow::new("[gate]\ncommands = []");
    let trap = flow.env.root().join("trap");
    for name in ["claude", "git"] {
        let script = format!("#!/bin/sh\necho {name} >> '{}'\nexit 1\n", trap.display());
        let path = flow.repo.root().join("bin").join(name);
        flow.repo.file(&format!("bin/{name}"), script);
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    flow.repo.commit("programs");
    let base = flow.repo.commit_of("HEAD");
    // An agent by its name alone, behind every place that the repository could fill.
    let real = format!("exec '{}' \"$@\"\n", FakeAgent::program().display());
    flow.env.program("claude", &real);
    let steps = claude(&[
        json!({"shell": "case \":$PATH:\" in *::*|*:.:*|*:bin:*) exit 1;; esac"}),
        write("a.txt", "a\n"),
    ]);
    let script = json!({"shape": "claude", "runs": [always(&steps)]});
    let fake = flow.env.fake_agent("claude", &script);
    let entry = fake.provider("claude", "claude");
    let given = format!("command = \"{}\"", FakeAgent::program().display());
    assert!(entry.contains(&given), "{entry}");
    flow.entry(&entry.replace(&given, "command = \"claude\""));
    let theirs = flow.repo.root().join("bin");
    flow.env
        .first_in_path(&format!(".:bin::{}", theirs.display()));
    flow.execute(&[bead("one", &[])]).run().success();
    assert_eq!(flow.statuses(), ["completed"]);
    assert_eq!(fake.calls().len(), 1);
    assert!(!trap.exists(), "{:?}", std::fs::read_to_string(&trap));
    assert_eq!(flow.repo.commit_of("main"), base);

    // Where there is no other, it is said and not run.
    std::fs::remove_file(flow.env.root().join("bin/claude")).unwrap();
    let list = flow.rigs(["provider", "list", "--json"]).run().success();
    let problem = list.json()[0]["problem"].to_string();
    assert!(problem.contains("it lies in the repository"), "{list}");
    flow.execute(&[bead("two", &[])]).run().exits(7);
    assert!(!trap.exists(), "{:?}", std::fs::read_to_string(&trap));
}
