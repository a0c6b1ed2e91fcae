//! Hours and days of the week in a time zone, daylight saving included: when a rule holds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{Datelike, Days as Later, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};

use super::Timestamp;
use super::text::one_line;
use super::zone::Zone;

/// Text that is no hour or day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotInTheWeek(String);

/// Part of a day, in whole minutes; from 22:00 to 06:00 goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Hours {
    from: u16,
    to: u16,
}

const DAY: u16 = 24 * 60;

impl Hours {
    fn covers(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// Whether `minute` belongs to the stretch that began the day before.
    fn is_of_yesterday(self, minute: u16) -> bool {
        self.from >= self.to && minute < self.to
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        let text = format!(
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        );
        f.pad(&text)
    }
}

impl FromStr for Hours {
    type Err = NotInTheWeek;

    /// `09-18`, `22:30-06:00`.
    fn from_str(text: &str) -> Result<Self, NotInTheWeek> {
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':').unwrap_or((text.trim(), "0"));
            let number = |text: &str| {
                let plain = text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
                text.parse::<u16>().ok().filter(|_| plain)
            };
            let (hour, minute) = (number(hour)?, number(minute)?);
            let at = hour * 60 + minute;
            (minute < 60 && at <= DAY).then_some(at)
        };
        let both = text.split_once('-');
        let both = both.and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match both {
            Some((from, to)) if from != to && from < DAY => Ok(Self { from, to }),
            Some(_) | None => Err(NotInTheWeek(format!(
                "`{}` are no hours such as 09-18 or 22:30-06:00",
                one_line(text, 40)
            ))),
        }
    }
}

/// Days of the week, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Days(u8);

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    fn has(self, day: Weekday) -> bool {
        self.0 & (1 << day.num_days_from_monday()) != 0
    }

    fn is_all(self) -> bool {
        self.0 == 0b111_1111
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |day: usize| self.0 & (1 << day) != 0;
        let mut names = Vec::new();
        let mut day = 0;
        while day < 7 {
            let last = (day..7).take_while(|d| has(*d)).last();
            match last {
                None => {}
                Some(last) if last > day + 1 => {
                    names.push(format!("{}-{}", NAMES[day], NAMES[last]));
                    day = last;
                }
                Some(_) => names.push(NAMES[day].to_owned()),
            }
            day += 1;
        }
        f.pad(&names.join(","))
    }
}

impl FromStr for Days {
    type Err = NotInTheWeek;

    /// `mon-fri`, `sat,sun`, `fri-mon`.
    fn from_str(text: &str) -> Result<Self, NotInTheWeek> {
        let bad = || {
            NotInTheWeek(format!(
                "`{}` are no days such as mon-fri or sat,sun",
                one_line(text, 40)
            ))
        };
        let day = |word: &str| {
            let word = word.trim().to_lowercase();
            NAMES.iter().position(|name| *name == word).ok_or_else(bad)
        };
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut at, last) = (day(first)?, day(last)?);
            days |= 1 << last;
            while at != last {
                days |= 1 << at;
                at = (at + 1) % 7;
            }
        }
        Ok(Self(days))
    }
}

/// Stretches of the week. Hours that go over midnight belong to the day on which they began:
/// `fri` with `22-06` holds on Saturday at five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Schedule {
    pub(crate) hours: Option<Hours>,
    pub(crate) days: Option<Days>,
    pub(crate) zone: Zone,
}

impl Schedule {
    pub(crate) fn covers(&self, at: Timestamp) -> bool {
        self.began_on(at).is_some()
    }

    /// The local day on which the stretch that holds at `at` began.
    fn began_on(&self, at: Timestamp) -> Option<NaiveDate> {
        let local = self.zone.wall(at);
        let minute = minute_of(local);
        let date = match self.hours {
            Some(hours) if !hours.covers(minute) => return None,
            Some(hours) if hours.is_of_yesterday(minute) => local.date().pred_opt()?,
            Some(_) | None => local.date(),
        };
        self.days
            .is_none_or(|days| days.has(date.weekday()))
            .then_some(date)
    }

    /// The moments after `at`, in order, at which it may begin or cease to hold: a week of them.
    pub(crate) fn edges(&self, at: Timestamp) -> Vec<Timestamp> {
        let today = self.zone.wall(at).date();
        let minutes = match self.hours {
            Some(hours) => vec![0, hours.from % DAY, hours.to % DAY],
            None => vec![0],
        };
        let times = (0..=8).filter_map(|days| today.checked_add_days(Later::new(days)));
        let mut edges: Vec<Timestamp> = times
            .flat_map(|date| minutes.iter().map(move |m| (date, u32::from(*m))))
            .filter_map(|(date, m)| date.and_hms_opt(m / 60, m % 60, 0))
            .map(|wall| self.zone.first(wall))
            .filter(|edge| *edge > at)
            .collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// When the stretch that holds at `at` is over; `None` where none holds, or it always does.
    pub(crate) fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        let began = self.began_on(at)?;
        let end = match (self.hours, self.days) {
            (Some(hours), _) => {
                let wraps = u64::from(hours.from >= hours.to || hours.to == DAY);
                let date = began.checked_add_days(Later::new(wraps))?;
                let to = u32::from(hours.to % DAY);
                date.and_hms_opt(to / 60, to % 60, 0)?
            }
            (None, Some(days)) if !days.is_all() => {
                let mut date = began.succ_opt()?;
                while days.has(date.weekday()) {
                    date = date.succ_opt()?;
                }
                date.and_time(NaiveTime::MIN)
            }
            (None, Some(_) | None) => return None,
        };
        // In the hour that comes twice, the first one of it may be over already.
        Some(self.zone.first(end))
            .filter(|end| *end > at)
            .or(Some(at + Duration::from_mins(15)))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(days) = self.days {
            write!(f, "{days} ")?;
        }
        if let Some(hours) = self.hours {
            write!(f, "{hours} ")?;
        }
        write!(f, "{}", self.zone)
    }
}

impl serde::Serialize for Schedule {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

fn minute_of(local: NaiveDateTime) -> u16 {
    (local.hour() * 60 + local.minute()) as u16
}

macro_rules! as_text {
    ($name:ident, $format:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

as_text!(Hours, "hours");
as_text!(Days, "days");

#[cfg(test)]
mod tests;
