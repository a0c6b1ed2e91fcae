//! A small week, with what decides and with something else in its place: the judge must see it.

use super::*;
use crate::refinery::Admit;

/// Seconds in a debug build. Windows of so few runs are met now and then where estimates are off,
/// so that the bar of walls is not for it.
fn small(rules: Rules) -> Report {
    let knobs = Knobs {
        agents: 4,
        burst: 2.0,
        convoys: 2,
        ready: 12,
        ..Knobs::default()
    };
    played(knobs, rules).unwrap()
}

#[test]
fn a_week_exceeds_no_window_starves_nothing_and_is_the_same_twice() {
    let report = small(Rules::REAL);
    let missed = report.missed();
    let but_walls = missed.iter().filter(|what| !what.contains("1 run in 200"));
    assert_eq!(but_walls.count(), 0, "{report}");
    assert!(report.exact.runs > 900, "{report}");
    let low = report.exact.longest[&Priority::Low];
    assert!((96.0..144.0).contains(&low), "four to six days: {report}");
}

#[test]
fn an_order_without_ageing_is_found() {
    let ageless = |priority: Priority, created: crate::core::Timestamp, _| {
        priority.level() * 1_000_000_000_000 - created.millis()
    };
    let report = small(Rules {
        rank: ageless,
        ..Rules::REAL
    });
    let waited = "a bead waited while others were begun that come later";
    assert!(report.missed().contains(&waited), "{report}");
}

#[test]
fn an_admission_that_lets_everything_through_is_found() {
    let open = Rules {
        admit: |_, _, _| Admit::Yes,
        ..Rules::REAL
    };
    let knobs = Knobs {
        agents: 4,
        days: 1,
        burst: 2.0,
        convoys: 2,
        ready: 12,
        ..Knobs::default()
    };
    let report = played(knobs, open).unwrap();
    let refused = "a request was refused although estimates were exact";
    assert!(report.missed().contains(&refused), "{report}");
}

#[test]
fn shares_are_equal_at_one_and_one_of_ten_without_anything_is_below_the_bar() {
    assert!((judge::jain(&[0.5; 10]) - 1.0).abs() < 1e-12);
    let mut one_left_out = [0.7; 10];
    one_left_out[3] = 0.0;
    assert!(judge::jain(&one_left_out) < FAIRNESS);
}

#[test]
fn knobs_are_given_by_name_and_nonsense_is_refused() {
    let parse = |arg: &str| Knobs::parse(&["--bench".to_owned(), arg.to_owned()]);
    let twenty = Knobs {
        agents: 20,
        ..Knobs::default()
    };
    assert_eq!(parse("AGENTS=20"), Ok(twenty));
    assert!(parse("AGENTS=2").is_err() && parse("COLOUR=1").is_err());
}
