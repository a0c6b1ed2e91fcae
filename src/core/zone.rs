//! Time zones: which clock on a wall a limit or a habit follows.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{Local, NaiveDateTime, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::Timestamp;
use super::calendar::{Calendar, Period};
use super::suggest::nearest;
use super::text::one_line;

/// `local`, or a name of the IANA database such as `America/Los_Angeles`; its rules are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Zone {
    /// That of the machine.
    Local,
    Named(Named),
}

impl Default for Zone {
    fn default() -> Self {
        Self::Named(Named(Tz::UTC))
    }
}

/// A zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Named(Tz);

impl PartialOrd for Named {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Named {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.name().cmp(other.0.name())
    }
}

/// Text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{zone}` is no time zone ({hint})")]
pub(crate) struct NotAZone {
    zone: String,
    hint: String,
}

impl Zone {
    /// What the clock on the wall shows at `at`.
    pub(crate) fn wall(self, at: Timestamp) -> NaiveDateTime {
        match self {
            Self::Local => at.utc().with_timezone(&Local).naive_local(),
            Self::Named(Named(tz)) => at.utc().with_timezone(&tz).naive_local(),
        }
    }

    /// When the local day of `at` began.
    pub(crate) fn day_began(self, at: Timestamp) -> Timestamp {
        Calendar {
            period: Period::Day,
            zone: self,
        }
        .span(at)
        .0
    }

    /// When the next local day begins.
    pub(crate) fn day_ends(self, at: Timestamp) -> Timestamp {
        Calendar {
            period: Period::Day,
            zone: self,
        }
        .span(at)
        .1
    }

    /// The first moment at which the clock on the wall shows `wall` or later. A time that comes
    /// twice is its first; one that is skipped is the moment of the jump over it.
    pub(crate) fn first(self, wall: NaiveDateTime) -> Timestamp {
        /// No zone is further from UTC, and no jump is larger.
        const MARGIN: Duration = Duration::from_hours(40);
        let found = match self {
            Self::Local => Local
                .from_local_datetime(&wall)
                .earliest()
                .as_ref()
                .map(utc),
            Self::Named(Named(tz)) => tz.from_local_datetime(&wall).earliest().as_ref().map(utc),
        };
        if let Some(at) = found {
            return at;
        }
        // Skipped: around a jump forward the wall clock only rises, so halving finds the jump.
        let middle = Timestamp::from_millis(wall.and_utc().timestamp_millis());
        let (mut before, mut after) = (middle.minus(MARGIN).millis(), (middle + MARGIN).millis());
        while after - before > 1 {
            let half = before + (after - before) / 2;
            if self.wall(Timestamp::from_millis(half)) >= wall {
                after = half;
            } else {
                before = half;
            }
        }
        Timestamp::from_millis(after)
    }
}

fn utc<T: TimeZone>(at: &chrono::DateTime<T>) -> Timestamp {
    Timestamp::from_millis(at.timestamp_millis())
}

impl FromStr for Zone {
    type Err = NotAZone;

    fn from_str(text: &str) -> Result<Self, NotAZone> {
        if text.eq_ignore_ascii_case("local") {
            return Ok(Self::Local);
        }
        text.parse()
            .map(|tz| Self::Named(Named(tz)))
            .map_err(|_| NotAZone {
                zone: one_line(text, 60),
                hint: nearest(text, TZ_VARIANTS.iter().map(|tz| tz.name())).map_or_else(
                    || "such as local, UTC or Europe/Berlin".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
            })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Named(Named(tz)) => tz.name(),
        })
    }
}

impl<'de> serde::Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl schemars::JsonSchema for Zone {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Zone".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "time zone" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    #[test]
    fn a_wrong_name_gets_a_suggestion() {
        let error = "America/Los_Angles".parse::<Zone>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`America/Los_Angles` is no time zone (did you mean `America/Los_Angeles`?)"
        );
    }

    #[test]
    fn times_that_come_twice_or_never_have_one_first_moment() {
        for (name, wall, first) in [
            // Spring: the clock goes from 02:00 to 03:00.
            (
                "America/Los_Angeles",
                "2026-03-08T02:30:00",
                "2026-03-08T10:00:00.000Z",
            ),
            // Autumn: 01:30 comes twice.
            (
                "America/Los_Angeles",
                "2026-11-01T01:30:00",
                "2026-11-01T08:30:00.000Z",
            ),
            // Midnight itself is skipped.
            (
                "Africa/Cairo",
                "2026-04-24T00:00:00",
                "2026-04-23T22:00:00.000Z",
            ),
            // A whole day is skipped.
            (
                "Pacific/Apia",
                "2011-12-30T12:00:00",
                "2011-12-30T10:00:00.000Z",
            ),
            ("UTC", "2026-02-28T23:59:59", "2026-02-28T23:59:59.000Z"),
        ] {
            let at = zone(name).first(wall.parse().unwrap());
            assert_eq!(at.to_string(), first, "{name} {wall}");
        }
    }

    proptest! {
        #[test]
        fn the_first_moment_shows_the_time_and_no_moment_just_before_it_does(
            which in 0..TZ_VARIANTS.len(), ms in 0_i64..2_000_000_000_000,
        ) {
            let zone = Zone::Named(Named(TZ_VARIANTS[which]));
            let wall = Timestamp::from_millis(ms).utc().naive_utc();
            let first = zone.first(wall);
            prop_assert!(zone.wall(first) >= wall);
            prop_assert!(zone.wall(first.minus(Duration::from_millis(1))) < wall);
        }
    }
}
