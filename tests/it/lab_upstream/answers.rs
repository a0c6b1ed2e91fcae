//! What is answered, and what is counted.

use serde_json::{Value, json};

use crate::lab::{Failure, Script, Step, Upstream, Usage};

use super::client;
use super::client::{ask, ask_streamed, body};
use super::{ALL, CHAT, GEMINI, MESSAGES, OLLAMA, RESPONSES, words};

#[test]
fn text_is_answered_in_every_protocol_streamed_and_plain() {
    for path in ALL {
        let lab = Upstream::start(Script::steps([
            Step::text("one häppy answer"),
            Step::text("two"),
        ]));
        let plain = ask(&lab, "t", path, &body(path, "hello"));
        assert_eq!(
            (plain.status, words(path, &plain)),
            (200, "one häppy answer".into()),
            "{path}"
        );
        let streamed = ask_streamed(&lab, "t", path, &body(path, "hello"));
        assert!(streamed.is_chunked && streamed.is_whole);
        assert_eq!(words(path, &streamed), "two", "{path}");
        let after = ask(&lab, "t", path, &body(path, "hello"));
        assert_eq!(words(path, &after), "All done.");
        lab.assert_in_order();
    }
}

#[test]
fn what_is_reported_is_what_is_counted() {
    let usage = Usage {
        input: 7,
        output: 5,
        cache_read: 3,
        cache_write: 2,
    };
    let sum = |input, output, cache_read, cache_write| Usage {
        input,
        output,
        cache_read,
        cache_write,
    };
    for (path, counted) in [
        (MESSAGES, sum(14, 10, 6, 4)),
        (RESPONSES, sum(18, 10, 6, 0)),
        (CHAT, sum(18, 10, 6, 0)),
        (GEMINI, sum(18, 10, 6, 0)),
        (OLLAMA, sum(24, 10, 0, 0)),
    ] {
        let step = Step::text("x").usage(usage);
        let lab = Upstream::start(Script::steps([step.clone(), step]));
        let plain = ask(&lab, "t", path, &body(path, "hello")).json();
        let reported = match path {
            OLLAMA => json!([plain["prompt_eval_count"], plain["eval_count"]]),
            // Thoughts are counted apart.
            GEMINI => json!([
                plain["usageMetadata"]["promptTokenCount"],
                plain["usageMetadata"]["candidatesTokenCount"]
                    .as_u64()
                    .unwrap()
                    + plain["usageMetadata"]["thoughtsTokenCount"]
                        .as_u64()
                        .unwrap()
            ]),
            CHAT => json!([
                plain["usage"]["prompt_tokens"],
                plain["usage"]["completion_tokens"]
            ]),
            _ => json!([
                plain["usage"]["input_tokens"],
                plain["usage"]["output_tokens"]
            ]),
        };
        let input = if path == MESSAGES { 7 } else { 12 };
        assert_eq!(reported, json!([input, 5]), "{path}");
        ask_streamed(&lab, "t", path, &body(path, "hello"));
        let counts = lab.counts("t");
        assert_eq!(
            (counts.usage, counts.requests, counts.answered),
            (counted, 2, 2),
            "{path}"
        );
        assert_eq!(lab.counts("another tag"), crate::lab::Counts::default());
    }
}

#[test]
fn a_shell_step_uses_the_tool_that_is_offered() {
    for (path, tool, input) in [
        (
            MESSAGES,
            "Bash",
            json!({"command": "ls", "description": "a step of the script"}),
        ),
        (RESPONSES, "exec_command", json!({"cmd": "ls"})),
        (CHAT, "shell", json!({"command": ["bash", "-lc", "ls"]})),
        (
            GEMINI,
            "run_shell_command",
            json!({"command": "ls", "description": "a step of the script"}),
        ),
        (
            OLLAMA,
            "shell_command",
            json!({"command": "ls", "description": "a step of the script"}),
        ),
    ] {
        let lab = Upstream::start(Script::steps([Step::shell("ls"), Step::shell("ls")]));
        let body = client::with_tools(path, body(path, "hello"), &["other", tool]);
        let plain = ask(&lab, "t", path, &body).json();
        let parsed = |text: &Value| serde_json::from_str(text.as_str().unwrap()).unwrap();
        let (name, given): (Value, Value) = match path {
            MESSAGES => (
                plain["content"][0]["name"].clone(),
                plain["content"][0]["input"].clone(),
            ),
            RESPONSES => {
                let item = &plain["output"][0];
                (item["name"].clone(), parsed(&item["arguments"]))
            }
            CHAT => {
                let call = &plain["choices"][0]["message"]["tool_calls"][0]["function"];
                (call["name"].clone(), parsed(&call["arguments"]))
            }
            GEMINI => {
                let call = &plain["candidates"][0]["content"]["parts"][0]["functionCall"];
                (call["name"].clone(), call["args"].clone())
            }
            _ => {
                let call = &plain["message"]["tool_calls"][0]["function"];
                (call["name"].clone(), call["arguments"].clone())
            }
        };
        assert_eq!((name, given), (json!(tool), input), "{path}");
        assert!(ask_streamed(&lab, "t", path, &body).is_whole);
        lab.assert_in_order();
    }
}

#[test]
fn a_step_that_no_offered_tool_can_do_is_told() {
    let lab = Upstream::start(Script::steps([Step::shell("ls")]));
    ask(&lab, "t", CHAT, &body(CHAT, "hello"));
    let told = "request 1 (t): unplayable: no shell among the tools on offer: ";
    assert_eq!(lab.violations(), [told]);
}

#[test]
fn any_tool_can_be_called_and_any_header_be_sent() {
    let step = Step::call("Glob", json!({"pattern": "*"})).header("x-own", "1");
    let lab = Upstream::start(Script::steps([step]));
    let got = ask(&lab, "t", MESSAGES, &body(MESSAGES, "hello"));
    let call = &got.json()["content"][0];
    assert_eq!(
        (&call["name"], &call["input"]),
        (&json!("Glob"), &json!({"pattern": "*"}))
    );
    assert_eq!(got.header("x-own"), Some("1"));
}

#[test]
fn a_file_is_read_before_it_is_written_by_a_tool_and_written_by_the_shell_without_one() {
    let lab = Upstream::start(Script::steps([Step::write("a/b.txt", "it's\n")]));
    let prompt = "Primary working directory: /w/x\nhello";
    let mut asked =
        client::with_tools(MESSAGES, body(MESSAGES, prompt), &["Bash", "Read", "Write"]);
    let read = ask(&lab, "t", MESSAGES, &asked).json()["content"].clone();
    assert_eq!(read[0]["name"], "Read");
    assert_eq!(read[0]["input"], json!({"file_path": "/w/x/a/b.txt"}));
    let messages = asked["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": read}));
    let result = json!({"type": "tool_result", "tool_use_id": read[0]["id"], "content": "none"});
    messages.push(json!({"role": "user", "content": [result]}));
    let write = ask(&lab, "t", MESSAGES, &asked).json()["content"].clone();
    assert_eq!(write[0]["name"], "Write");
    assert_eq!(
        write[0]["input"],
        json!({"file_path": "/w/x/a/b.txt", "content": "it's\n"})
    );
    lab.assert_in_order();

    let steps = [
        Step::write("a/b.txt", "it's\n"),
        Step::edit("a/b.txt", "it's\n", "new/\n&"),
    ];
    lab.play(Script::steps(steps));
    let asked = client::with_tools(RESPONSES, body(RESPONSES, "hello"), &["exec_command"]);
    let command = || {
        let item = ask(&lab, "t", RESPONSES, &asked).json()["output"][0].clone();
        let input: Value = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
        input["cmd"].as_str().unwrap().to_owned()
    };
    let env = crate::harness::TestEnv::new();
    let shell = |command: String| env.program_run("/bin/sh".as_ref(), ["-c".into(), command]);
    shell(command()).run().success();
    let file = env.root().join("a/b.txt");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "it's\n");
    shell(command()).run().success();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "new/\n&");
}

#[test]
fn each_failure_has_the_status_its_provider_gives_it() {
    let limited = Failure::RateLimited {
        retry_after_s: Some(2),
    };
    for (failure, statuses) in [
        (limited, [429, 429, 429, 429, 429]),
        (Failure::Overloaded, [529, 503, 503, 503, 503]),
        (Failure::Internal, [500, 500, 500, 500, 500]),
        (Failure::Unauthorized, [401, 401, 401, 401, 401]),
        (Failure::Forbidden, [403, 403, 403, 403, 403]),
        (Failure::NoCredit, [400, 429, 429, 429, 402]),
        (Failure::NoModel, [404, 404, 404, 404, 404]),
        (Failure::TooLong, [400, 400, 400, 400, 400]),
        (Failure::BadRequest, [400, 400, 400, 400, 400]),
    ] {
        for (path, status) in ALL.into_iter().zip(statuses) {
            let lab = Upstream::start(Script::steps([Step::fail(failure.clone())]));
            let got = ask(&lab, "t", path, &body(path, "hello"));
            assert_eq!(got.status, status, "{path} {failure:?}");
            assert!(got.json().get("error").is_some());
            let waits = matches!(failure, Failure::RateLimited { .. });
            if path == GEMINI {
                // In the body, where its clients look for it.
                assert_eq!(got.body.contains(r#""retryDelay":"2s""#), waits);
            } else {
                assert_eq!(got.header("retry-after"), waits.then_some("2"));
            }
            let counts = lab.counts("t");
            assert_eq!(
                counts.statuses.into_iter().collect::<Vec<_>>(),
                [(status, 1)]
            );
            assert_eq!((counts.answered, counts.usage), (0, Usage::default()));
            assert_eq!(
                words(path, &ask(&lab, "t", path, &body(path, "hello"))),
                "All done."
            );
        }
    }
}
