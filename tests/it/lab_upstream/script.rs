//! The choice of steps, what is remembered, and the end.

use serde_json::{Value, json};

use crate::lab::{Fault, Rule, Script, Step, Upstream};

use super::client;
use super::client::{Got, ask, body, get, post, send_raw};
use super::{CHAT, MESSAGES, OLLAMA, RESPONSES, SOON, words};

#[test]
fn rules_are_chosen_by_tag_and_prompt_and_keep_their_place() {
    let lab = Upstream::start(Script::new([
        Rule::new([Step::text("for b")]).tag("b").when("apples"),
        Rule::new([Step::text("apples 1"), Step::text("apples 2")]).when("apples"),
        Rule::new([Step::text("first"), Step::text("second")]).when(r"bead (\w+)"),
    ]));
    lab.add(Rule::new([Step::text("again")]).repeat());
    let say = |tag: &str, prompt: &str| words(CHAT, &ask(&lab, tag, CHAT, &body(CHAT, prompt)));
    assert_eq!(say("a", "the apples"), "apples 1");
    assert_eq!(say("a", "bead x"), "first");
    assert_eq!(say("b", "the apples"), "for b");
    assert_eq!(
        lab.unplayed(),
        [
            "rule 2 (apples) for a : 1 of 2 steps",
            r"rule 3 (bead (\w+)) for a x: 1 of 2 steps",
        ]
    );
    assert_eq!(say("a", "bead y"), "first");
    assert_eq!(say("a", "the apples"), "apples 2");
    assert_eq!(say("a", "bead x"), "second");
    assert_eq!(say("a", "bead y"), "second");
    assert_eq!([say("a", "pears"), say("a", "pears")], ["again", "again"]);
    lab.assert_in_order();
    lab.add(Rule::new([Step::text("never")]).when("plums"));
    assert_eq!(lab.unplayed(), ["rule 5 (plums): never began"]);
}

#[test]
fn requests_that_a_server_would_refuse_are_told() {
    let lab = Upstream::start(Script::default());
    lab.forbid("sk-other");
    lab.expect_credential("t", "sk-test");
    let mut asked = body(MESSAGES, "hello");
    asked["messages"] = json!([
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "n", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b", "content": "sk-other"}]},
    ]);
    ask(&lab, "t", &format!("{MESSAGES}?api_key=x"), &asked);
    let mut asked = body(RESPONSES, "hello");
    asked["input"] = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
        {"type": "function_call_output", "call_id": "a", "output": ""},
        {"type": "function_call", "call_id": "b", "name": "n", "arguments": "{}"},
    ]);
    ask(&lab, "u", RESPONSES, &asked);
    let mut asked = body(CHAT, "");
    asked["model"] = Value::Null;
    asked["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "tool", "tool_call_id": "c"}));
    ask(&lab, "u", CHAT, &asked);
    send_raw(
        &lab,
        "POST /api/show HTTP/1.1\r\ncontent-length: 2\r\n\r\nno",
    );
    send_raw(&lab, "nonsense\r\n\r\n");
    insta::assert_snapshot!(lab.violations().join("\n"), @"
    request 1 (t): a key in the address
    request 1 (t): it contains `sk-other`
    request 1 (t): a tool result for b, which was not called before
    request 1 (t): the call a has no result
    request 2 (u): an output for a, which was not called before
    request 2 (u): the call b has no output
    request 3 (u): a result for c, which was not called before
    request 3 (u): no model is named
    request 3 (u): the user says nothing
    request 4 (): a body that is not JSON
    not a request: not a request line: nonsense
    ");
}

#[test]
fn requests_are_recorded_and_can_be_asked_for_since() {
    let lab = Upstream::start(Script::default());
    ask(
        &lab,
        "t",
        CHAT,
        &client::with_tools(CHAT, body(CHAT, "one"), &["shell"]),
    );
    let before = lab.latest();
    get(&lab, "t", "/health");
    ask(&lab, "u", CHAT, &body(CHAT, "two"));
    assert_eq!(lab.requests("t").len(), 2);
    let since = lab.requests_since("t", before);
    let [health] = since.as_slice() else {
        panic!("{since:?}")
    };
    assert_eq!(
        (health.path.as_str(), health.status, health.dialect),
        ("/health", 200, None)
    );
    let first = &lab.requests("t")[0];
    assert_eq!(
        (first.dialect, first.prompt.as_str()),
        (Some("chat"), "one")
    );
    assert_eq!((first.model.as_str(), first.stream), ("m", false));
    assert_eq!(
        (first.tools.as_slice(), first.how),
        (["shell".to_owned()].as_slice(), "script is over")
    );
    assert_eq!(first.credential.as_deref(), Some("sk-test"));
    assert_eq!(first.body["messages"][0]["content"], "one");
    assert!(first.done_ms >= Some(first.at_ms) && !first.headers.is_empty());
}

#[test]
fn the_pages_around_the_calls_are_there() {
    let lab = Upstream::start(Script::default());
    lab.set_models(&["small:1b"]);
    for (page, pointer, wanted) in [
        ("/", "/status", json!("ok")),
        ("/v1/models", "/data/0/id", json!("lab-model")),
        ("/api/version", "/version", json!("0.99.0")),
        ("/api/tags", "/models/0/name", json!("small:1b")),
        ("/api/ps", "/models", json!([])),
        ("/wham/usage", "/rate_limit/limit_reached", json!(false)),
    ] {
        let got = get(&lab, "t", page);
        assert_eq!(
            (got.status, got.json().pointer(pointer)),
            (200, Some(&wanted)),
            "{page}"
        );
    }
    let show = |name: &str| ask(&lab, "t", "/api/show", &json!({"model": name}));
    assert_eq!(
        show("small:1b").json()["model_info"]["lab.context_length"],
        32_768
    );
    assert_eq!(show("large").status, 404);
    assert_eq!(ask(&lab, "t", OLLAMA, &body(OLLAMA, "hello")).status, 404);
    let count = ask(
        &lab,
        "t",
        "/v1/messages/count_tokens",
        &body(MESSAGES, "hello"),
    );
    assert!(count.json()["input_tokens"].as_u64() > Some(0));
    assert_eq!(get(&lab, "t", "/nowhere").status, 404);
    let upgrade = "GET /v1/responses HTTP/1.1\r\nupgrade: websocket\r\nconnection: close\r\n\r\n";
    assert_eq!(send_raw(&lab, upgrade).status, 426);
    let head = send_raw(&lab, "HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let chunked = "POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\
                   connection: close\r\nexpect: 100-continue\r\n\r\n";
    let text = body(CHAT, "hello").to_string();
    let got = send_raw(
        &lab,
        &format!("{chunked}{:x}\r\n{text}\r\n0\r\n\r\n", text.len()),
    );
    assert_eq!((got.status, words(CHAT, &got)), (200, "All done.".into()));
    assert_eq!(lab.violations(), Vec::<String>::new());
}

#[test]
fn a_lab_can_be_switched_by_hand() {
    let lab = Upstream::start(Script::default());
    let script = json!({"rules": [{"tag": "t", "when": "hello", "steps": [
        {"text": "hi", "usage": {"input": 1}, "hold": "go", "headers": {"x-own": "1"}},
        {"fail": "overloaded"},
        {"fail": {"rate_limited": {"retry_after_s": 3}}},
        {"break": "cut"},
        {"limit": {"reset_in_ms": 60000, "window": "seven_day"}},
    ]}]});
    assert_eq!(ask(&lab, "", "/__script", &script).status, 200);
    assert_eq!(
        ask(&lab, "", "/__script", &json!({"rules": [{"stepz": []}]})).status,
        400
    );
    assert_eq!(ask(&lab, "", "/__release?name=go", &json!({})).status, 200);
    let limits = json!({"five_hour": {"used": 0.5, "resets_at": 1_800_000_000}});
    assert_eq!(ask(&lab, "", "/__limits?tag=t", &limits).status, 200);
    let got = ask(&lab, "t", CHAT, &body(CHAT, "hello"));
    assert_eq!(
        (
            got.header("x-own"),
            got.header("x-codex-primary-used-percent")
        ),
        (Some("1"), Some("50"))
    );
    let status = || ask(&lab, "t", CHAT, &body(CHAT, "hello")).status;
    assert_eq!(
        [status(), status(), status(), status()],
        [503, 429, 200, 429]
    );
    assert_eq!(get(&lab, "", "/__counts").json()["t"]["usage"]["input"], 1);
    assert_eq!(get(&lab, "", "/__requests?since=4").json()[0]["path"], CHAT);
    assert_eq!(get(&lab, "", "/__violations").json(), json!([]));
    assert_eq!(get(&lab, "", "/__unplayed").json(), json!([]));
}

#[test]
fn a_lab_ends_with_its_handle() {
    let lab = Upstream::start(Script::steps([
        Step::breaks(Fault::Hang),
        Step::text("x").hold("never"),
    ]));
    let clients = [
        post(&lab, "t", CHAT, &body(CHAT, "a")),
        post(&lab, "t", CHAT, &body(CHAT, "b")),
    ];
    assert!(lab.wait("t", SOON, |counts| counts.requests == 2));
    let name = format!("lab-{}", lab.address().port());
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task")
            .into_iter()
            .flatten()
            .flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|thread| thread.trim() == name).count()
    };
    assert_eq!(threads(), 3);
    let address = lab.address();
    drop(lab);
    assert_eq!(threads(), 0);
    assert!(std::net::TcpStream::connect(address).is_err());
    for client in clients {
        assert_eq!(Got::read(client).status, 0);
    }
}
