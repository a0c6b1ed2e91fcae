//! GitHub's page about limits, `GET /rate_limit`. It costs nothing of the first limit, but who
//! hammers it meets the second one. No bead runs there: agents call it while they work.

use std::time::Duration;

use serde_json::Value;

use super::super::reader::reset;
use super::super::signal::Observation;
use super::{Answer, ProbeError};
use crate::core::{LimitUnit, Timestamp};

pub(super) const BASE: &str = "https://api.github.com";
pub(super) const PATH: &str = "/rate_limit";

/// The resources that agents use, with their lengths in minutes.
const RESOURCES: &[(&str, u64)] = &[
    ("core", 60),
    ("graphql", 60),
    ("search", 1),
    ("code_search", 1),
];

pub(super) fn read(page: &Value, now: Timestamp) -> Result<Answer, ProbeError> {
    let resources = page["resources"]
        .as_object()
        .ok_or_else(|| ProbeError::Unreadable("no resources in it".into()))?;
    let observations = RESOURCES.iter().filter_map(|(name, minutes)| {
        let of = resources.get(*name)?;
        let (limit, left) = (of["limit"].as_u64()?, of["remaining"].as_u64()?);
        // Without a login some do not exist.
        (limit > 0).then(|| Observation {
            unit: Some(LimitUnit::Requests),
            duration: Some(Duration::from_mins(*minutes)),
            limit_amount: Some(limit),
            remaining_amount: Some(left.min(limit)),
            // An untouched resource has a reset that moves along.
            resets_at: reset(&of["reset"], now).filter(|_| left < limit),
            ..Observation::new(name, "github", now)
        })
    });
    let observations: Vec<Observation> = observations.collect();
    if observations.is_empty() {
        return Err(ProbeError::Unreadable("no limit in it".into()));
    }
    Ok(Answer {
        observations,
        ..Answer::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resources_that_agents_use_are_windows() {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        let at = now.millis() / 1000 + 600;
        let page = json!({
            "resources": {
                "core": {"limit": 5000, "remaining": 4990, "reset": at, "used": 10},
                "search": {"limit": 30, "remaining": 30, "reset": at},
                "graphql": {"limit": 0, "remaining": 0, "reset": at},
                "scim": {"limit": 15000, "remaining": 1, "reset": at},
            },
            "rate": {"limit": 5000, "remaining": 4990, "reset": at},
        });
        let seen: Vec<String> = read(&page, now)
            .unwrap()
            .observations
            .iter()
            .map(|o| {
                let until = o.resets_at.map(|t| t.since(now).as_secs());
                format!(
                    "{} {:?} of {:?} {until:?}",
                    o.limit_id, o.remaining_amount, o.limit_amount
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                "core Some(4990) of Some(5000) Some(600)",
                "search Some(30) of Some(30) None",
            ]
        );
        for page in [json!({}), json!({"resources": {"core": {"limit": -1}}})] {
            assert!(read(&page, now).is_err(), "{page}");
        }
    }
}
