//! Answers of every source with anything in their places: nothing breaks, nothing that cannot be
//! is told.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{
    Answer, ProbeError, app_server, ccusage, deepseek, feed, github, login, oauth, ollama,
    openrouter, usage,
};
use crate::core::Timestamp;
use crate::provider::Observation;

/// How each source reads an answer, beside one as the source gives it.
type Source = (
    fn(&Value, Timestamp) -> Result<Vec<Observation>, String>,
    Value,
);

fn windows(answer: Result<Answer, ProbeError>) -> Result<Vec<Observation>, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    assert!(answer.said.len() <= 100, "{:?}", answer.said);
    if let Some(block) = answer.block {
        assert!(block.starts_at <= block.ends_at, "{block:?}");
    }
    Ok(answer.observations)
}

fn sources() -> Vec<Source> {
    let five = json!({"usedPercent": 40, "windowDurationMins": 300, "resetsAt": 1_795_159_635});
    let codex = json!({"limitId": "codex", "limitName": "x", "primary": five, "secondary": five,
        "planType": "plus", "credits": {"hasCredits": true, "unlimited": false, "balance": "12.5"}});
    let named = json!({"utilization": 42.5, "resets_at": "2026-11-20T08:10:00.885205+00:00"});
    vec![
        (
            |v, now| windows(app_server::read(&v.to_string(), now)),
            json!({"id": 2, "result": {"rateLimits": codex, "rateLimitsByLimitId": {"codex": codex}}}),
        ),
        (
            |v, now| windows(usage::read(&v.to_string(), now)),
            json!({"type": "control_response", "response": {"subtype": "success",
                "request_id": "rigs-usage", "response": {"subscription_type": "max",
                "rate_limits_available": true, "rate_limits": {"five_hour": named,
                "seven_day": named, "seven_day_opus": named}}}}),
        ),
        (
            |v, _| windows(login::read(&v.to_string())),
            json!({"loggedIn": true, "authMethod": "claude.ai", "subscriptionType": "max"}),
        ),
        (
            |v, now| windows(ccusage::read(&v.to_string(), now)),
            json!({"blocks": [{"startTime": "2026-11-20T05:00:00.000Z",
                "endTime": "2026-11-20T10:00:00.000Z", "isActive": true, "isGap": false,
                "tokenCounts": {"inputTokens": 13_200, "outputTokens": 374,
                    "cacheCreationInputTokens": 1100, "cacheReadInputTokens": 8800}}]}),
        ),
        (
            |v, now| windows(oauth::read(v, now)),
            json!({"five_hour": named, "extra_usage": {"is_enabled": true}, "limits": [
                {"kind": "session", "percent": 42, "resets_at": "2026-11-20T08:00:00Z"},
                {"kind": "weekly_scoped", "percent": 80, "scope": {"model": {"display_name": "Opus"}}}]}),
        ),
        (
            |v, now| windows(openrouter::read(v, now)),
            json!({"data": {"limit": 5, "limit_remaining": 4.5, "limit_reset": "daily",
                "usage_daily": 0.25, "is_free_tier": true,
                "free_model_daily_requests": {"used": 8, "limit": 50, "remaining": 42}}}),
        ),
        (
            |v, now| windows(deepseek::read(v, now)),
            json!({"is_available": true, "balance_infos": [
                {"currency": "USD", "total_balance": "7.25"}]}),
        ),
        (
            |v, now| windows(github::read(v, now)),
            json!({"resources": {"core": {"limit": 5000, "remaining": 4990, "reset": 1_795_159_635},
                "search": {"limit": 30, "remaining": 3, "reset": 1_795_159_635}}}),
        ),
        (
            |v, _| windows(ollama::read(&json!({"version": "0.13.0"}), v)),
            json!({"models": [{"name": "m", "size": 5_137_025_024_u64}]}),
        ),
        (
            |v, now| {
                let feed = feed::read(&v.to_string(), now).map_err(|error| error.to_string())?;
                Ok(feed.windows.into_iter().map(|(_, o)| o).collect())
            },
            json!({"session_id": "s", "rate_limits": {
                "five_hour": {"used_percentage": 23.5, "resets_at": 1_795_161_600},
                "seven_day": {"used_percentage": 41, "resets_at": "2026-11-24T09:00:00Z"}}}),
        ),
    ]
}

/// What no provider says, and one day does.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(n)),
        proptest::sample::select(vec![
            json!(-1),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e308),
            json!("-12.5"),
            json!("1e400"),
            json!("NaN"),
            json!("9999-12-31T23:59:59Z"),
            json!("-262143-01-01T00:00:00Z"),
            json!(null),
            json!([]),
            json!({}),
            json!([[[[{}]]]]),
        ]),
        "\\PC{0,40}".prop_map(Value::from),
        Just(json!("long ".repeat(50_000))),
    ]
}

/// Every place in the value, leaves and branches.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                places(item, &format!("{path}/{i}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                places(field, &format!("{path}/{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

proptest! {
    #[test]
    fn odd_values_in_any_place_of_an_answer_are_harmless(
        source in any::<Index>(),
        changes in proptest::collection::vec((any::<Index>(), odd()), 1..4),
        at in 0_i64..4_000_000_000,
    ) {
        let sources = sources();
        let (read, sample) = source.get(&sources);
        let mut answer = sample.clone();
        for (place, value) in changes {
            let mut found = Vec::new();
            places(&answer, "", &mut found);
            let place: &String = place.get(&found);
            *answer.pointer_mut(place).unwrap() = value;
        }
        let windows = read(&answer, Timestamp::from_secs(at)).unwrap_or_default();
        prop_assert!(windows.len() <= 50, "{windows:?}");
        for o in windows {
            prop_assert!(o.used_fraction.is_none_or(f64::is_finite), "{o:?}");
            prop_assert!(o.duration.is_none_or(|d| !d.is_zero()), "{o:?}");
        }
    }
}

#[test]
fn every_sample_is_understood() {
    for (read, sample) in sources() {
        let windows = read(&sample, Timestamp::from_secs(1_795_150_000));
        assert!(windows.is_ok(), "{sample}: {windows:?}");
    }
}
