use super::*;
use crate::core::ProviderKind;
use crate::llm::LlmError;
use crate::provider::Class;
use crate::provider::text::classify;

const NOW: &str = "2026-11-20T08:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn headers(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(a, b)| ((*a).into(), (*b).into()))
        .collect()
}

/// One line per window.
fn seen(all: &[(&str, &str)], model: Option<&str>) -> Vec<String> {
    observations(&headers(all), model, now())
        .iter()
        .map(|w| {
            let seconds = |at: Timestamp| at.since(now()).as_secs_f64();
            format!(
                "{} {:?} {} {} {}s {} used {:?} of {:?} in {:?}",
                w.limit_id,
                w.scope,
                w.kind.map_or("-", LimitKind::as_str),
                w.unit.map_or("-", LimitUnit::as_str),
                w.duration.map_or(0, |d| d.as_secs()),
                w.status.map_or("-", WindowStatus::as_str),
                w.used_fraction,
                w.limit_amount,
                w.resets_at.map(seconds),
            )
        })
        .collect()
}

#[test]
fn times_are_read_in_every_form_that_servers_use() {
    for (text, seconds) in [
        ("7", Some(7.0)),
        ("0", Some(0.0)),
        ("1.5", Some(1.5)),
        ("12ms", Some(0.012)),
        ("6m0s", Some(360.0)),
        ("1h2m3.5s", Some(3723.5)),
        ("1795161660", Some(60.0)),
        ("1795161660000", Some(60.0)),
        ("2026-11-20T08:01:00Z", Some(60.0)),
        ("Fri, 20 Nov 2026 08:01:00 GMT", Some(60.0)),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("99999999999999999999", None),
    ] {
        let got = moment(text, now()).map(|t| t.since(now()).as_secs_f64());
        assert_eq!(got, seconds, "{text}");
    }
}

#[test]
fn the_buckets_of_a_key_are_read_and_uncounted_ones_are_not() {
    assert_eq!(
        seen(
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "45"),
                ("x-ratelimit-reset-requests", "1s"),
                ("x-ratelimit-limit-tokens", "-1"),
                ("x-ratelimit-remaining-tokens", "0"),
            ],
            Some("gpt-5"),
        ),
        [
            "requests Model(\"gpt-5\") refill requests 60s - used Some(0.25) of Some(60) in Some(1.0)"
        ]
    );
    // The sample of a real answer: its reset lies before its own date, which is no error.
    assert_eq!(
        seen(
            &[
                ("anthropic-ratelimit-input-tokens-limit", "80000"),
                ("anthropic-ratelimit-input-tokens-remaining", "80000"),
                (
                    "anthropic-ratelimit-input-tokens-reset",
                    "2026-11-20T07:59:59Z"
                ),
                ("anthropic-ratelimit-requests-limit", "1000"),
                ("anthropic-ratelimit-requests-remaining", "999"),
            ],
            None,
        ),
        [
            "requests Account refill requests 60s - used Some(0.001) of Some(1000) in None",
            "input_tokens Account refill input_tokens 60s - used Some(0.0) of Some(80000) in Some(0.0)",
        ]
    );
    assert_eq!(
        seen(
            &[
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", "4999"),
                ("x-ratelimit-used", "1"),
                ("x-ratelimit-reset", "1795163400"),
                ("x-ratelimit-resource", "core"),
            ],
            Some("m"),
        ),
        ["core Account anchored requests 3600s - used Some(0.0002) of Some(5000) in Some(1800.0)"]
    );
    assert_eq!(seen(&[], None), Vec::<String>::new());
}

#[test]
fn the_windows_of_a_subscription_are_shares_and_may_be_of_one_model() {
    let unified = |over: &'static str, status: &'static str| {
        seen(
            &[
                ("anthropic-ratelimit-unified-status", status),
                (
                    "anthropic-ratelimit-unified-representative-claim",
                    "five_hour",
                ),
                ("anthropic-ratelimit-unified-reset", "1795163400"),
                ("anthropic-ratelimit-unified-5h-utilization", "1.0"),
                ("anthropic-ratelimit-unified-5h-reset", "1795163400"),
                ("anthropic-ratelimit-unified-5h-status", status),
                ("anthropic-ratelimit-unified-7d-utilization", "0.17"),
                ("anthropic-ratelimit-unified-7d-reset", "1795507200"),
                (
                    "anthropic-ratelimit-unified-7d_sonnet-status",
                    "allowed_warning",
                ),
                ("anthropic-ratelimit-unified-overage-in-use", over),
                ("anthropic-ratelimit-unified-overage-status", "allowed"),
            ],
            Some("claude-opus-5-5"),
        )
    };
    let rest = [
        "seven_day Account percent percent 604800s - used Some(0.17) of None in Some(345600.0)",
        "seven_day_sonnet Model(\"sonnet\") percent percent 604800s warning used None of None in None",
    ];
    let five = |status: &str| {
        format!(
            "five_hour Account percent percent 18000s {status} used Some(1.0) of None in Some(1800.0)"
        )
    };
    let with = |first: String| vec![first, rest[0].to_owned(), rest[1].to_owned()];
    assert_eq!(unified("false", "rejected"), with(five("rejected")));
    // Paid for beyond the plan: it is still usable.
    assert_eq!(unified("true", "rejected"), with(five("warning")));
    assert_eq!(unified("false", "allowed"), with(five("allowed")));
}

#[test]
fn a_plan_s_windows_are_known_by_their_length_and_absent_ones_are_absent() {
    assert_eq!(
        seen(
            &[
                ("x-codex-primary-used-percent", "100.0"),
                ("x-codex-primary-window-minutes", "10080"),
                ("x-codex-primary-reset-at", "1795507200"),
                ("x-codex-secondary-used-percent", "0"),
                ("x-codex-secondary-window-minutes", "0"),
                ("x-codex-secondary-reset-at", "0"),
                ("x-codex-bengalfox-primary-used-percent", "25"),
                ("x-codex-bengalfox-primary-window-minutes", "300"),
                ("x-codex-bengalfox-primary-reset-after-seconds", "60"),
                ("x-codex-bengalfox-limit-name", "gpt-5.2-codex-sonic"),
            ],
            None,
        ),
        [
            "codex Account percent percent 604800s rejected used Some(1.0) of None in Some(345600.0)",
            "codex-bengalfox Model(\"gpt-5.2-codex-sonic\") percent percent 18000s - used Some(0.25) of None in Some(60.0)",
        ]
    );
}

#[test]
fn the_reset_is_the_headers_or_the_empty_windows_or_the_sentences() {
    let wait = |all: &[(&str, &str)], body: &str| {
        let error = LlmError::Status {
            endpoint: "S".into(),
            status: 429,
            body: body.into(),
            headers: headers(all),
        };
        let outcome = classify(ProviderKind::Openai, &error, None, now());
        assert_eq!(outcome.class, Class::RateLimited);
        outcome.resets_at.map(|t| t.since(now()).as_millis())
    };
    let empty = [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "9"),
        ("x-ratelimit-reset-requests", "50s"),
        ("x-ratelimit-limit-tokens", "60000"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "20s"),
    ];
    let closed = [
        ("retry-after", "7"),
        ("anthropic-ratelimit-unified-5h-status", "rejected"),
        ("anthropic-ratelimit-unified-5h-reset", "1795163400"),
    ];
    assert_eq!(wait(&[("retry-after", "7")], "try again in 1s"), Some(7000));
    assert_eq!(wait(&[("retry-after-ms", "250")], ""), Some(250));
    assert_eq!(wait(&empty, "Please try again in 41.724s."), Some(20_000));
    // The wall of a plan outlasts a polite wait.
    assert_eq!(wait(&closed, ""), Some(1_800_000));
    assert_eq!(wait(&[], "Please try again in 41.724s."), Some(41_724));
    assert_eq!(wait(&[], "slow down"), None);
}

#[test]
fn a_quota_of_the_day_opens_at_midnight_in_california_in_summer_and_winter() {
    for (now, want) in [
        ("2026-11-20T07:59:00Z", "2026-11-20T08:00:00.000Z"),
        ("2026-11-20T08:00:00Z", "2026-11-21T08:00:00.000Z"),
        ("2026-07-01T12:00:00Z", "2026-07-02T07:00:00.000Z"),
        // The day on which the clocks change has 23 hours, the other one 25.
        ("2026-03-08T09:00:00Z", "2026-03-09T07:00:00.000Z"),
        ("2026-11-01T09:00:00Z", "2026-11-02T08:00:00.000Z"),
    ] {
        let at = midnight_pacific(now.parse().unwrap()).map(|at| at.to_string());
        assert_eq!(at.as_deref(), Some(want), "{now}");
    }
}
