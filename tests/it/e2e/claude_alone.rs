//! The real claude, without rigs: what the lab says arrives as it does from the real server.

use std::time::Duration;

use serde_json::{Value, json};

use super::agents::{OAUTH_TOKEN, RealAgents};
use crate::harness::{Output, TestEnv};
use crate::lab::{Limits, Script, Share, Step, Upstream, Usage, Window};

fn event<'a>(lines: &'a [Value], kind: &str) -> Option<&'a Value> {
    lines.iter().rev().find(|line| line["type"] == kind)
}

fn usage_of(output: &Output) -> Usage {
    let lines = output.json_lines();
    let usage = &event(&lines, "result").expect("a result")["usage"];
    let number = |name: &str| usage[name].as_u64().expect("a number");
    Usage {
        input: number("input_tokens"),
        output: number("output_tokens"),
        cache_read: number("cache_read_input_tokens"),
        cache_write: number("cache_creation_input_tokens"),
    }
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
    lab.expect_credential("t", OAUTH_TOKEN);
    let output = agents
        .claude(&env, &lab, "t")
        .dir(repo.root())
        .stdin("mend it")
        .run()
        .success();
    let lines = output.json_lines();
    let result = event(&lines, "result").expect("a result");
    assert_eq!(
        (&result["is_error"], &result["result"]),
        (&json!(false), &json!("mended"))
    );
    assert_eq!(repo.read("answer.txt"), "42\n");
    assert_eq!(repo.read("docs/note.txt"), "the answer was wrong\n");
    // Read before edit, read before write: six calls for four steps.
    let counts = lab.counts("t");
    assert_eq!((counts.requests, counts.answered), (6, 6));
    assert_eq!(usage_of(&output), counts.usage);
    lab.assert_in_order();
}

#[test]
fn a_limit_yields_the_recorded_signals_and_is_over_at_its_reset() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let lab = Upstream::start(Script::default());
    let reset = lab.raise_wall("t", Window::FiveHour, Duration::from_hours(1));
    let output = agents.claude(&env, &lab, "t").stdin("hello").run().exits(1);
    let lines = output.json_lines();
    let info = &event(&lines, "rate_limit_event").expect("a limit event")["rate_limit_info"];
    assert_eq!(info["status"], "rejected");
    assert_eq!(info["resetsAt"], reset);
    assert_eq!(info["rateLimitType"], "five_hour");
    let result = event(&lines, "result").expect("a result");
    assert_eq!(result["is_error"], true);
    assert_eq!(result["api_error_status"], 429);
    assert_eq!(result["api_error"], "usage_limit_reached");
    // It does not try again: one refused call.
    assert_eq!(lab.counts("t").requests, 1);
    assert_eq!(lab.violations(), Vec::<String>::new());

    let stated = lab.raise_wall("t", Window::SevenDay, Duration::from_millis(1));
    assert!(crate::harness::wait_until(Duration::from_secs(10), || lab
        .wall("t")
        .is_none()));
    let output = agents
        .claude(&env, &lab, "t")
        .stdin("hello")
        .run()
        .success();
    let lines = output.json_lines();
    let info = &event(&lines, "rate_limit_event").expect("a limit event")["rate_limit_info"];
    assert_eq!(info["status"], "allowed");
    assert_eq!(
        info["unifiedWindows"]["seven_day"]["resetsAt"],
        stated + 7 * 86_400
    );
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
    let output = agents
        .claude(&env, &lab, "t")
        .stdin("hello")
        .run()
        .success();
    let lines = output.json_lines();
    let info = &event(&lines, "rate_limit_event").expect("a limit event")["rate_limit_info"];
    let window = |share: Share| json!({"utilization": share.used, "resetsAt": share.resets_at, "status": "allowed"});
    assert_eq!(info["unifiedWindows"]["five_hour"], window(five_hour));
    assert_eq!(info["unifiedWindows"]["seven_day"], window(seven_day));
    lab.assert_in_order();
}

#[test]
fn a_session_is_resumed_where_the_limit_cut_it() {
    let (env, agents) = (TestEnv::new(), RealAgents::find());
    let repo = env.repo("project");
    repo.failing_script();
    let lab = Upstream::start(Script::steps([
        Step::edit("answer.txt", "41", "42"),
        Step::limit(Duration::from_secs(1)),
        Step::text("mended"),
    ]));
    let output = agents
        .claude(&env, &lab, "t")
        .dir(repo.root())
        .stdin("mend it")
        .run()
        .exits(1);
    let lines = output.json_lines();
    let session = event(&lines, "result").expect("a result")["session_id"].clone();
    assert!(crate::harness::wait_until(Duration::from_secs(10), || lab
        .wall("t")
        .is_none()));
    let resumed = agents
        .claude(&env, &lab, "t")
        .dir(repo.root())
        .stdin("go on");
    let resumed = resumed
        .args(["--resume", session.as_str().expect("an id")])
        .run()
        .success();
    let result = event(&resumed.json_lines(), "result")
        .expect("a result")
        .clone();
    assert_eq!(
        (&result["session_id"], &result["result"]),
        (&session, &json!("mended"))
    );
    assert_eq!(repo.read("answer.txt"), "42\n");
    lab.assert_in_order();
}
