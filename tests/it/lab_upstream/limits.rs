//! Walls, and what is said about limits.

use std::time::Duration;

use crate::harness::wait_until;
use crate::lab::{Limits, Quota, Script, Share, Step, Upstream, Window};

use super::client::{ask, body, get};
use super::{CHAT, MESSAGES, RESPONSES, SOON};

#[test]
fn a_limit_is_a_wall_until_the_reset_that_it_states() {
    let lab = Upstream::start(Script::steps([Step::limit(Duration::from_secs(2))]));
    let first = ask(&lab, "t", MESSAGES, &body(MESSAGES, "hello"));
    let reset = first
        .header("anthropic-ratelimit-unified-reset")
        .unwrap()
        .to_owned();
    assert_eq!(lab.wall("t"), Some(reset.parse().unwrap()));
    let unified = |name: &str| first.header(&format!("anthropic-ratelimit-unified-{name}"));
    assert_eq!(first.status, 429);
    assert_eq!(unified("status"), Some("rejected"));
    assert_eq!(unified("representative-claim"), Some("five_hour"));
    assert_eq!(unified("5h-utilization"), Some("1"));
    assert_eq!(first.json()["error"]["type"], "rate_limit_error");

    let again = ask(&lab, "t", RESPONSES, &body(RESPONSES, "hello"));
    assert_eq!(again.json()["error"]["type"], "usage_limit_reached");
    assert_eq!(again.json()["error"]["resets_at"].to_string(), reset);
    assert_eq!(again.header("x-codex-primary-used-percent"), Some("100"));
    assert_eq!(
        again.header("x-codex-primary-reset-at"),
        Some(reset.as_str())
    );
    assert_eq!(lab.counts("t").walled, 1);
    assert_eq!(
        get(&lab, "t", "/wham/usage").json()["rate_limit"]["limit_reached"],
        true
    );
    // Another account has another wall.
    assert_eq!(
        ask(&lab, "u", MESSAGES, &body(MESSAGES, "hello")).status,
        429
    );
    assert_eq!(lab.counts("u").walled, 0);

    assert!(wait_until(SOON, || lab.wall("t").is_none()));
    let after = ask(&lab, "t", MESSAGES, &body(MESSAGES, "hello"));
    assert_eq!(after.status, 200);
    assert_eq!(
        after.header("anthropic-ratelimit-unified-status"),
        Some("allowed")
    );
    assert_eq!(
        after.header("anthropic-ratelimit-unified-5h-utilization"),
        Some("0")
    );

    let until = lab.raise_wall("v", Window::SevenDay, Duration::from_hours(1));
    let long = ask(&lab, "v", RESPONSES, &body(RESPONSES, "hello"));
    assert_eq!(
        long.header("x-codex-secondary-reset-at"),
        Some(until.to_string().as_str())
    );
    assert_eq!(long.header("x-codex-primary-reset-at"), None);
}

#[test]
fn limits_are_told_as_set() {
    let lab = Upstream::start(Script::default());
    assert_eq!(
        ask(&lab, "t", MESSAGES, &body(MESSAGES, "hello"))
            .header("anthropic-ratelimit-unified-status"),
        None
    );
    lab.set_limits(
        "t",
        Limits {
            five_hour: Some(Share::new(0.91, Duration::from_mins(10))),
            seven_day: Some(Share {
                used: 0.25,
                resets_at: 1_800_000_000,
            }),
            requests: Some(Quota {
                limit: 50,
                remaining: 49,
                reset_in_s: 30,
            }),
            tokens: None,
        },
    );
    let got = ask(&lab, "t", MESSAGES, &body(MESSAGES, "hello"));
    let told = |name: &str| got.header(&format!("anthropic-ratelimit-{name}"));
    assert_eq!(told("unified-5h-status"), Some("allowed_warning"));
    assert_eq!(told("unified-status"), Some("allowed_warning"));
    assert_eq!(told("unified-7d-utilization"), Some("0.25"));
    assert_eq!(told("unified-7d-reset"), Some("1800000000"));
    assert_eq!(told("requests-remaining"), Some("49"));
    assert_eq!(told("tokens-remaining"), None);
    let got = ask(&lab, "t", CHAT, &body(CHAT, "hello"));
    assert_eq!(got.header("x-codex-secondary-used-percent"), Some("25"));
    assert_eq!(got.header("x-ratelimit-remaining-requests"), Some("49"));
    assert_eq!(got.header("x-ratelimit-reset-requests"), Some("30s"));
}
