//! OpenRouter's page about a key, `GET /api/v1/key`: its credit limit and the free requests of
//! the day. Days, weeks and months are those of UTC; weeks begin on Monday. The `rate_limit` in
//! it is a leftover and says nothing.

use std::time::Duration;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};
use serde_json::Value;

use super::super::signal::{Observation, Scope, WindowStatus};
use super::{Answer, ProbeError};
use crate::core::text::one_line;
use crate::core::{LimitKind, LimitUnit, MicroUsd, Timestamp};

pub(super) const BASE: &str = "https://openrouter.ai";
pub(super) const PATH: &str = "/api/v1/key";

/// Free models have this in their names.
const FREE: &str = ":free";

pub(super) fn read(page: &Value, now: Timestamp) -> Result<Answer, ProbeError> {
    let data = &page["data"];
    if !data.is_object() {
        return Err(ProbeError::Unreadable("no `data` in it".into()));
    }
    let mut answer = Answer::default();
    match (money(&data["limit_remaining"]), money(&data["limit"])) {
        (Some(left), limit) => answer.observations.push(credit(left, limit, data, now)),
        (None, _) => answer.said.push("the key has no credit limit".into()),
    }
    answer.observations.extend(free(data, now));
    if let Some(used) = data["usage_daily"].as_f64().filter(|used| *used >= 0.0) {
        answer
            .said
            .push(format!("{} used today (UTC)", MicroUsd::from_usd(used)));
    }
    if data["is_free_tier"] == true {
        answer.said.push("no credits were ever bought".into());
    }
    if let Some(at) = data["expires_at"].as_str() {
        answer
            .said
            .push(format!("the key expires at {}", one_line(at, 40)));
    }
    Ok(answer)
}

/// The key's own limit: a stretch of the calendar, or for ever.
fn credit(left: u64, limit: Option<u64>, data: &Value, now: Timestamp) -> Observation {
    let (resets_at, days) = match data["limit_reset"].as_str() {
        Some("daily") => (next(now, |day| day.checked_add_days(Days::new(1))), Some(1)),
        Some("weekly") => (
            next(now, |day| {
                let left = 7 - u64::from(day.weekday().num_days_from_monday());
                day.checked_add_days(Days::new(left))
            }),
            Some(7),
        ),
        Some("monthly") => (
            next(now, |day| {
                day.with_day(1)?.checked_add_months(Months::new(1))
            }),
            None,
        ),
        Some(_) | None => (None, None),
    };
    Observation {
        kind: resets_at.is_none().then_some(LimitKind::Balance),
        unit: Some(LimitUnit::MicroUsd),
        duration: days.map(|days| Duration::from_hours(24 * days)),
        limit_amount: limit,
        remaining_amount: Some(left),
        resets_at,
        status: (left == 0).then_some(WindowStatus::Rejected),
        ..Observation::new("credit", "openrouter", now)
    }
}

fn free(data: &Value, now: Timestamp) -> Option<Observation> {
    let of = &data["free_model_daily_requests"];
    let (limit, left) = (of["limit"].as_u64()?, of["remaining"].as_u64()?);
    Some(Observation {
        scope: Scope::Model(FREE.into()),
        duration: Some(Duration::from_hours(24)),
        limit_amount: Some(limit),
        remaining_amount: Some(left.min(limit)),
        resets_at: next(now, |day| day.checked_add_days(Days::new(1))),
        unit: Some(LimitUnit::Requests),
        ..Observation::new("free_requests", "openrouter", now)
    })
}

/// Credits are dollars.
fn money(value: &Value) -> Option<u64> {
    let usd = value.as_f64().filter(|usd| usd.is_finite())?;
    Some(MicroUsd::from_usd(usd.clamp(0.0, 1e9)).0.unsigned_abs())
}

/// Midnight (UTC) of the day that `day` finds from today's.
fn next(now: Timestamp, day: impl Fn(NaiveDate) -> Option<NaiveDate>) -> Option<Timestamp> {
    let at = day(now.utc().date_naive())?.and_time(NaiveTime::MIN);
    Some(Timestamp::from_millis(at.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(data: &Value) -> Vec<String> {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        let answer = read(&json!({ "data": data }), now).unwrap();
        let told = answer.observations.iter().map(|o| {
            format!(
                "{} {:?} {:?} of {:?} until {}",
                o.limit_id,
                o.scope,
                o.remaining_amount,
                o.limit_amount,
                o.resets_at.map_or("ever".into(), |t| t.to_string())
            )
        });
        told.chain(answer.said.clone()).collect()
    }

    #[test]
    fn a_credit_limit_resets_with_the_calendar_or_never() {
        let key = |reset: Value| json!({"limit": 5, "limit_remaining": 4.5, "limit_reset": reset});
        for (reset, until) in [
            (json!("daily"), "2026-11-21T00:00:00.000Z"),
            (json!("weekly"), "2026-11-23T00:00:00.000Z"),
            (json!("monthly"), "2026-12-01T00:00:00.000Z"),
            (json!("yearly"), "ever"),
            (json!(null), "ever"),
        ] {
            assert_eq!(
                seen(&key(reset)),
                [format!(
                    "credit Account Some(4500000) of Some(5000000) until {until}"
                )]
            );
        }
    }

    #[test]
    fn free_requests_are_a_window_of_the_free_models() {
        assert_eq!(
            seen(&json!({
                "limit": null, "limit_remaining": null, "usage_daily": 0.25, "is_free_tier": true,
                "free_model_daily_requests": {"used": 8, "limit": 50, "remaining": 42},
                "rate_limit": {"requests": 1, "interval": "10s"},
            })),
            [
                r#"free_requests Model(":free") Some(42) of Some(50) until 2026-11-21T00:00:00.000Z"#,
                "the key has no credit limit",
                "$0.25 used today (UTC)",
                "no credits were ever bought",
            ]
        );
    }

    #[test]
    fn a_debt_is_an_empty_tank_and_nonsense_is_told() {
        let now = Timestamp::from_secs(0);
        assert_eq!(
            seen(&json!({"limit": 1e300, "limit_remaining": -3.2})),
            ["credit Account Some(0) of Some(1000000000000000) until ever"]
        );
        assert_eq!(
            read(&json!([]), now).unwrap_err().to_string(),
            "its answer is not understood: no `data` in it"
        );
    }
}
