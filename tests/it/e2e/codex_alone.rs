//! The real codex, without rigs: what the lab says arrives as it does from the real server.

use std::time::Duration;

use serde_json::{Value, json};

use super::agents::{CODEX_KEY, RealAgents};
use crate::harness::TestEnv;
use crate::lab::{Limits, Script, Share, Step, Upstream, Usage};

/// What codex wrote about its runs in this home, event by event: limits are only there.
fn rollout(env: &TestEnv) -> Vec<Value> {
    let mut folders = vec![env.home().join(".codex/sessions")];
    let mut lines = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .expect("codex's sessions")
            .flatten()
        {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("a rollout");
            let parse = |line| serde_json::from_str::<Value>(line).expect("JSON lines");
            lines.extend(text.lines().map(parse));
        }
    }
    lines
}

fn last_limits(env: &TestEnv) -> Value {
    let lines = rollout(env);
    let counted = lines
        .iter()
        .rev()
        .find(|line| line["payload"]["type"] == "token_count");
    counted.expect("a token count")["payload"]["rate_limits"].clone()
}

#[test]
fn tool_calls_mend_a_repository_and_the_usage_is_what_was_counted() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let repo = env.repo("project");
    repo.failing_script();
    let lab = Upstream::start(Script::steps([
        Step::shell("sh test.sh"),
        Step::edit("answer.txt", "41", "42"),
        Step::write("docs/note.txt", "the answer was wrong\n"),
        Step::text("mended").usage(Usage {
            input: 11,
            output: 7,
            cache_read: 5,
            cache_write: 3,
        }),
    ]));
    lab.expect_credential("t", CODEX_KEY);
    let output = agents
        .codex(&env, &lab, "t")
        .dir(repo.root())
        .stdin("mend it")
        .run()
        .success();
    let lines = output.json_lines();
    let end = lines.last().expect("an end");
    let counts = lab.counts("t");
    assert_eq!((counts.requests, counts.answered), (4, 4));
    assert_eq!(end["type"], "turn.completed");
    let number = |name: &str| end["usage"][name].as_u64().expect("a number");
    let told = Usage {
        input: number("input_tokens") - number("cached_input_tokens"),
        output: number("output_tokens"),
        cache_read: number("cached_input_tokens"),
        cache_write: number("cache_write_input_tokens"),
    };
    assert_eq!(told, counts.usage);
    assert_eq!(repo.read("answer.txt"), "42\n");
    assert_eq!(repo.read("docs/note.txt"), "the answer was wrong\n");
    lab.assert_in_order();
}

#[test]
fn a_limit_yields_the_recorded_signals() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let lab = Upstream::start(Script::steps([Step::limit(Duration::from_hours(1))]));
    let output = agents.codex(&env, &lab, "t").stdin("hello").run().exits(1);
    let lines = output.json_lines();
    let end = lines.last().expect("an end");
    assert_eq!(end["type"], "turn.failed");
    let message = end["error"]["message"].as_str().expect("a message");
    assert!(message.contains("hit your usage limit"), "{message}");
    let reset = lab.wall("t").expect("a wall");
    let limits = last_limits(&env);
    assert_eq!(limits["primary"]["used_percent"], 100.0);
    assert_eq!(limits["primary"]["resets_at"], reset);
    let ended = rollout(&env)
        .into_iter()
        .find(|line| line["payload"]["type"] == "task_complete");
    let error = &ended.expect("an end of the task")["payload"]["error"];
    assert_eq!(error["codex_error_info"], "usage_limit_exceeded");
    assert_eq!(lab.counts("t").requests, 1);
    lab.assert_in_order();
}

#[test]
fn limits_are_reported_with_an_answer() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let lab = Upstream::start(Script::steps([Step::text("hi")]));
    let five_hour = Share::new(0.42, Duration::from_mins(90));
    let seven_day = Share::new(0.17, Duration::from_hours(96));
    lab.set_limits(
        "t",
        Limits {
            five_hour: Some(five_hour),
            seven_day: Some(seven_day),
            ..Limits::default()
        },
    );
    agents.codex(&env, &lab, "t").stdin("hello").run().success();
    let limits = last_limits(&env);
    assert_eq!(
        json!([limits["primary"], limits["secondary"]]),
        json!([
            {"used_percent": 42.0, "window_minutes": 300, "resets_at": five_hour.resets_at},
            {"used_percent": 17.0, "window_minutes": 10_080, "resets_at": seven_day.resets_at},
        ])
    );
    lab.assert_in_order();
}
