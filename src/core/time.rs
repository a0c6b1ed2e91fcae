//! Points in time: UTC with millisecond precision, RFC 3339 text wherever they are stored.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in time, UTC, in whole milliseconds. Its text form sorts like the time itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Timestamp(DateTime<Utc>);

/// Text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-11-20T07:30:00Z")]
pub(crate) struct NotATime(String);

impl Timestamp {
    /// Clamped to years 0 to 9999, so that every value has a text form of one width.
    pub(crate) fn from_millis(ms: i64) -> Self {
        const MIN: i64 = -62_167_219_200_000;
        const MAX: i64 = 253_402_300_799_999;
        Self(DateTime::from_timestamp_millis(ms.clamp(MIN, MAX)).unwrap_or_default())
    }

    pub(crate) fn from_secs(s: i64) -> Self {
        Self::from_millis(s.saturating_mul(1000))
    }

    pub(crate) fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    pub(crate) fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.millis() - earlier.millis()).unwrap_or(0))
    }

    pub(crate) fn minus(self, by: Duration) -> Self {
        Self::from_millis(self.millis().saturating_sub(as_millis(by)))
    }
}

fn as_millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self::from_millis(self.millis().saturating_add(as_millis(by)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        DateTime::parse_from_rfc3339(text)
            .map(|t| Self::from_millis(t.timestamp_millis()))
            .map_err(|_| NotATime(super::text::one_line(text, 60)))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A duration as people write and read it: `90s`, `45m`, `5h`, `7d`, `1h30m`, `250ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span(pub(crate) Duration);

/// Text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as 90s, 45m, 5h, 7d or 1h30m")]
pub(crate) struct NotASpan(String);

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let bad = || NotASpan(super::text::one_line(text, 40));
        let mut rest = text.trim();
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
            rest = &rest[digits..];
            let unit_end = rest
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(rest.len());
            let unit_ms: u64 = match rest[..unit_end].trim() {
                "ms" => 1,
                "s" => 1000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 604_800_000,
                _ => return Err(bad()),
            };
            rest = &rest[unit_end..];
            let part = number.checked_mul(unit_ms).ok_or_else(bad)?;
            total = total
                .checked_add(Duration::from_millis(part))
                .ok_or_else(bad)?;
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Span {
    /// The two largest units: `6d 4h`, `1h 30m`, `45s`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms > 0 && ms < 1000 {
            return f.pad(&format!("{ms}ms"));
        }
        let s = self.0.as_secs();
        let units = [
            (s / 86_400, "d"),
            (s / 3600 % 24, "h"),
            (s / 60 % 60, "m"),
            (s % 60, "s"),
        ];
        let first = units.iter().position(|(n, _)| *n > 0).unwrap_or(3);
        let mut text = format!("{}{}", units[first].0, units[first].1);
        if let Some((n, unit)) = units.get(first + 1).filter(|(n, _)| *n > 0) {
            text = format!("{text} {n}{unit}");
        }
        f.pad(&text)
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "duration" })
    }
}

impl serde::Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_string().replace(' ', ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_one_text_of_fixed_width_that_sorts_like_time() {
        let t: Timestamp = "2026-11-20T08:14:00+01:00".parse().unwrap();
        assert_eq!(t.to_string(), "2026-11-20T07:14:00.000Z");
        let texts =
            [0, 1, 999, 1000, 1_795_000_000_123].map(|ms| Timestamp::from_millis(ms).to_string());
        assert!(texts.is_sorted());
        assert!(texts.iter().all(|t| t.len() == 24));
        assert_eq!(
            Timestamp::from_millis(i64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn a_reset_in_the_past_is_no_wait() {
        let now = Timestamp::from_secs(100);
        assert_eq!(Timestamp::from_secs(40).since(now), Duration::ZERO);
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        let ms = |t: &str| t.parse::<Span>().map(|s| s.0.as_millis());
        assert_eq!(ms("5h"), Ok(18_000_000));
        assert_eq!(ms("1h30m"), Ok(5_400_000));
        assert_eq!(ms("1h 30m"), Ok(5_400_000));
        assert_eq!(ms("250ms"), Ok(250));
        for bad in ["", "5", "h", "-3s", "5 parsecs", "99999999999999999999h"] {
            assert!(ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_are_shown_by_their_two_largest_units() {
        let shown =
            [0, 45, 3600, 5400, 86_400, 536_400].map(|s| Span(Duration::from_secs(s)).to_string());
        assert_eq!(shown, ["0s", "45s", "1h", "1h 30m", "1d", "6d 5h"]);
    }
}
