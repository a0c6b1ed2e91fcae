//! Google says nothing of limits in headers; a refusal lists the quotas that are used up, as
//! `quota NAME = AMOUNT` once its body is put into words (`llm::http::error_text`). The quota's
//! name says what is counted and for how long (ai.google.dev, "Rate limits").

use std::sync::LazyLock;
use std::time::Duration;

use chrono::{Days, LocalResult, NaiveTime, TimeZone};
use chrono_tz::America::Los_Angeles;
use regex::Regex;

use super::super::reader::limit_name;
use super::super::reset;
use super::super::signal::{Observation, WindowStatus};
use super::of_model;
use crate::core::{LimitKind, LimitUnit, Timestamp};

/// Constant; holds no state.
static QUOTA: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"quota ([A-Za-z0-9-]{1,64}) = (\d{1,15})").expect("invariant: a valid pattern")
});

/// The quotas that a refusal in words names. One of 0 is none: waiting for it would not help.
pub(crate) fn observations(said: &str, model: Option<&str>, now: Timestamp) -> Vec<Observation> {
    QUOTA
        .captures_iter(said)
        .take(16)
        .filter_map(|found| {
            let name = limit_name(&found[1])?;
            let amount: u64 = found[2].parse().ok().filter(|amount| *amount > 0)?;
            let day = name.contains("PerDay") || name.contains("Daily");
            let (duration, resets_at) = if day {
                (Duration::from_hours(24), midnight_pacific(now))
            } else {
                // Nothing is said of a reset: the wait that is asked for, or the whole minute.
                let wait = reset::from_text(said, now).unwrap_or(now + Duration::from_mins(1));
                (Duration::from_mins(1), Some(wait))
            };
            Some(Observation {
                scope: of_model(model),
                duration: Some(duration),
                status: Some(WindowStatus::Rejected),
                used_fraction: Some(1.0),
                limit_amount: Some(amount),
                remaining_amount: Some(0),
                resets_at,
                kind: Some(LimitKind::Anchored),
                unit: Some(if name.contains("Token") {
                    LimitUnit::InputTokens
                } else {
                    LimitUnit::Requests
                }),
                ..Observation::new(&name, "body", now)
            })
        })
        .collect()
}

/// When a quota of the day begins anew: at midnight in California, whose days have 23 to 25
/// hours.
pub(crate) fn midnight_pacific(now: Timestamp) -> Option<Timestamp> {
    let today = now.utc().with_timezone(&Los_Angeles).date_naive();
    let next = today
        .checked_add_days(Days::new(1))?
        .and_time(NaiveTime::MIN);
    let at = match Los_Angeles.from_local_datetime(&next) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
        LocalResult::None => return None,
    };
    Some(Timestamp::from_millis(at.timestamp_millis()))
}
