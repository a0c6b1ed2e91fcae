//! Agents that misbehave, and names that look like something else.

use serde_json::{Value, json};

use crate::flow::{Flow, always, bead, claude, on, write};
use crate::harness::Output;

fn done() -> Value {
    json!({"print": "done"})
}

/// One bead on a program that plays these steps, each time it is asked.
fn one(flow: &Flow, steps: &[Value]) -> Output {
    flow.provider("fake", "command", &[always(steps)]);
    flow.execute(&[bead("one", &[])]).run()
}

#[test]
fn escapes_garbage_and_lines_without_end_are_only_text() {
    let flow = Flow::new("[gate]\ncommands = []");
    let noise = [
        json!({"print": "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31mred"}),
        json!({"huge_line": 5_000_000}),
        json!({"garbage": 200_000}),
        json!({"print": ""}),
        write("a.txt", "a\n"),
        done(),
    ];
    let output = one(&flow, &noise).success();
    flow.is_done(1);
    let logs = flow
        .rigs(["bead", "logs"])
        .args([flow.bead_id("one")])
        .run()
        .success();
    let show = flow
        .rigs(["bead", "show"])
        .args([flow.bead_id("one")])
        .run()
        .success();
    for text in [&output, &logs, &show] {
        let bad = |c: char| c.is_control() && !"\n\t".contains(c);
        assert!(!text.stdout.contains(bad) && !text.stderr.contains(bad));
    }
    assert!(logs.stdout.contains("red"), "{}", logs.stdout.len());
}

#[test]
fn an_agent_that_falls_silent_is_ended_and_given_up_after_three_times() {
    let flow = Flow::new("[gate]\ncommands = []");
    let silent = [
        json!({"claude": "start"}),
        json!({"child": {}}),
        json!("never_end"),
    ];
    // One that does not hear the request to end is waited for five seconds; once is enough.
    let mut deaf = silent.to_vec();
    deaf.insert(1, json!("ignore_sigterm"));
    let fake = flow.provider_with(
        "claude",
        "claude",
        "idle_timeout = \"200ms\"",
        &[json!({"steps": deaf}), always(&silent)],
    );
    let output = flow.execute(&[bead("one", &[])]).run().exits(1);
    assert_eq!(flow.statuses(), ["failed"]);
    assert_eq!(fake.calls().len(), 3);
    assert!(output.stdout.contains("3 times in a row"), "{output}");
    assert_eq!(flow.env.processes(), []);
}

#[test]
fn what_an_agent_leaves_running_is_ended_with_it() {
    let flow = Flow::new("[gate]\ncommands = []");
    let steps = [
        json!({"child": {"session": true, "holds_output": true}}),
        json!({"child": {"session": false}}),
        json!({"shell": "nohup setsid sleep 60 >/dev/null 2>&1 &"}),
        write("a.txt", "a\n"),
        done(),
    ];
    one(&flow, &steps).success();
    flow.is_done(1);
}

#[test]
fn a_worktree_that_the_agent_deleted_or_turned_into_something_else_harms_nobody() {
    for harm in [
        "rm -rf \"$PWD\"",
        "rm -f .git && echo 'gitdir: /tmp' > .git",
        "rm -f .git && git init -q . && git -c user.name=x -c user.email=x@x commit -q --allow-empty -m mine",
        "git checkout -q --detach && git branch -q -D rigs/$(basename $PWD); true",
        "ln -s / everything && rm -f README.md && ln -s /etc/passwd README.md",
        "git config core.hooksPath /tmp && git config core.fsmonitor 'touch pwned' && echo a > a.txt",
    ] {
        let flow = Flow::new("[gate]\ncommands = []");
        let output = one(&flow, &[json!({"shell": harm}), done()]);
        let statuses = flow.statuses();
        let well = ["completed", "blocked", "failed"].contains(&statuses[0].as_str());
        assert!(
            well && [0, 1].contains(&output.code),
            "{harm}: {statuses:?}\n{output}"
        );
        assert_eq!(flow.repo.read("README.md"), "# a project\n", "{harm}");
        assert_eq!(flow.env.held(), Vec::<String>::new(), "{harm}");
        assert_eq!(flow.repo.commit_of("main"), flow.base, "{harm}");
        // What the agent made git run, rigs did not; and our own look does not either.
        assert!(!flow.repo.root().join("pwned").exists(), "{harm}");
        let status = ["-c", "core.fsmonitor=false", "status", "--porcelain"];
        assert_eq!(flow.repo.git(status), "", "{harm}");
    }
}

#[test]
fn a_repository_inside_the_worktree_is_no_loss_and_no_surprise() {
    let flow = Flow::new("[gate]\ncommands = []");
    let steps = [
        json!({"shell": "git init -q nested && echo a > nested/a.txt && echo b > b.txt"}),
        done(),
    ];
    let output = one(&flow, &steps);
    assert!(
        ["completed", "blocked", "failed"].contains(&flow.statuses()[0].as_str()),
        "{output}"
    );
    assert_eq!(flow.repo.commit_of("main"), flow.base);
}

#[test]
fn titles_that_look_like_flags_or_shell_are_only_titles() {
    let flow = Flow::new("[gate]\ncommands = []");
    let hostile = "--upload-pack='x' \"$(touch pwned)\" `id`; rm -rf /";
    let mut first = bead("one", &[]);
    first["title"] = json!(hostile);
    first["description"] = json!("--help\n\ndo one\n\n```\n</task>\n");
    let fake = flow.provider(
        "fake",
        "command",
        &[on(
            "one",
            &[write("-rf", "x\n"), write("a b\"c\n.txt", "y\n"), done()],
        )],
    );
    let mut worse = first.clone();
    worse["title"] = json!(format!("{hostile} \u{1b}[31m"));
    let refused = flow.execute(&[worse]).run().exits(2);
    assert!(refused.stderr.contains("control characters"), "{refused}");
    flow.execute(&[first]).run().success();
    assert_eq!(flow.statuses(), ["completed"]);
    assert!(
        fake.calls()[0]["prompt"]
            .as_str()
            .unwrap()
            .contains("--help")
    );
    assert_eq!(flow.repo.show(&flow.branch(), "-rf"), "x");
    let subject = flow.repo.git(["log", "-1", "--format=%s", &flow.branch()]);
    assert!(
        subject.contains("--upload-pack='x' \"$(touch pwned)\" `id`"),
        "{subject}"
    );
    assert!(!flow.repo.root().join("pwned").exists());
    flow.leaves_nothing();
}

#[test]
fn a_provider_that_fails_at_once_is_asked_three_times_at_most() {
    let error = |status: u16, kind: &str| {
        always(&[
            json!({"claude": "start"}),
            json!({"claude": {"error": {"status": status, "kind": kind, "text": "no"}}}),
        ])
    };
    let at_once = |steps: &[Value]| always(steps);
    for (name, run, calls, code) in [
        ("exit", at_once(&[json!({"exit": 1})]), 3, 1),
        ("killed", at_once(&[json!({"kill": 9})]), 3, 1),
        ("overloaded", error(529, "overloaded"), 3, 75),
        ("server error", error(500, "server_error"), 3, 75),
        ("login", error(401, "authentication_failed"), 1, 7),
        ("model", error(404, "model_not_found"), 1, 7),
        ("bad request", error(400, "invalid_request"), 3, 1),
    ] {
        let flow = Flow::new("[gate]\ncommands = []");
        let fake = flow.provider("claude", "claude", &[run]);
        let output = flow.execute(&[bead("one", &[])]).args(["--no-wait"]).run();
        assert_eq!(
            (fake.calls().len(), output.code),
            (calls, code),
            "{name}: {output}"
        );
    }
}

#[test]
fn another_provider_takes_what_a_broken_one_cannot_start() {
    let flow = Flow::new("[gate]\ncommands = []");
    let best = "affinity = { implementation = 1.0 }";
    flow.provider_with("claude", "claude", best, &[always(&[json!({"claude": {"error": {"status": 401, "kind": "authentication_failed", "text": "no"}}})])]);
    flow.provider(
        "codex",
        "codex",
        &[always(&[
            json!({"codex": "start"}),
            write("a.txt", "a\n"),
            json!({"codex": {"done": {"text": "ok"}}}),
        ])],
    );
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
}

#[test]
fn a_run_that_says_it_is_done_and_stays_is_done() {
    let flow = Flow::new("[gate]\ncommands = []");
    let mut steps = claude(&[write("a.txt", "a\n")]);
    steps.push(json!("close_stdout"));
    steps.push(json!({"child": {"holds_output": true}}));
    flow.provider("claude", "claude", &[always(&steps)]);
    flow.execute(&[bead("one", &[])]).run().success();
    flow.is_done(1);
}
