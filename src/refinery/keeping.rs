//! How much of every window is the person's, hour by hour.

use crate::config::ProviderSettings;
use crate::core::Timestamp;
use crate::core::schedule::Schedule;

/// The person's share: always this much, at some hours another.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keeping {
    always: f64,
    hours: Vec<(Schedule, f64)>,
}

impl Keeping {
    pub(crate) fn of(entry: &ProviderSettings) -> Self {
        Self {
            always: sane(entry.reserve),
            hours: entry
                .reserve_hours
                .iter()
                .map(|h| (h.schedule(), sane(h.share)))
                .collect(),
        }
    }

    /// Share kept at `now`, 0 to 1: the largest of the hours that hold then, else the usual one.
    pub(crate) fn share(&self, now: Timestamp) -> f64 {
        let holding = self.hours.iter().filter(|(s, _)| s.covers(now));
        let largest = holding.map(|(_, share)| *share).reduce(f64::max);
        largest.unwrap_or(self.always)
    }

    /// When within a week less will be kept than now, with the share from then on: each time that
    /// it falls below all before.
    pub(crate) fn falls(&self, now: Timestamp) -> Vec<(Timestamp, f64)> {
        let mut edges: Vec<Timestamp> = self
            .hours
            .iter()
            .flat_map(|(schedule, _)| schedule.edges(now))
            .collect();
        edges.sort_unstable();
        let mut least = self.share(now);
        let mut falls = Vec::new();
        for at in edges {
            let share = self.share(at);
            if share < least {
                least = share;
                falls.push((at, share));
            }
        }
        falls
    }
}

fn sane(share: f64) -> f64 {
    if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::ReserveHours;
    use proptest::prelude::*;
    use std::time::Duration;

    fn hours(hours: &str, days: &str, share: f64, zone: &str) -> ReserveHours {
        ReserveHours {
            hours: Some(hours.parse().unwrap()),
            days: Some(days.parse().unwrap()),
            share,
            zone: Some(zone.parse().unwrap()),
        }
    }

    fn keeping(reserve: f64, reserve_hours: Vec<ReserveHours>) -> Keeping {
        Keeping::of(&ProviderSettings {
            reserve,
            reserve_hours,
            ..ProviderSettings::default()
        })
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_share_follows_the_hours_of_its_zone() {
        let desk = keeping(0.1, vec![hours("09-18", "mon-fri", 0.4, "Europe/Berlin")]);
        for (now, share) in [
            // A Friday in winter, then one in summer.
            ("2026-11-20T07:59:59Z", 0.1),
            ("2026-11-20T08:00:00Z", 0.4),
            ("2026-11-20T17:00:00Z", 0.1),
            ("2026-07-17T07:00:00Z", 0.4),
            ("2026-07-17T16:00:00Z", 0.1),
            // Saturday.
            ("2026-11-21T12:00:00Z", 0.1),
        ] {
            assert_eq!(desk.share(at(now)), share, "{now}");
        }
        assert_eq!(
            desk.falls(at("2026-11-20T12:00:00Z")),
            [(at("2026-11-20T17:00:00Z"), 0.1)]
        );
        assert_eq!(desk.falls(at("2026-11-20T20:00:00Z")), []);
    }

    #[test]
    fn hours_over_midnight_and_over_a_change_of_the_clock_end_when_the_wall_clock_says() {
        let night = keeping(0.5, vec![hours("22-06", "sat", 0.0, "America/New_York")]);
        // 2026-11-01 is the Sunday on which the clock goes back.
        assert_eq!(night.share(at("2026-11-01T10:59:59Z")), 0.0);
        assert_eq!(night.share(at("2026-11-01T11:00:00Z")), 0.5);
        assert_eq!(
            night.falls(at("2026-10-31T12:00:00Z")),
            [(at("2026-11-01T02:00:00Z"), 0.0)]
        );
    }

    #[test]
    fn where_several_hours_hold_the_largest_share_counts() {
        let both = keeping(
            0.9,
            vec![
                hours("00-24", "mon-sun", 0.1, "UTC"),
                hours("12-13", "mon-sun", 0.3, "UTC"),
            ],
        );
        assert_eq!(both.share(at("2026-11-20T11:00:00Z")), 0.1);
        assert_eq!(both.share(at("2026-11-20T12:30:00Z")), 0.3);
    }

    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    const ZONES: [&str; 4] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
    ];

    proptest! {
        #[test]
        fn the_next_fall_is_the_one_that_a_watch_finds(
            from in 0_u32..24, to in 0_u32..25, day in 0_usize..7, days in 1_usize..7,
            share in 0_u8..10, reserve in 0_u8..10, zone in 0_usize..4, start in 0_i64..400,
        ) {
            prop_assume!(from != to);
            let span = format!("{from:02}-{to:02}");
            let names = format!("{}-{}", NAMES[day], NAMES[(day + days) % 7]);
            let entry = hours(&span, &names, f64::from(share) / 10.0, ZONES[zone]);
            let keeping = keeping(f64::from(reserve) / 10.0, vec![entry]);
            // Around the year, so that every change of the clock is met.
            let now = Timestamp::from_secs(1_790_000_000 + start * 22 * 3600 + 1234);
            let found = keeping.falls(now).first().map(|f| f.0);
            let least = keeping.share(now);
            let step = Duration::from_mins(15);
            let aligned = Timestamp::from_millis(now.millis() / 900_000 * 900_000 + 900_000);
            let seen = (0..7 * 96)
                .map(|i| aligned + step * i)
                .find(|t| keeping.share(*t) < least);
            prop_assert!(seen.is_none() || found == seen, "{found:?} {seen:?}");
        }
    }
}
