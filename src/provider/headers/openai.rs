//! `x-ratelimit-{limit,remaining,reset}`, with what is counted behind it where a server counts
//! several things. OpenAI: `-requests` and `-tokens`, by model, buckets whose `reset` is the time
//! until they are full. GitHub: none, a window of an hour whose name is in `x-ratelimit-resource`
//! and whose `reset` is seconds since 1970. OpenRouter: none, milliseconds since 1970.

use std::time::Duration;

use super::super::reader::limit_name;
use super::super::signal::{Observation, Scope};
use super::{Headers, counted, get, moment, of_model};
use crate::core::{LimitKind, LimitUnit, Timestamp};

pub(super) fn observations(
    headers: Headers<'_>,
    model: Option<&str>,
    now: Timestamp,
) -> Vec<Observation> {
    let resource = get(headers, "x-ratelimit-resource").and_then(limit_name);
    [
        ("requests", LimitUnit::Requests),
        ("tokens", LimitUnit::Tokens),
        ("input-tokens", LimitUnit::InputTokens),
        ("output-tokens", LimitUnit::OutputTokens),
        ("", LimitUnit::Requests),
    ]
    .into_iter()
    .filter_map(|(what, unit)| {
        let of = |part: &str| match what {
            "" => get(headers, &format!("x-ratelimit-{part}")),
            _ => get(headers, &format!("x-ratelimit-{part}-{what}")),
        };
        let resets_at = of("reset").and_then(|at| moment(at, now));
        let (id, scope, kind, duration) = match (what, &resource) {
            ("", Some(resource)) => (
                resource.clone(),
                Scope::Account,
                LimitKind::Anchored,
                Some(Duration::from_hours(1)),
            ),
            ("", None) => (
                "requests".into(),
                of_model(model),
                LimitKind::Anchored,
                None,
            ),
            // Both are by the minute, unless the bucket says that it needs longer to fill.
            (what, _) => (
                what.replace('-', "_"),
                of_model(model),
                LimitKind::Refill,
                resets_at
                    .is_none_or(|at| at.since(now) <= Duration::from_mins(1))
                    .then_some(Duration::from_mins(1)),
            ),
        };
        let seen = Observation {
            scope,
            duration,
            resets_at,
            ..Observation::new(&id, "header", now)
        };
        counted(of("limit"), of("remaining"), seen, unit, kind)
    })
    .collect()
}
