use proptest::prelude::*;

use super::*;

fn schedule(hours: &str, days: &str, zone: &str) -> Schedule {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Schedule {
        hours: given(hours).map(|t| t.parse().unwrap()),
        days: given(days).map(|t| t.parse().unwrap()),
        zone: zone.parse().unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn hours_over_midnight_belong_to_the_day_they_began_on() {
    let s = schedule("22-06", "fri", "UTC");
    // 2026-11-20 is a Friday.
    assert!(!s.covers(at("2026-11-20T05:00:00Z")));
    assert!(s.covers(at("2026-11-20T22:00:00Z")));
    assert!(s.covers(at("2026-11-21T05:59:00Z")));
    assert!(!s.covers(at("2026-11-21T06:00:00Z")));
    assert!(!s.covers(at("2026-11-21T22:00:00Z")));
    assert_eq!(
        s.ends(at("2026-11-20T23:00:00Z")),
        Some(at("2026-11-21T06:00:00Z"))
    );
    assert_eq!(s.ends(at("2026-11-21T06:00:00Z")), None);
}

#[test]
fn the_zone_decides_with_its_daylight_saving() {
    let s = schedule("09-18", "mon-fri", "Europe/Berlin");
    assert!(s.covers(at("2026-07-20T07:00:00Z")));
    assert!(!s.covers(at("2026-11-20T07:00:00Z")));
    assert!(s.covers(at("2026-11-20T08:00:00Z")));
    assert_eq!(
        s.ends(at("2026-07-20T07:00:00Z")),
        Some(at("2026-07-20T16:00:00Z"))
    );
    // On 2026-03-29 there is no half past two: the stretch ends when the clock is past it.
    let night = schedule("23-02:30", "", "Europe/Berlin");
    assert_eq!(
        night.ends(at("2026-03-28T23:00:00Z")),
        Some(at("2026-03-29T01:00:00Z"))
    );
}

#[test]
fn days_alone_last_until_the_first_day_that_is_not_among_them() {
    let s = schedule("", "sat,sun", "UTC");
    assert_eq!(
        s.ends(at("2026-11-21T12:00:00Z")),
        Some(at("2026-11-23T00:00:00Z"))
    );
    assert_eq!(
        schedule("", "mon-sun", "UTC").ends(at("2026-11-21T12:00:00Z")),
        None
    );
    assert_eq!(
        "fri-mon".parse::<Days>().unwrap().to_string(),
        "mon,fri-sun"
    );
}

#[test]
fn what_is_no_part_of_a_week_is_refused_with_an_example() {
    for bad in [
        "", "9", "9-9", "24-6", "9-25", "09:60-10", "+9-10", "9--10", "109-110",
    ] {
        assert!(bad.parse::<Hours>().is_err(), "{bad}");
    }
    for bad in ["", "monday", "mon-", "mon,,tue", "mon..fri"] {
        assert!(bad.parse::<Days>().is_err(), "{bad}");
    }
    let slip = "Europe/Berlni".parse::<Zone>().unwrap_err().to_string();
    assert_eq!(
        slip,
        "`Europe/Berlni` is no time zone (did you mean `Europe/Berlin`?)"
    );
}

proptest! {
    /// A stretch holds until its end and not at it, whatever the zone does meanwhile.
    #[test]
    fn a_stretch_ends_in_the_future(
        from in 0..24u16, to in 0..=24u16, days in 1..128u8, zone in 0..3usize, secs in 1_700_000_000i64..1_900_000_000,
    ) {
        prop_assume!(from != to);
        let zones = ["UTC", "America/New_York", "Australia/Lord_Howe"];
        let s = Schedule {
            hours: Some(Hours { from: from * 60, to: to * 60 }),
            days: Some(Days(days)),
            zone: zones[zone].parse().unwrap(),
        };
        let at = Timestamp::from_secs(secs);
        prop_assert_eq!(s.covers(at), s.ends(at).is_some());
        if let Some(end) = s.ends(at) {
            prop_assert!(end > at);
            prop_assert!(end.since(at) <= Duration::from_hours(25));
        }
    }
}
