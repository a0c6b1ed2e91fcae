//! Points in time as people give and read them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Local};

use crate::core::Timestamp;
use crate::core::time::Span;

/// A time on the command line: RFC 3339, or a span from now such as `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    At(Timestamp),
    Span(Span),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(span) = text.parse() {
            return Ok(Self::Span(span));
        }
        text.parse().map(Self::At).map_err(|_| {
            let text = crate::core::text::one_line(text, 60);
            format!(
                "`{text}` is neither a span such as 90m nor a time such as 2026-11-20T07:30:00Z"
            )
        })
    }
}

impl When {
    pub(crate) fn ahead(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Span(span) => now + span.0,
        }
    }

    pub(crate) fn back(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Span(span) => now.minus(span.0),
        }
    }
}

/// `in 2h 14m (07:08)` or `5m ago (23:50)`, with the date where it is not today; local zone.
pub(crate) struct Shown {
    pub(crate) at: Timestamp,
    pub(crate) now: Timestamp,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, now } = *self;
        f.pad(&format!("{} ({})", ago(at, now), clock(at, now)))
    }
}

/// `14:20 +02:00 (in 2h 10m)` or `Sun 14:20 ...`: a moment that something waits for, in the local zone, which is
/// named because people read such figures on other machines than their own.
pub(crate) struct Due {
    pub(crate) at: Timestamp,
    pub(crate) now: Timestamp,
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, now } = *self;
        let local: DateTime<Local> = at.utc().into();
        let zone = match local.offset().local_minus_utc() {
            0 => "UTC".to_owned(),
            _ => local.format("%:z").to_string(),
        };
        // A week's days have names of their own; later ones do not fit beside the rest.
        let soon = at.since(now) < std::time::Duration::from_hours(6 * 24);
        let today = DateTime::<Local>::from(now.utc()).date_naive() == local.date_naive();
        let clock = if soon && !today && at > now {
            local.format("%a %H:%M").to_string()
        } else {
            clock(at, now)
        };
        f.pad(&format!("{clock} {zone} ({})", ago(at, now)))
    }
}

/// Local time of day, with the date where it is not `now`'s day.
pub(crate) fn clock(at: Timestamp, now: Timestamp) -> String {
    let local: DateTime<Local> = at.utc().into();
    let today: DateTime<Local> = now.utc().into();
    let format = if local.date_naive() == today.date_naive() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    local.format(format).to_string()
}

/// `5m ago`, without the clock: for narrow columns. Whole seconds, rounded.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let rounded = |distance: std::time::Duration| {
        let seconds = (distance.as_millis() + 500) / 1000;
        Span(std::time::Duration::from_secs(seconds as u64))
    };
    match (rounded(at.since(now)), rounded(now.since(at))) {
        (ahead, _) if !ahead.0.is_zero() => format!("in {ahead}"),
        (_, behind) if !behind.0.is_zero() => format!("{behind} ago"),
        _ => "now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_are_told_apart() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let ahead = |text: &str| text.parse::<When>().map(|w| w.ahead(now).to_string());
        assert_eq!(ahead("90m"), Ok("2026-11-20T09:30:00.000Z".into()));
        assert_eq!(
            ahead("2026-11-21T00:00:00+01:00"),
            Ok("2026-11-20T23:00:00.000Z".into())
        );
        assert!(ahead("tomorrow").is_err() && ahead("").is_err());
        assert_eq!(
            "1h".parse::<When>().unwrap().back(now).to_string(),
            "2026-11-20T07:00:00.000Z"
        );
    }

    #[test]
    fn distance_is_told_in_both_directions() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        assert_eq!(
            ago(now + std::time::Duration::from_secs(90), now),
            "in 1m 30s"
        );
        assert_eq!(
            ago(now.minus(std::time::Duration::from_secs(90)), now),
            "1m 30s ago"
        );
    }
}
