use std::time::Duration;

use super::*;
use crate::config::{LimitUnit, WindowLimit};
use crate::core::Length;
use crate::core::ProviderKind;
use crate::core::time::Span;
use crate::provider::WindowStatus;
use crate::refinery::frame::Amounts;
use crate::refinery::risk::Expected;
use crate::refinery::stored::{Closed, Key, Level};
use crate::refinery::window::Confidence;
use pretty_assertions::assert_eq;

const HOUR: Duration = Duration::from_hours(1);

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_secs(minutes * 60)
}

fn limit(kind: LimitKind, unit: LimitUnit, length: Duration, amount: Option<u64>) -> WindowLimit {
    WindowLimit {
        window: Some(Length::For(Span(length))),
        kind,
        unit,
        amount,
        model: None,
        burst: None,
        zone: None,
    }
}

fn settings(limits: &[WindowLimit]) -> TankSettings {
    let entry = ProviderSettings {
        limits: limits.to_vec(),
        ..ProviderSettings::default()
    };
    let name = "claude".parse().unwrap();
    TankSettings::of(&name, &entry)
}

fn key(limit_id: &str, duration: Option<Duration>) -> Key {
    Key {
        scope: Scope::Account,
        limit_id: limit_id.into(),
        duration,
    }
}

fn row(limit_id: &str, length: Duration) -> Stored {
    Stored {
        provider: "claude".parse().unwrap(),
        key: key(limit_id, Some(length)),
        kind: LimitKind::Percent,
        unit: LimitUnit::Percent,
        limit: None,
        level: None,
        status: None,
        resets_at: None,
        closed: None,
        learned: None,
        source: "event".into(),
        observed_at: at(0),
    }
}

fn level(share: f64) -> Level {
    Level {
        share: Some(share),
        remaining: None,
        at: at(0),
        began_at: at(0),
    }
}

/// The tank when the ledger holds nothing.
fn tank(settings: &TankSettings, rows: &[Stored], open: &[Open], now: Timestamp) -> Tank {
    let frames = frames(settings, rows, now);
    let counted = vec![Counted::default(); frames.len()];
    Tank::at(settings, &frames, counted, open, Vec::new(), now)
}

fn open(minute: i64, tokens: u64) -> Open {
    Open {
        provider: "claude".parse().unwrap(),
        model: None,
        created_at: at(minute),
        run: Expected::exactly(Amounts::expected(tokens, 1, 0)),
    }
}

#[test]
fn health_goes_by_the_window_with_the_least() {
    let settings = settings(&[]);
    let health = |shares: [f64; 2]| {
        let rows = [
            Stored {
                level: Some(level(shares[0])),
                ..row("five_hour", 5 * HOUR)
            },
            Stored {
                level: Some(level(shares[1])),
                ..row("seven_day", 168 * HOUR)
            },
        ];
        tank(&settings, &rows, &[], at(1)).health
    };
    assert_eq!(
        [
            health([0.1, 0.2]),
            health([0.6, 0.2]),
            health([0.1, 0.85]),
            health([0.1, 1.0])
        ],
        [Health::Green, Health::Yellow, Health::Red, Health::Empty]
    );
}

#[test]
fn an_unknown_window_is_neither_full_nor_empty() {
    let limits = [limit(
        LimitKind::Percent,
        LimitUnit::Percent,
        5 * HOUR,
        None,
    )];
    let tank = tank(&settings(&limits), &[], &[], at(0));
    assert_eq!((tank.health, tank.ratio), (Health::Unknown, None));
    let window = &tank.windows[0];
    assert_eq!(
        (
            window.used,
            window.share,
            window.confidence,
            window.source.as_str()
        ),
        (None, None, Confidence::None, "default")
    );
}

#[test]
fn slots_are_not_fuel() {
    let busy = tank(&settings(&[]), &[], &[open(0, 1), open(0, 1)], at(0));
    assert_eq!((busy.health, busy.ratio), (Health::Green, Some(1.0)));
    assert_eq!(busy.windows[0].used, Some(2));
}

fn names(settings: &TankSettings, rows: &[Stored], now: Timestamp) -> Vec<String> {
    let frames = frames(settings, rows, now);
    frames.iter().map(Frame::name).collect()
}

#[test]
fn what_the_kind_is_known_to_have_gives_way_to_what_the_provider_says_it_has() {
    let entry = ProviderSettings {
        kind: Some(ProviderKind::Claude),
        ..ProviderSettings::default()
    };
    let known = TankSettings::of(&"claude".parse().unwrap(), &entry);
    let unheard = names(&known, &[], at(0));
    assert_eq!(unheard, ["five_hour", "seven_day", "parallel"]);
    let said = [row("seven_day", 168 * HOUR)];
    assert_eq!(names(&known, &said, at(0)), ["seven_day", "parallel"]);
}

#[test]
fn a_limit_in_tokens_that_a_person_gave_stays() {
    let given = [
        limit(LimitKind::Anchored, LimitUnit::Tokens, 5 * HOUR, Some(9)),
        limit(LimitKind::Percent, LimitUnit::Percent, 168 * HOUR, None),
    ];
    let said = [row("five_hour", 5 * HOUR)];
    assert_eq!(
        names(&settings(&given), &said, at(0)),
        ["5h_tokens", "five_hour", "parallel"]
    );
}

#[test]
fn one_limit_may_have_several_lengths_and_each_is_a_window() {
    let rows = [row("codex", 5 * HOUR), row("codex", 168 * HOUR)];
    let settings = settings(&[]);
    assert_eq!(
        names(&settings, &rows, at(0)),
        ["codex_5h", "codex_7d", "parallel"]
    );
    // The provider goes on to speak of the week alone: there are no five hours any more.
    let week = Stored {
        observed_at: at(400),
        ..rows[1].clone()
    };
    let rows = [rows[0].clone(), week];
    assert_eq!(names(&settings, &rows, at(401)), ["codex_7d", "parallel"]);
}

#[test]
fn a_size_set_before_the_provider_named_its_window_goes_over_to_it() {
    let set = Stored {
        limit: Some(90_000),
        source: "manual".into(),
        ..row("5h_percent", 5 * HOUR)
    };
    let rows = [set, row("five_hour", 5 * HOUR)];
    let frames = frames(&settings(&[]), &rows, at(0));
    let named: Vec<_> = frames.iter().map(|f| (f.name(), f.limit)).collect();
    let expected = [
        ("five_hour".to_owned(), Some(90_000)),
        ("parallel".to_owned(), Some(2)),
    ];
    assert_eq!(named, expected);
}

#[test]
fn a_reset_in_the_past_means_that_the_window_is_full_again() {
    let spent = Stored {
        level: Some(level(1.0)),
        status: Some(WindowStatus::Rejected),
        resets_at: Some(at(60)),
        ..row("five_hour", 5 * HOUR)
    };
    let before = tank(&settings(&[]), std::slice::from_ref(&spent), &[], at(59));
    assert_eq!(
        (before.health, before.next_reset),
        (Health::Empty, Some(at(60)))
    );
    let after = tank(&settings(&[]), &[spent], &[], at(60));
    assert_eq!((after.ratio, after.next_reset), (Some(1.0), None));
    let window = &after.windows[0];
    assert_eq!(
        (window.resets_at, window.confidence),
        (None, Confidence::Low)
    );
}

#[test]
fn a_refusal_is_over_at_the_reset_it_stated_however_near_that_was() {
    let refused = Stored {
        level: Some(level(1.0)),
        status: Some(WindowStatus::Rejected),
        resets_at: Some(at(2)),
        ..row("five_hour", 5 * HOUR)
    };
    let rejected = |now| {
        let tank = tank(&settings(&[]), std::slice::from_ref(&refused), &[], now);
        tank.windows[0].is_rejected
    };
    assert_eq!((rejected(at(1)), rejected(at(2))), (true, false));
}

#[test]
fn a_level_without_any_end_does_not_block_for_ever() {
    let spent = Stored {
        level: Some(level(1.0)),
        key: key("credits", None),
        ..row("credits", HOUR)
    };
    let tank_at = |minute| {
        tank(
            &settings(&[]),
            std::slice::from_ref(&spent),
            &[],
            at(minute),
        )
    };
    assert_eq!(tank_at(29).next_reset, Some(at(30)));
    assert_eq!(
        (tank_at(30).health, tank_at(30).next_reset),
        (Health::Unknown, None)
    );
}

#[test]
fn the_next_reset_is_the_latest_among_the_windows_that_block() {
    let window = |id, hours: u32, share, reset| Stored {
        level: Some(level(share)),
        resets_at: Some(at(reset)),
        ..row(id, hours * HOUR)
    };
    let rows = [
        window("five_hour", 5, 1.0, 100),
        window("seven_day", 168, 1.0, 5000),
        window("month", 720, 0.2, 9000),
    ];
    let tank = tank(&settings(&[]), &rows, &[], at(1));
    assert_eq!(tank.next_reset, Some(at(5000)));
}

#[test]
fn one_spent_model_does_not_empty_the_account() {
    let model = Stored {
        key: Key {
            scope: Scope::Model("opus".into()),
            ..key("seven_day_opus", Some(168 * HOUR))
        },
        closed: Some(Closed {
            at: at(0),
            until: at(500),
        }),
        ..row("seven_day_opus", 168 * HOUR)
    };
    let account = Stored {
        level: Some(level(0.1)),
        ..row("five_hour", 5 * HOUR)
    };
    let tank = tank(&settings(&[]), &[model, account], &[], at(1));
    assert_eq!((tank.health, tank.next_reset), (Health::Green, None));
}

#[test]
fn only_what_was_promised_after_the_observation_began_comes_on_top() {
    let seen = Stored {
        limit: Some(1000),
        level: Some(Level {
            share: Some(0.5),
            remaining: None,
            at: at(10),
            began_at: at(5),
        }),
        resets_at: Some(at(300)),
        ..row("five_hour", 5 * HOUR)
    };
    let running = [open(4, 100), open(5, 100), open(6, 100)];
    let tank = tank(&settings(&[]), &[seen], &running, at(11));
    let window = &tank.windows[0];
    assert_eq!(
        (window.used, window.reserved, window.in_flight),
        (Some(500), 100, 3)
    );
    assert_eq!(window.ratio(), Some(0.4));
}

#[test]
fn an_amount_that_the_provider_says_is_left_wins_over_the_count() {
    let requests = Stored {
        key: key("requests", None),
        kind: LimitKind::Anchored,
        unit: LimitUnit::Requests,
        limit: Some(50),
        level: Some(Level {
            share: None,
            remaining: Some(20),
            at: at(0),
            began_at: at(0),
        }),
        resets_at: Some(at(1)),
        ..row("requests", HOUR)
    };
    let frames = frames(&settings(&[]), &[requests], at(0));
    let later = Counted {
        used: Amounts {
            requests: 3,
            ..Amounts::default()
        },
        ..Counted::default()
    };
    let now = at(0) + Duration::from_secs(10);
    let tank = Tank::at(
        &settings(&[]),
        &frames,
        vec![later, Counted::default()],
        &[],
        Vec::new(),
        now,
    );
    assert_eq!(tank.windows[0].used, Some(33));
}

#[test]
fn what_would_go_unused_counts_only_where_no_longer_window_is_behind() {
    // The five hours end in half an hour, the week is half over.
    let spare = |session: f64, week: f64| {
        let rows = [
            Stored {
                level: Some(level(session)),
                resets_at: Some(at(31)),
                ..row("five_hour", 5 * HOUR)
            },
            Stored {
                level: Some(level(week)),
                resets_at: Some(at(84 * 60 + 1)),
                ..row("seven_day", 168 * HOUR)
            },
        ];
        (tank(&settings(&[]), &rows, &[], at(1)).spare * 1000.0).round() / 1000.0
    };
    // The week bounds it: 0.9 left of it, 0.5 of its time, half of it over.
    assert_eq!(spare(0.1, 0.1), 0.2);
    // The session bounds it: a twentieth more left of it than of its time.
    assert_eq!(spare(0.85, 0.0), 0.045);
    // At an even pace nothing is lost by waiting.
    assert_eq!(spare(0.1, 0.5), 0.0);
    assert_eq!(spare(0.95, 0.1), 0.0);
    assert_eq!(tank(&settings(&[]), &[], &[], at(1)).spare, 0.0);
}
