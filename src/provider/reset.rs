//! Reset times out of sentences, for programs and versions that state them nowhere else. A time
//! of day is understood with its zone: UTC or a name such as `Europe/Oslo`. Without one it is that
//! of the machine, if the caller knows which that is; guessing could retry into the wall.

use std::sync::LazyLock;
use std::time::Duration;

use chrono::{Datelike, NaiveDate, NaiveTime};
use regex::{Captures, Regex};

use crate::core::{Timestamp, Zone};

/// Longest wait that is believed. Limits run for a month at most; whatever says more is broken.
const LONGEST: Duration = Duration::from_hours(62 * 24);

/// The zone behind a time of day, and that there need not be one.
const ZONE: &str = r"(?:\s*\(?(?P<zone>utc|gmt|z|[a-z]+(?:/[a-z0-9_+-]+){1,2})\b\)?)?";

struct Patterns {
    epoch: Regex,
    rfc3339: Regex,
    date_time: Regex,
    month_day: Regex,
    time: Regex,
    span: Regex,
    part: Regex,
}

/// Constant patterns, compiled once; they hold no state.
static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: String| Regex::new(&pattern).expect("invariant: a valid pattern");
    let clock = r"(?P<h>\d{1,2})(?::(?P<m>\d{2}))?\s*(?P<half>[ap]\.?m\b\.?)?";
    Patterns {
        epoch: regex(r"\|(\d{10})\b".into()),
        rfc3339: regex(
            r"\d{4}-\d{2}-\d{2}[tT]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[zZ]|[+-]\d{2}:\d{2})".into(),
        ),
        date_time: regex(format!(
            r"(?i)(?P<y>\d{{4}})-(?P<mon>\d{{2}})-(?P<d>\d{{2}}),?(?: at)? {clock}{ZONE}"
        )),
        month_day: regex(format!(
            r"(?i)\b(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?,?(?: at)? {clock}{ZONE}"
        )),
        time: regex(format!(r"(?i)\b{clock}{ZONE}")),
        span: regex(
            r"(?i)\b(?:again|retry|resets?|wait|reset) (?:after |in )(?P<span>(?:\d+(?:\.\d+)?\s*(?:days?|hours?|minutes?|mins?|seconds?|secs?|ms|d|h|m|s)\b[,\s]*(?:and\s+)?)+)".into(),
        ),
        part: regex(r"(?i)(\d+(?:\.\d+)?)\s*(ms|d|h|m|s)".into()),
    }
});

/// The time, unless it is further away than any limit lasts. One in the past is kept: the window
/// is open again.
pub(super) fn plausible(at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (at <= now + LONGEST && at.millis() > 0).then_some(at)
}

/// When the wall that `text` speaks of falls.
pub(super) fn from_text(text: &str, now: Timestamp) -> Option<Timestamp> {
    from_local_text(text, now, None)
}

/// The same, with the zone of the machine that a time of day without one is in.
pub(super) fn from_local_text(
    text: &str,
    now: Timestamp,
    local: Option<Zone>,
) -> Option<Timestamp> {
    let head = &text[..text.floor_char_boundary(4096)];
    let p = &*PATTERNS;
    let zoned = |found: &Captures<'_>| zone_of(found, local).is_some();
    let at = if let Some(found) = p.epoch.captures(head) {
        Timestamp::from_secs(found[1].parse().ok()?)
    } else if let Some(found) = p.rfc3339.find(head) {
        found.as_str().to_uppercase().parse().ok()?
    } else if let Some(found) = p.date_time.captures(head).filter(zoned) {
        let date = NaiveDate::from_ymd_opt(
            found["y"].parse().ok()?,
            found["mon"].parse().ok()?,
            found["d"].parse().ok()?,
        )?;
        zone_of(&found, local)?.first(date.and_time(time_of(&found)?))
    } else if let Some(found) = p.month_day.captures(head).filter(zoned) {
        day_of_year(&found, now, zone_of(&found, local)?)?
    } else if let Some((time, zone)) = p.time.captures_iter(head).find_map(|found| {
        // Many a number is no time of day.
        Some((time_of(&found)?, zone_of(&found, local)?))
    }) {
        next(time, now, zone)?
    } else {
        now + span(p.span.captures(head)?.name("span")?.as_str())
    };
    plausible(at, now)
}

/// The zone that is named, or the machine's own; none where a name is not known.
fn zone_of(found: &Captures<'_>, local: Option<Zone>) -> Option<Zone> {
    let Some(name) = found.name("zone") else {
        return local;
    };
    match name.as_str().to_ascii_lowercase().as_str() {
        "utc" | "gmt" | "z" => Some(Zone::default()),
        _ => name.as_str().parse().ok(),
    }
}

/// `7:08am`, `7 PM`, `19:08`; rounded up, because the sentence leaves the seconds out.
fn time_of(found: &Captures<'_>) -> Option<NaiveTime> {
    let hour: u32 = found["h"].parse().ok()?;
    let minute: u32 = found.name("m").map_or(Ok(0), |m| m.as_str().parse()).ok()?;
    let hour = match found.name("half").map(|h| h.as_str().to_ascii_lowercase()) {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(half) if half.starts_with('p') => hour % 12 + 12,
        Some(_) => hour % 12,
        // A bare number is no time of day.
        None if found.name("m").is_none() => return None,
        None => hour,
    };
    NaiveTime::from_hms_opt(hour, minute, 59)
}

/// The next time the clock shows this. A few minutes ago counts as just now, not as tomorrow:
/// the sentence may have been on its way.
fn next(time: NaiveTime, now: Timestamp, zone: Zone) -> Option<Timestamp> {
    let today = zone.wall(now).date();
    let at = zone.first(today.and_time(time));
    if at + Duration::from_mins(10) < now {
        Some(zone.first(today.succ_opt()?.and_time(time)))
    } else {
        Some(at)
    }
}

/// `Nov 25 at 7am (UTC)`, with or without the year.
fn day_of_year(found: &Captures<'_>, now: Timestamp, zone: Zone) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let name = found["name"].to_ascii_lowercase();
    let month = u32::try_from(MONTHS.iter().position(|m| *m == name)?).ok()? + 1;
    let day: u32 = found["d"].parse().ok()?;
    let time = time_of(found)?;
    let on = |year: i32| {
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        Some(zone.first(date.and_time(time)))
    };
    if let Some(year) = found.name("y") {
        return on(year.as_str().parse().ok()?);
    }
    let this_year = zone.wall(now).year();
    let at = on(this_year)?;
    if at + Duration::from_hours(48) < now {
        on(this_year + 1)
    } else {
        Some(at)
    }
}

/// `3 days 4 hours`, `2h 13m`, `1.5s`.
pub(super) fn span(text: &str) -> Duration {
    let mut seconds = 0.0;
    for part in PATTERNS.part.captures_iter(text) {
        let unit = match part[2].to_ascii_lowercase().as_str() {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => 86_400.0,
        };
        seconds += part[1].parse::<f64>().unwrap_or(0.0) * unit;
    }
    Duration::try_from_secs_f64(seconds.min(1e10)).unwrap_or_default()
}

/// The wait that a sentence asks for: `Please try again in 1.5s.`
pub(super) fn delay(text: &str) -> Duration {
    let head = &text[..text.floor_char_boundary(4096)];
    PATTERNS
        .span
        .captures(head)
        .map_or(Duration::ZERO, |found| span(&found["span"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_read_from_the_sentences_that_programs_print() {
        let now: Timestamp = "2026-11-20T06:15:50Z".parse().unwrap();
        let read = |text: &str| from_text(text, now).map(|t| t.to_string());
        for (text, want) in [
            (
                "You've hit your 5-hour limit · resets 8:15am (UTC)",
                Some("2026-11-20T08:15:59.000Z"),
            ),
            (
                "You've hit your session limit · resets 2pm (UTC)",
                Some("2026-11-20T14:00:59.000Z"),
            ),
            (
                "hit your weekly limit · resets Nov 25 at 7am (UTC)",
                Some("2026-11-25T07:00:59.000Z"),
            ),
            (
                "hit your weekly limit · resets Jan 2, 12am (UTC)",
                Some("2027-01-02T00:00:59.000Z"),
            ),
            ("resets 5:10am (UTC)", Some("2026-11-21T05:10:59.000Z")),
            ("resets 6:10am (UTC)", Some("2026-11-20T06:10:59.000Z")),
            (
                "Claude AI usage limit reached|1795162550",
                Some("2026-11-20T08:15:50.000Z"),
            ),
            (
                "regain access on 2026-12-01 at 00:00 UTC.",
                Some("2026-12-01T00:00:59.000Z"),
            ),
            (
                "try again at 2026-11-20T09:00:00+01:00",
                Some("2026-11-20T08:00:00.000Z"),
            ),
            (
                "Please try again in 1.5s.",
                Some("2026-11-20T06:15:51.500Z"),
            ),
            (
                "try again in 3 days 4 hours 5 minutes",
                Some("2026-11-23T10:20:50.000Z"),
            ),
            (
                "resets 7:08am (America/Los_Angeles)",
                Some("2026-11-20T15:08:59.000Z"),
            ),
            (
                "hit your weekly limit · resets Dec 17 at 6am (Europe/Oslo)",
                Some("2026-12-17T05:00:59.000Z"),
            ),
            ("try again in 2h 13m", Some("2026-11-20T08:28:50.000Z")),
            // No zone, one that does not exist, nonsense, a wall for ever.
            ("or try again at 7:13 AM.", None),
            ("resets 7:08am (Middle/Earth)", None),
            ("resets 99:99pm (UTC)", None),
            ("resets in time", None),
            ("usage limit reached|9999999999", None),
            ("regain access on 2046-02-31 at 00:00 UTC", None),
        ] {
            assert_eq!(read(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_the_machines_if_that_is_known() {
        let at = |text: &str, now: &str, local: Option<Zone>| {
            from_local_text(text, now.parse().unwrap(), local).map(|t| t.to_string())
        };
        let morning = "2026-11-20T06:15:50Z";
        let oslo = Some("Europe/Oslo".parse().unwrap());
        for (text, now, local, want) in [
            ("or try again at 7:13 AM.", morning, None, None),
            (
                "or try again at 7:13 AM.",
                morning,
                Some(Zone::default()),
                Some("2026-11-20T07:13:59.000Z"),
            ),
            // Just now, said an hour ahead; and past, so tomorrow.
            (
                "resets 7:13am",
                morning,
                oslo,
                Some("2026-11-20T06:13:59.000Z"),
            ),
            (
                "resets 2am",
                morning,
                oslo,
                Some("2026-11-21T01:00:59.000Z"),
            ),
            (
                "resets 2pm",
                morning,
                oslo,
                Some("2026-11-20T13:00:59.000Z"),
            ),
            (
                "resets Dec 17 at 6am",
                morning,
                oslo,
                Some("2026-12-17T05:00:59.000Z"),
            ),
            // An hour that clocks show twice, and one that they leave out.
            (
                "resets 2:30am",
                "2026-10-24T22:00:00Z",
                oslo,
                Some("2026-10-25T00:30:59.000Z"),
            ),
            (
                "resets 2:30am",
                "2026-03-28T23:30:00Z",
                oslo,
                Some("2026-03-29T01:00:00.000Z"),
            ),
        ] {
            assert_eq!(at(text, now, local).as_deref(), want, "{text}");
        }
    }
}
