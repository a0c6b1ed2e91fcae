//! Answers that break, hang or wait.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::{Fault, Script, Step, Upstream, Usage};

use super::client;
use super::client::{Got, ask_streamed, body, post};
use super::{ALL, CHAT, GEMINI, MESSAGES, OLLAMA, SOON, words};

#[test]
fn broken_ways_are_broken_as_scripted() {
    for path in ALL {
        for (fault, whole, parts) in [
            (Fault::Truncate, true, 3),
            (Fault::Cut, false, 3),
            (Fault::ErrorEvent, true, 2),
        ] {
            // Something is left unsaid of the short answers too.
            let parts = if [GEMINI, OLLAMA].contains(&path) {
                2
            } else {
                parts
            };
            let lab = Upstream::start(Script::steps([Step::breaks(fault)]));
            let got = ask_streamed(&lab, "t", path, &body(path, "hello"));
            assert_eq!(
                (got.is_whole, got.chunks),
                (whole, parts),
                "{path} {fault:?}"
            );
            assert_eq!(lab.counts("t").usage, Usage::default());
        }
        let lab = Upstream::start(Script::steps([
            Step::breaks(Fault::Malformed),
            Step::breaks(Fault::BadEvent),
        ]));
        let malformed = ask_streamed(&lab, "t", path, &body(path, "hello"));
        assert_eq!(malformed.status, 200);
        assert!(serde_json::from_str::<Value>(&malformed.body).is_err());
        let bad = ask_streamed(&lab, "t", path, &body(path, "hello"));
        assert!(bad.is_whole && bad.body.contains("{\"te\n"));
    }
}

#[test]
fn a_hang_lasts_until_the_client_leaves() {
    for fault in [Fault::Hang, Fault::HangInStream] {
        let lab = Upstream::start(Script::steps([Step::breaks(fault)]));
        let client = post(
            &lab,
            "t",
            MESSAGES,
            &client::streamed(body(MESSAGES, "hello")),
        );
        assert!(lab.wait("t", SOON, |counts| counts.requests == 1));
        assert_eq!(lab.counts("t").broken, 0);
        drop(client);
        assert!(
            lab.wait("t", SOON, |counts| counts.broken == 1),
            "{fault:?}"
        );
    }
}

#[test]
fn a_held_answer_waits_for_its_release_and_a_paced_one_for_the_time() {
    let slow = Step::text("slow").pace(Duration::from_millis(30));
    let lab = Upstream::start(Script::steps([Step::text("held").hold("go"), slow]));
    let client = post(&lab, "t", CHAT, &body(CHAT, "hello"));
    assert!(lab.wait("t", SOON, |counts| counts.requests == 1));
    assert_eq!(lab.counts("t").answered, 0);
    lab.release("go");
    assert_eq!(words(CHAT, &Got::read(client)), "held");
    let began = Instant::now();
    let got = ask_streamed(&lab, "t", CHAT, &body(CHAT, "hello"));
    assert!(got.is_whole && began.elapsed() >= Duration::from_millis(30 * (got.chunks as u64 - 1)));
}
