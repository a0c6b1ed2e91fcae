//! The fake agent does what its script says, and complains about what it does not.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::harness::{FakeAgent, Run, TestEnv, wait_until};

fn start<'a>(env: &'a TestEnv, fake: &FakeAgent, args: &[&str]) -> Run<'a> {
    let run = env.program_run(FakeAgent::program(), [] as [&str; 0]);
    run.args(args.iter().copied())
        .var("FAKE_AGENT_SCRIPT", fake.script())
}

/// One run of these steps, in a folder of its own.
fn play<'a>(env: &'a TestEnv, shape: &str, steps: &Value) -> (FakeAgent, Run<'a>) {
    let fake = env.fake_agent("fake", &json!({"shape": shape, "runs": [{"steps": steps}]}));
    let run = start(env, &fake, &[]);
    (fake, run)
}

#[test]
fn lines_files_and_the_exit_code_are_as_scripted() {
    let env = TestEnv::new();
    env.write("work/old.txt", "old\n");
    env.write("work/gone.txt", "");
    let steps = json!([
        {"print": "hello"},
        {"print_error": "trouble"},
        {"write": {"path": "new/file.txt", "text": "new\n"}},
        {"append": {"path": "old.txt", "text": "more\n"}},
        {"delete": "gone.txt"},
        {"shell": "cp old.txt copy.txt"},
        {"wait_ms": 1},
        {"exit": 4},
        {"print": "never said"},
    ]);
    let (_fake, run) = play(&env, "plain", &steps);
    let output = run.dir(env.root().join("work")).run();
    insta::assert_snapshot!(output, @"
    hello
    ------- stderr -------
    trouble
    [exit status: 4]
    ");
    let read = |path: &str| std::fs::read_to_string(env.root().join("work").join(path)).ok();
    assert_eq!(read("new/file.txt").as_deref(), Some("new\n"));
    assert_eq!(read("copy.txt").as_deref(), Some("old\nmore\n"));
    assert_eq!(read("gone.txt"), None);
}

#[test]
fn runs_are_taken_in_order_by_prompt_and_recorded() {
    let env = TestEnv::new();
    env.var("GIVEN", "1");
    let script = json!({"shape": "claude", "runs": [
        {"when": "apples", "steps": [{"print": "apples"}]},
        {"steps": [{"print": "first"}, {"need_env": "GIVEN"}, {"need_no_env": "OPENAI_API_KEY"}]},
        {"times": 0, "steps": [{"print": "later"}, {"need_arg": "-p"}, {"need_prompt": "pe"}]},
    ], "probes": {"auth status": {"stdout": "no\n", "exit": 1}}});
    let fake = env.fake_agent("fake", &script);
    let say = |prompt: &str| {
        start(&env, &fake, &["-p"])
            .stdin(prompt)
            .run()
            .success()
            .stdout
    };
    let version = start(&env, &fake, &["--version"]).run().success();
    assert_eq!(version.line(), "2.1.328 (Claude Code)");
    assert_eq!(
        start(&env, &fake, &["auth", "status", "--json"])
            .run()
            .exits(1)
            .line(),
        "no"
    );
    let said = ["pears", "apples", "peas", "pens"].map(say);
    assert_eq!(said, ["first\n", "apples\n", "later\n", "later\n"]);

    let calls = fake.calls();
    let runs: Vec<&Value> = calls.iter().map(|call| &call["run"]).collect();
    assert_eq!(runs, [1, 0, 2, 2]);
    let first = &calls[0];
    assert_eq!(
        (&first["args"], &first["prompt"]),
        (&json!(["-p"]), &json!("pears"))
    );
    assert_eq!(first["prompt_bytes"], 5);
    let sha = "ed086a3a203062f8a0aab95598b961c62dd637bfb15df906830060e1c604bae5";
    assert_eq!(first["prompt_sha256"], sha);
    assert_eq!(PathBuf::from(first["cwd"].as_str().unwrap()), env.root());
    assert!(first["env"].as_array().unwrap().contains(&json!("GIVEN")));
    assert_eq!(fake.log().len(), 6);
}

#[test]
fn the_unexpected_fails_loudly() {
    let env = TestEnv::new();
    env.lets_fakes_complain();
    let script = json!({"runs": [
        {"when": "env", "steps": [{"need_env": "MISSING"}]},
        {"when": "arg", "steps": [{"need_no_arg": "--yes"}]},
        {"when": "prompt", "steps": [{"need_prompt": "more"}]},
        {"when": "shell", "steps": [{"shell": "exit 3"}]},
    ]});
    let fake = env.fake_agent("fake", &script);
    for prompt in ["env", "arg", "prompt", "shell", "anything else"] {
        let output = start(&env, &fake, &["--yes"]).stdin(prompt).run().exits(97);
        assert!(output.stderr.starts_with("fake-agent: "), "{output}");
    }
    insta::assert_snapshot!(env.fake_problems().join("\n"), @"
    fake: MISSING is not set
    fake: the argument `--yes`
    fake: no `more` in the prompt
    fake: exit 3: exit status: 3
    fake: no run is left for the prompt `anything else`
    ");
    let none = env.program_run(FakeAgent::program(), ["x"]).run();
    insta::assert_snapshot!(none, @"
    ------- stderr -------
    fake-agent: FAKE_AGENT_SCRIPT is not set
    [exit status: 97]
    ");
    std::fs::write(fake.script(), r#"{"runs": [{"steps": [{"dance": 1}]}]}"#).unwrap();
    assert_eq!(start(&env, &fake, &[]).run().code, 97);
}

#[test]
#[should_panic(expected = "fake agents complain:\nfake: no run is left for the prompt ``")]
fn a_complaint_fails_the_test() {
    let env = TestEnv::new();
    let fake = env.fake_agent("fake", &json!({"runs": []}));
    assert_eq!(start(&env, &fake, &[]).run().code, 97);
}

#[test]
fn runs_at_the_same_time_are_not_taken_twice() {
    let env = TestEnv::new();
    let runs: Vec<Value> = (0..6)
        .map(|n| json!({"steps": [{"print": format!("run {n}")}]}))
        .collect();
    let fake = env.fake_agent("fake", &json!({"runs": runs}));
    let running: Vec<_> = (0..6).map(|_| start(&env, &fake, &[]).start()).collect();
    let mut said: Vec<String> = running
        .into_iter()
        .map(|running| running.wait(Duration::from_secs(20)).success().stdout)
        .collect();
    said.sort();
    assert_eq!(said, [0, 1, 2, 3, 4, 5].map(|n| format!("run {n}\n")));
}

#[test]
fn bytes_that_are_no_text_come_as_scripted() {
    let env = TestEnv::new();
    let steps = json!([{"bytes": [0, 255, 10]}, {"garbage": 1000}, {"huge_line": 2_000_000}]);
    let (_fake, run) = play(&env, "plain", &steps);
    let output = run.run().success();
    assert!(output.stdout.starts_with("\0\u{fffd}\n"));
    assert!(output.stdout.ends_with(&("x".repeat(2_000_000) + "\n")));
}

#[test]
fn stdin_can_be_left_alone() {
    let env = TestEnv::new();
    let script = json!({"reads_stdin": false, "runs": [
        {"when": "do it", "steps": [{"print": "done"}]},
    ]});
    let fake = env.fake_agent("fake", &script);
    let output = start(&env, &fake, &["do", "it"])
        .stdin(vec![b'x'; 1 << 20])
        .run();
    assert_eq!(output.success().line(), "done");
}

#[test]
fn a_stubborn_agent_ignores_the_signal_to_end() {
    let env = TestEnv::new();
    let steps = json!(["ignore_sigterm", {"signal": "up"}, {"wait_for": "go"}, {"print": "here"}]);
    let (fake, run) = play(&env, "plain", &steps);
    let running = run.start();
    fake.wait_for("up");
    running.signal(Signal::SIGTERM);
    fake.release("go");
    assert_eq!(
        running.wait(Duration::from_secs(10)).success().line(),
        "here"
    );
}

#[test]
fn an_agent_that_never_ends_is_killed_and_one_may_kill_itself() {
    let env = TestEnv::new();
    let script = json!({"runs": [
        {"steps": [{"signal": "up"}, "never_end"]},
        {"steps": [{"kill": 15}]},
    ]});
    let fake = env.fake_agent("fake", &script);
    let running = start(&env, &fake, &[]).start();
    fake.wait_for("up");
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait(Duration::from_secs(10)).code, 137);
    assert_eq!(start(&env, &fake, &[]).run().code, 143);
}

#[test]
fn a_line_that_a_killed_agent_broke_off_is_no_line() {
    let env = TestEnv::new();
    let script = json!({"runs": [{"times": 0, "steps": [{"print": "one"}]}]});
    let fake = env.fake_agent("fake", &script);
    let log = fake.script().with_extension("json.log");
    start(&env, &fake, &[]).run().success();
    let whole = std::fs::read_to_string(&log).expect("the log");
    std::fs::write(&log, format!("{whole}{{\"run\": 3, \"arg")).expect("a part of a line");
    assert_eq!(fake.calls().len(), 1);
    start(&env, &fake, &[]).run().success();
    let now = std::fs::read_to_string(&log).expect("the log");
    assert!(now.starts_with(&whole) && now.ends_with("}\n"), "{now}");
    assert_eq!(fake.calls().len(), 2);
}

#[test]
fn agents_wait_for_the_test_and_the_test_for_them() {
    let env = TestEnv::new();
    let steps = json!([{"signal": "up"}, {"wait_for": "go"}, "close_stdout", {"print": "unheard"}]);
    let (fake, run) = play(&env, "plain", &steps);
    let mut running = run.start();
    fake.wait_for("up");
    assert_eq!(running.so_far(), "");
    fake.release("go");
    assert_eq!(running.wait(Duration::from_secs(10)).success().stdout, "");
}

#[test]
fn children_go_on_when_the_agent_has_ended() {
    let env = TestEnv::new();
    let steps = json!([{"child": {}}, {"child": {"session": false, "holds_output": true}}]);
    let (_fake, run) = play(&env, "plain", &steps);
    assert_eq!(run.run().success().stdout, "");
    let left = env.processes();
    let pids: Vec<Pid> = left
        .iter()
        .map(|left| Pid::from_raw(left.pid as i32))
        .collect();
    let leads = |pid: &&Pid| nix::unistd::getsid(Some(**pid)) == Ok(**pid);
    assert_eq!(
        (pids.len(), pids.iter().filter(leads).count()),
        (2, 1),
        "{left:?}"
    );
    for pid in pids {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    assert!(wait_until(Duration::from_secs(10), || env
        .processes()
        .is_empty()));
}

#[test]
fn claude_is_played_in_its_own_words() {
    let env = TestEnv::new();
    let session = "11111111-1111-4111-8111-111111111111";
    let script = json!({"shape": "claude", "runs": [
        {"steps": [
            {"claude": "start"},
            {"claude": {"say": "looking"}},
            {"claude": {"tool": {"name": "Bash", "input": {"command": "ls"}}}},
            {"claude": {"window": {"used": 0.42, "reset_in_s": 60}}},
            {"claude": {"retry": {"status": 529, "delay_ms": 500}}},
            {"claude": {"done": {"text": "ok", "usage": {"input": 7, "output": 5}, "cost_usd": 0.5}}},
        ]},
        {"steps": [{"claude": "start"}, {"claude": {"limit": {"name": "seven_day"}}}]},
        {"steps": [{"claude": {"error": {
            "status": 401, "kind": "authentication_failed", "text": "Not logged in",
        }}}]},
    ]});
    let fake = env.fake_agent("fake", &script);
    let args = ["--session-id", session];
    let done = start(&env, &fake, &args).run().success().json_lines();
    let kinds: Vec<&str> = done
        .iter()
        .filter_map(|line| line["type"].as_str())
        .collect();
    let wanted = [
        "system",
        "assistant",
        "assistant",
        "user",
        "rate_limit_event",
        "system",
        "result",
    ];
    assert_eq!(kinds, wanted);
    assert!(done.iter().all(|line| line["session_id"] == session));
    assert_eq!(
        done[4]["rate_limit_info"]["unifiedWindows"]["five_hour"]["utilization"],
        0.42
    );
    let result = &done[6];
    assert_eq!(
        (&result["is_error"], &result["total_cost_usd"]),
        (&json!(false), &json!(0.5))
    );
    assert_eq!(
        (&result["usage"]["input_tokens"], &result["result"]),
        (&json!(7), &json!("ok"))
    );

    let limit = start(&env, &fake, &args).run().exits(1).json_lines();
    assert_eq!(limit[1]["rate_limit_info"]["rateLimitType"], "seven_day");
    assert_eq!(limit[1]["rate_limit_info"]["status"], "rejected");
    assert_eq!(limit[3]["api_error"], "usage_limit_reached");
    let error = start(&env, &fake, &args).run().exits(1).json_lines();
    assert_eq!(error[0]["error"], "authentication_failed");
    assert_eq!(
        (&error[1]["is_error"], &error[1]["api_error_status"]),
        (&json!(true), &json!(401))
    );
}

#[test]
fn codex_is_played_in_its_own_words_and_in_its_rollout() {
    let env = TestEnv::new();
    let thread = "22222222-2222-4222-8222-222222222222";
    let usage = json!({"input": 400, "cache_read": 800, "output": 34});
    let script = json!({"shape": "codex", "runs": [
        {"times": 2, "steps": [
            {"codex": "start"},
            {"codex": {"say": "looking"}},
            {"codex": {"tool": {"name": "shell", "input": "ls"}}},
            {"codex": {"window": {"used": 0.42, "reset_in_s": 60}}},
            {"codex": {"done": {"text": "ok", "usage": usage}}},
        ]},
        {"steps": [{"codex": "start"}, {"codex": {"limit": {}}}]},
    ]});
    let fake = env.fake_agent("fake", &script);
    let args = ["exec", "--json", "resume", thread, "-"];
    let totals = [1200, 2400].map(|total| {
        let done = start(&env, &fake, &args).run().success().json_lines();
        assert_eq!(
            done[0],
            json!({"type": "thread.started", "thread_id": thread})
        );
        assert_eq!(done.last().unwrap()["usage"]["input_tokens"], total);
        done.len()
    });
    assert_eq!(totals, [6, 6]);
    let limit = start(&env, &fake, &args).run().exits(1).json_lines();
    assert_eq!(limit.last().unwrap()["type"], "turn.failed");

    let mut found = Vec::new();
    let mut folders = vec![env.home().join(".codex/sessions")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    let [rollout] = found.as_slice() else {
        panic!("{found:?}")
    };
    let text = std::fs::read_to_string(rollout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = &lines[lines.len() - 2..];
    assert_eq!(
        last[0]["payload"]["rate_limits"]["primary"]["used_percent"],
        100.0
    );
    assert_eq!(
        last[1]["payload"]["error"]["codex_error_info"],
        "usage_limit_exceeded"
    );
}

#[test]
fn the_entries_are_what_rigs_accepts() {
    let env = TestEnv::new();
    let fake = env.fake_agent("fake", &json!({"runs": []}));
    let entries = ["claude", "codex", "command"].map(|kind| fake.provider(kind, kind));
    env.config(&entries.concat());
    insta::assert_snapshot!(env.rigs(["config", "check"]).run(), @"
    $ROOT/rigs/config.toml is fine
    Providers: claude, codex, command
    [exit status: 0]
    ");
}
