//! Days, weeks and months of a time zone: limits that fill up at its midnight.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};

use super::Timestamp;
use super::words::word_enum;
use super::zone::Zone;

word_enum! {
    /// A stretch of the calendar.
    pub(crate) enum Period as "period" {
        Day = "day",
        /// From Monday.
        Week = "week",
        Month = "month",
    }
}

/// The days, weeks or months of one zone, one after the other without gap or overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Calendar {
    pub(crate) period: Period,
    pub(crate) zone: Zone,
}

impl Period {
    /// Its usual length; the one of a month is that of the longest.
    pub(crate) const fn nominal(self) -> std::time::Duration {
        std::time::Duration::from_hours(match self {
            Self::Day => 24,
            Self::Week => 168,
            Self::Month => 744,
        })
    }

    /// The first day of the period that `day` lies in.
    fn first_day(self, day: NaiveDate) -> NaiveDate {
        let back = match self {
            Self::Day => 0,
            Self::Week => day.weekday().num_days_from_monday(),
            Self::Month => day.day0(),
        };
        day - Days::new(u64::from(back))
    }

    fn next(self, first: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => first + Days::new(1),
            Self::Week => first + Days::new(7),
            Self::Month => first + Months::new(1),
        }
    }
}

impl Calendar {
    /// Begin and end (exclusive) of the period that `now` lies in. A day begins when its zone's
    /// clock first shows midnight or, where midnight is skipped, later.
    pub(crate) fn span(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let today = self.zone.wall(now).date();
        // Where a clock falls back over midnight, it shows yesterday again for a while.
        let mut first = self
            .period
            .first_day(self.period.first_day(today) - Days::new(1));
        let mut begin = self.begin(first);
        loop {
            first = self.period.next(first);
            let end = self.begin(first);
            if now < end {
                return (begin, end);
            }
            begin = end;
        }
    }

    fn begin(self, day: NaiveDate) -> Timestamp {
        self.zone.first(day.and_time(NaiveTime::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn span(period: Period, zone: &str, now: &str) -> (String, String) {
        let zone = zone.parse().unwrap();
        let (begin, end) = Calendar { period, zone }.span(now.parse().unwrap());
        let short = |at: Timestamp| at.utc().format("%Y-%m-%dT%H:%MZ").to_string();
        (short(begin), short(end))
    }

    #[test]
    fn days_weeks_and_months_end_at_the_midnight_of_their_zone() {
        use Period::{Day, Month, Week};
        const PACIFIC: &str = "America/Los_Angeles";
        for (period, zone, now, begin, end) in [
            // An ordinary day, winter and summer.
            (
                Day,
                PACIFIC,
                "2026-11-20T07:59:59Z",
                "2026-11-19T08:00Z",
                "2026-11-20T08:00Z",
            ),
            (
                Day,
                PACIFIC,
                "2026-07-01T07:00:00Z",
                "2026-07-01T07:00Z",
                "2026-07-02T07:00Z",
            ),
            // 23 and 25 hours.
            (
                Day,
                PACIFIC,
                "2026-03-08T12:00:00Z",
                "2026-03-08T08:00Z",
                "2026-03-09T07:00Z",
            ),
            (
                Day,
                PACIFIC,
                "2026-11-01T12:00:00Z",
                "2026-11-01T07:00Z",
                "2026-11-02T08:00Z",
            ),
            // Midnight does not exist: the day begins at 01:00.
            (
                Day,
                "Africa/Cairo",
                "2026-04-24T12:00:00Z",
                "2026-04-23T22:00Z",
                "2026-04-24T21:00Z",
            ),
            // Midnight comes twice: at one o'clock it is twelve again.
            (
                Day,
                "America/Havana",
                "2026-11-01T04:30:00Z",
                "2026-11-01T04:00Z",
                "2026-11-02T05:00Z",
            ),
            (
                Day,
                "America/Havana",
                "2026-11-01T05:30:00Z",
                "2026-11-01T04:00Z",
                "2026-11-02T05:00Z",
            ),
            // At midnight it is eleven of yesterday again.
            (
                Day,
                "America/Sao_Paulo",
                "2018-02-18T01:30:00Z",
                "2018-02-17T02:00Z",
                "2018-02-18T03:00Z",
            ),
            (
                Day,
                "America/Sao_Paulo",
                "2018-02-18T02:30:00Z",
                "2018-02-17T02:00Z",
                "2018-02-18T03:00Z",
            ),
            // A day that a whole country never had.
            (
                Day,
                "Pacific/Apia",
                "2011-12-30T09:59:00Z",
                "2011-12-29T10:00Z",
                "2011-12-30T10:00Z",
            ),
            (
                Day,
                "Pacific/Apia",
                "2011-12-30T10:00:00Z",
                "2011-12-30T10:00Z",
                "2011-12-31T10:00Z",
            ),
            // Half hours.
            (
                Day,
                "Australia/Lord_Howe",
                "2026-10-03T14:00:00Z",
                "2026-10-03T13:30Z",
                "2026-10-04T13:00Z",
            ),
            // Weeks begin on Monday, also over the end of a year and over a change of the clock.
            (
                Week,
                "UTC",
                "2026-11-22T23:59:59Z",
                "2026-11-16T00:00Z",
                "2026-11-23T00:00Z",
            ),
            (
                Week,
                "UTC",
                "2027-01-01T00:00:00Z",
                "2026-12-28T00:00Z",
                "2027-01-04T00:00Z",
            ),
            (
                Week,
                "Europe/Berlin",
                "2026-03-29T20:00:00Z",
                "2026-03-22T23:00Z",
                "2026-03-29T22:00Z",
            ),
            // Ends of months.
            (
                Month,
                "UTC",
                "2026-02-28T23:59:59Z",
                "2026-02-01T00:00Z",
                "2026-03-01T00:00Z",
            ),
            (
                Month,
                "UTC",
                "2028-02-29T12:00:00Z",
                "2028-02-01T00:00Z",
                "2028-03-01T00:00Z",
            ),
            (
                Month,
                "UTC",
                "2026-12-31T23:59:59Z",
                "2026-12-01T00:00Z",
                "2027-01-01T00:00Z",
            ),
            (
                Month,
                "UTC",
                "2026-01-31T12:00:00Z",
                "2026-01-01T00:00Z",
                "2026-02-01T00:00Z",
            ),
            (
                Month,
                PACIFIC,
                "2026-11-01T06:59:00Z",
                "2026-10-01T07:00Z",
                "2026-11-01T07:00Z",
            ),
            (
                Month,
                PACIFIC,
                "2026-11-20T00:00:00Z",
                "2026-11-01T07:00Z",
                "2026-12-01T08:00Z",
            ),
        ] {
            assert_eq!(
                span(period, zone, now),
                (begin.to_owned(), end.to_owned()),
                "{period} {zone} {now}"
            );
        }
    }

    proptest! {
        #[test]
        fn periods_follow_each_other_without_gap_or_overlap(
            which in 0..chrono_tz::TZ_VARIANTS.len(),
            period in proptest::sample::select(Period::ALL),
            start in 0_i64..4_000_000_000_000,
        ) {
            let zone = chrono_tz::TZ_VARIANTS[which].name().parse().unwrap();
            let calendar = Calendar { period, zone };
            let mut now = Timestamp::from_millis(start);
            for _ in 0..3 {
                let (begin, end) = calendar.span(now);
                prop_assert!(begin <= now && now < end);
                // The longest is a month and an hour; a day was once skipped.
                prop_assert!(end.since(begin) <= period.nominal() + Duration::from_hours(25));
                let last = end.minus(Duration::from_millis(1));
                prop_assert_eq!(calendar.span(last), (begin, end));
                prop_assert_eq!(calendar.span(begin), (begin, end));
                prop_assert_eq!(calendar.span(end).0, end);
                now = end;
            }
        }
    }
}
