//! Knobs in the address, and what is told of the calls.

use serde_json::{Value, json};

use crate::lab::{Script, Step, Upstream};

use super::client::{ask, ask_streamed, body, get};
use super::{ALL, CHAT, GEMINI, MESSAGES, OLLAMA, RESPONSES, words};

fn lab() -> Upstream {
    Upstream::start(Script::steps([Step::text("by the script")]))
}

/// The statuses of as many calls as there are.
#[track_caller]
fn statuses<const N: usize>(knobs: &str, path: &str) -> [u16; N] {
    let lab = lab();
    std::array::from_fn(|_| ask(&lab, knobs, path, &body(path, "hello")).status)
}

#[test]
fn each_mode_answers_in_every_protocol() {
    for (mode, wanted) in [
        ("ok", [200, 200, 200, 200, 200]),
        ("warn", [200, 200, 200, 200, 200]),
        ("tool", [200, 200, 200, 200, 200]),
        ("429", [429, 429, 429, 429, 429]),
        ("429limit", [429, 429, 429, 429, 429]),
        ("quota", [400, 429, 429, 429, 402]),
        ("529", [529, 503, 503, 503, 503]),
        ("503", [529, 503, 503, 503, 503]),
        ("500", [500, 500, 500, 500, 500]),
        ("401", [401, 401, 401, 401, 401]),
        ("403", [403, 403, 403, 403, 403]),
        ("404", [404, 404, 404, 404, 404]),
        ("400", [400, 400, 400, 400, 400]),
        ("malformed", [200, 200, 200, 200, 200]),
    ] {
        for (path, status) in ALL.into_iter().zip(wanted) {
            assert_eq!(statuses::<1>(mode, path), [status], "{mode} {path}");
        }
    }
}

#[test]
fn a_word_that_is_no_mode_is_a_tag_and_the_script_answers() {
    let lab = lab();
    let hello = body(CHAT, "hello");
    assert_eq!(
        words(CHAT, &ask(&lab, "okay", CHAT, &hello)),
        "by the script"
    );
    let said = words(CHAT, &ask(&lab, "ok,text=by%20the%2Cknob", CHAT, &hello));
    assert_eq!(said, "by the,knob");
}

#[test]
fn only_so_many_calls_of_a_tag_fail_and_then_it_is_another_mode() {
    let failing = statuses::<4>("401,fail_n=2,tag=a", MESSAGES);
    assert_eq!(failing, [401, 401, 200, 200]);
    let later = statuses::<4>("ok,after_n=1,after=503,tag=b", RESPONSES);
    assert_eq!(later, [200, 503, 503, 503]);
    let lab = lab();
    let ask = |knobs: &str| ask(&lab, knobs, CHAT, &body(CHAT, "hello")).status;
    assert_eq!(
        [
            "429,fail_n=1,tag=c",
            "429,fail_n=1,tag=d",
            "429,fail_n=1,tag=c"
        ]
        .map(ask),
        [429, 429, 200]
    );
}

#[test]
fn a_limit_states_its_reset_and_stands_for_the_calls_that_its_knobs_name() {
    let lab = lab();
    let knobs = "429limit,reset_in=600,fail_n=1,tag=t";
    let first = ask(&lab, knobs, MESSAGES, &body(MESSAGES, "hello"));
    let unified = |name: &str| first.header(&format!("anthropic-ratelimit-unified-{name}"));
    assert_eq!(unified("status"), Some("rejected"));
    let left: u64 = first.header("retry-after").unwrap().parse().unwrap();
    assert!((590..=601).contains(&left), "{left}");
    assert_eq!(
        ask(&lab, knobs, MESSAGES, &body(MESSAGES, "hello")).status,
        200
    );

    let day = ask(
        &lab,
        "429limit,reset_in=600",
        GEMINI,
        &body(GEMINI, "hello"),
    );
    assert!(day.body.contains("PerDay") && day.body.contains("retryDelay"));
    let sub = ask(&lab, "ok,sub=0", MESSAGES, &body(MESSAGES, "hello"));
    assert_eq!(sub.header("anthropic-ratelimit-unified-status"), None);
    let warned = ask(&lab, "warn", RESPONSES, &body(RESPONSES, "hello"));
    assert_eq!(warned.header("x-codex-primary-used-percent"), Some("91"));
    let asked = ask(&lab, "429,retry_after=none", CHAT, &body(CHAT, "hello"));
    assert_eq!(asked.header("retry-after"), None);
    let asked = ask(&lab, "500,h-x-own=1", CHAT, &body(CHAT, "hello"));
    assert_eq!(asked.header("x-own"), Some("1"));
}

#[test]
fn a_key_that_google_does_not_know_is_a_bad_request() {
    let lab = lab();
    let got = ask(&lab, "400", GEMINI, &body(GEMINI, "hello"));
    assert!(got.body.contains("API key not valid"), "{}", got.body);
}

#[test]
fn a_judgement_is_given_as_json_beside_the_script() {
    let lab = lab();
    let mut asked = body(GEMINI, "hello");
    asked["generationConfig"] = json!({"responseMimeType": "application/json"});
    let given = words(GEMINI, &ask(&lab, "t", GEMINI, &asked));
    let given: Value = serde_json::from_str(&given).expect("JSON");
    assert_eq!(given["next_speaker"], "user");
    assert_eq!(
        words(GEMINI, &ask(&lab, "t", GEMINI, &body(GEMINI, "hello"))),
        "by the script"
    );
}

#[test]
fn knobs_can_be_set_for_every_call_and_taken_back() {
    let lab = lab();
    let hello = body(OLLAMA, "hello");
    let set = json!({"mode": "ok", "text": "set"});
    assert_eq!(ask(&lab, "", "/__control", &set).status, 200);
    let set = get(&lab, "", "/__control").json();
    assert_eq!(
        (&set["text"], &set["fail_n"]),
        (&json!("set"), &json!("-1"))
    );
    assert_eq!(words(OLLAMA, &ask(&lab, "", OLLAMA, &hello)), "set");
    assert_eq!(
        words(OLLAMA, &ask(&lab, "ok,text=own", OLLAMA, &hello)),
        "own"
    );
    let done = ask(&lab, "", "/__reset", &json!({}));
    assert_eq!(done.status, 200);
    assert_eq!(
        words(OLLAMA, &ask(&lab, "", OLLAMA, &hello)),
        "by the script"
    );
    assert_eq!(get(&lab, "", "/__count").json(), json!({"": 1}));
}

#[test]
fn what_became_of_each_call_is_told() {
    let lab = lab();
    for path in ALL {
        drop(ask_streamed(&lab, "ok,tag=t", path, &body(path, "hello")));
    }
    drop(ask_streamed(
        &lab,
        "truncate,tag=t",
        CHAT,
        &body(CHAT, "hello"),
    ));
    drop(ask(&lab, "truncate,tag=t", CHAT, &body(CHAT, "hello")));
    drop(ask(&lab, "malformed,tag=t", CHAT, &body(CHAT, "hello")));
    drop(ask(&lab, "404,tag=t", CHAT, &body(CHAT, "hello")));
    assert_eq!(get(&lab, "", "/__count").json(), json!({"t": 9}));
    let log = get(&lab, "", "/__log").json();
    let told: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["tag"] == "t")
        .map(|e| json!([e["mode"], e["status"], e["how"], e["stream"], e["method"]]))
        .collect();
    let ok = json!(["ok", 200, "sse", true, "POST"]);
    assert_eq!(told[..5], [&ok, &ok, &ok, &ok, &ok].map(Clone::clone));
    assert_eq!(
        told[5..],
        [
            json!(["truncate", 200, "sse", true, "POST"]),
            json!(["truncate", 200, "", false, "POST"]),
            json!(["malformed", 200, "malformed", false, "POST"]),
            json!(["404", 404, "mode", false, "POST"]),
        ]
    );
    assert_eq!(log[3]["path"], "/v1beta/models/m:streamGenerateContent");
    assert_eq!(log[3]["model"], "m");
}
