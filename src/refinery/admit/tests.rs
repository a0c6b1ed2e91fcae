mod margin;

use std::time::Duration;

use super::*;
use crate::config::{ProviderSettings, WindowLimit};
use crate::core::Length;
use crate::core::ProviderName;
use crate::core::time::Span;
use crate::provider::{Class, WindowStatus};
use crate::refinery::circuit::{Circuit, Event};
use crate::refinery::frame::{Counted, Open};
use crate::refinery::quota::Fall;
use crate::refinery::stored::{Closed, Key, Level, Stored};
use crate::refinery::tank::{TankSettings, frames};
use pretty_assertions::assert_eq;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_hours(1);

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_secs(minutes * 60)
}

fn ask(tokens: u64) -> Ask {
    Ask {
        tokens,
        requests: 1,
        cost: MicroUsd(0),
        spread: 0.0,
        lasts: None,
        model: None,
    }
}

fn tokens(used: u64) -> Amounts {
    Amounts {
        tokens: used,
        ..Amounts::default()
    }
}

fn provider() -> ProviderName {
    "claude".parse().unwrap()
}

fn open(tokens: u64) -> Open {
    Open {
        provider: provider(),
        model: None,
        created_at: at(0),
        run: Expected::exactly(Amounts {
            runs: 1,
            ..self::tokens(tokens)
        }),
    }
}

/// A tank with one configured window and eight slots.
fn tank(kind: LimitKind, unit: LimitUnit, amount: u64, counted: Counted, open: &[Open]) -> Tank {
    let limit = WindowLimit {
        window: Some(Length::For(Span(5 * HOUR))),
        kind,
        unit,
        amount: Some(amount),
        model: None,
        burst: None,
        zone: None,
    };
    let entry = ProviderSettings {
        limits: vec![limit],
        max_parallel: 8,
        ..ProviderSettings::default()
    };
    let settings = TankSettings::of(&provider(), &entry);
    let frames = frames(&settings, &[], at(10));
    let counted = vec![counted, Counted::default()];
    Tank::at(&settings, &frames, counted, open, Vec::new(), at(10))
}

fn anchored(used: u64, open: &[Open]) -> Tank {
    let counted = Counted {
        start: (used > 0).then(|| at(0)),
        used: tokens(used),
        ..Counted::default()
    };
    tank(LimitKind::Anchored, LimitUnit::Tokens, 1000, counted, open)
}

/// A tank with one percent window of which the provider has spoken.
fn percent(change: impl FnOnce(&mut Stored), open: &[Open], now: Timestamp) -> Tank {
    let mut row = Stored {
        provider: provider(),
        key: Key {
            scope: Scope::Account,
            limit_id: "five_hour".into(),
            duration: Some(5 * HOUR),
        },
        kind: LimitKind::Percent,
        unit: LimitUnit::Percent,
        limit: None,
        level: None,
        status: Some(WindowStatus::Allowed),
        resets_at: Some(at(300)),
        closed: None,
        learned: None,
        source: "event".into(),
        observed_at: at(5),
    };
    change(&mut row);
    let entry = ProviderSettings {
        max_parallel: 8,
        ..ProviderSettings::default()
    };
    let settings = TankSettings::of(&provider(), &entry);
    let frames = frames(&settings, &[row], now);
    let counted = vec![Counted::default(); 2];
    Tank::at(&settings, &frames, counted, open, Vec::new(), now)
}

fn level(share: f64) -> Level {
    Level {
        share: Some(share),
        remaining: None,
        at: at(5),
        began_at: at(5),
    }
}

/// `None` for yes, else what refuses and until when.
fn verdict(tank: &Tank, ask: &Ask, now: Timestamp) -> Option<(Why, Option<Timestamp>)> {
    match admit(tank, ask, now) {
        Admit::Yes => None,
        Admit::No(no) => Some((no.why, no.until)),
    }
}

#[test]
fn what_is_used_promised_and_asked_must_fit_together() {
    let ask_of = |used, promised, n| verdict(&anchored(used, &[open(promised)]), &ask(n), at(10));
    assert_eq!(ask_of(400, 300, 300), None);
    assert_eq!(ask_of(400, 300, 301), Some((Why::Full, Some(at(300)))));
}

#[test]
fn the_persons_share_is_not_given_away() {
    let mut tank = anchored(400, &[]);
    tank.reserve = 0.2;
    assert_eq!(verdict(&tank, &ask(400), at(10)), None);
    assert_eq!(
        verdict(&tank, &ask(401), at(10)),
        Some((Why::Full, Some(at(300))))
    );
}

#[test]
fn a_bead_larger_than_the_window_runs_alone_in_a_fresh_one() {
    assert_eq!(verdict(&anchored(0, &[]), &ask(5000), at(10)), None);
    assert_eq!(
        verdict(&anchored(1, &[]), &ask(5000), at(10)),
        Some((Why::Full, Some(at(300))))
    );
    let others = [open(10)];
    assert_eq!(
        verdict(&anchored(0, &others), &ask(5000), at(10)),
        Some((Why::OneAtATime, None))
    );
    let giant = [open(5000)];
    assert!(verdict(&anchored(0, &giant), &ask(1), at(10)).is_some());
}

#[test]
fn money_is_never_overdrawn() {
    let tank = tank(
        LimitKind::Anchored,
        LimitUnit::MicroUsd,
        100,
        Counted::default(),
        &[],
    );
    let dear = Ask {
        cost: MicroUsd(101),
        ..ask(1)
    };
    let Admit::No(refusal) = admit(&tank, &dear, at(10)) else {
        panic!("admitted");
    };
    assert!(refusal.why == Why::TooLarge, "{refusal:?}");
}

#[test]
fn an_unknown_window_lets_one_through_at_a_time_until_it_is_heard_of() {
    let unheard = |row: &mut Stored| row.observed_at = at(-900);
    let stale = |row: &mut Stored| {
        unheard(row);
        row.resets_at = None;
    };
    assert_eq!(verdict(&percent(stale, &[], at(10)), &ask(9), at(10)), None);
    assert_eq!(
        verdict(&percent(stale, &[open(9)], at(10)), &ask(9), at(10)),
        Some((Why::OneAtATime, None))
    );
    let heard = percent(|_| {}, &[open(9)], at(10));
    assert_eq!(verdict(&heard, &ask(9), at(10)), None);
}

#[test]
fn a_percent_window_near_its_end_lets_one_through_and_at_its_end_none() {
    let at_share = |s, open: &[Open]| {
        let tank = percent(|row| row.level = Some(level(s)), open, at(10));
        verdict(&tank, &ask(9), at(10))
    };
    assert_eq!(at_share(0.79, &[open(9)]), None);
    assert_eq!(at_share(0.85, &[]), None);
    assert_eq!(at_share(0.85, &[open(9)]), Some((Why::OneAtATime, None)));
    assert_eq!(at_share(1.0, &[]), Some((Why::Full, Some(at(300)))));
}

#[test]
fn a_percent_window_of_known_size_is_counted_in_tokens() {
    let sized = |tokens: u64| {
        let change = |row: &mut Stored| {
            row.limit = Some(1000);
            row.level = Some(level(0.5));
        };
        verdict(&percent(change, &[], at(10)), &ask(tokens), at(10))
    };
    assert_eq!(sized(500), None);
    assert_eq!(sized(501), Some((Why::Full, Some(at(300)))));
}

#[test]
fn a_rejection_blocks_until_its_reset_whatever_the_meter_says() {
    let rejected = |row: &mut Stored| {
        row.status = Some(WindowStatus::Rejected);
        row.level = Some(level(0.39));
    };
    let refused = percent(rejected, &[], at(10));
    assert_eq!(
        verdict(&refused, &ask(9), at(10)),
        Some((Why::Closed, Some(at(300))))
    );
}

#[test]
fn after_a_wall_one_probe_goes_first() {
    let wall = |row: &mut Stored| {
        row.closed = Some(Closed {
            at: at(5),
            until: at(60),
        });
    };
    let now = |minute, open: &[Open]| {
        let now = at(minute);
        verdict(&percent(wall, open, now), &ask(9), now)
    };
    assert_eq!(now(59, &[]), Some((Why::Closed, Some(at(60)))));
    assert_eq!(now(60, &[]), None);
    assert_eq!(now(61, &[open(9)]), Some((Why::OneAtATime, None)));
}

#[test]
fn a_full_window_of_which_nobody_knows_the_end_lets_one_probe_through() {
    let endless = |open: &[Open]| {
        let mut tank = percent(|row| row.limit = Some(1000), open, at(10));
        let window = &mut tank.windows[0];
        (window.used, window.share) = (Some(990), Some(0.99));
        (window.resets_at, window.blocks_until) = (None, None);
        verdict(&tank, &ask(100), at(10))
    };
    assert_eq!(endless(&[]), None);
    assert_eq!(endless(&[open(1)]), Some((Why::Full, None)));
}

#[test]
fn the_window_that_frees_last_binds() {
    let mut tank = anchored(999, &[]);
    let mut week = tank.windows[0].clone();
    week.name = "7d_tokens".into();
    week.blocks_until = Some(at(9000));
    tank.windows.push(week);
    let Admit::No(refusal) = admit(&tank, &ask(5), at(10)) else {
        panic!("admitted");
    };
    let expected = Refusal {
        why: Why::Full,
        window: Some("7d_tokens".into()),
        until: Some(at(9000)),
        reason: "claude 7d_tokens: 5 tokens asked, 1 left".into(),
    };
    assert_eq!(refusal, expected);
}

#[test]
fn slots_are_counted_by_what_runs() {
    let full: Vec<Open> = (0..8).map(|_| open(1)).collect();
    assert_eq!(
        verdict(&anchored(0, &full), &ask(1), at(10)),
        Some((Why::Slots, None))
    );
    assert_eq!(verdict(&anchored(0, &full[..7]), &ask(1), at(10)), None);
}

#[test]
fn an_open_circuit_pauses_and_then_lets_one_probe_through() {
    let failed = Event::Failed {
        class: Class::Overloaded,
        now: at(10),
    };
    let circuit = (0..3).fold(Circuit::default(), |c, _| c.apply(failed.clone()));
    let with = |scope: Scope, open: &[Open]| {
        let mut tank = anchored(0, open);
        tank.circuits = vec![(scope, circuit.clone())];
        tank
    };
    let account = with(Scope::Account, &[]);
    assert_eq!(
        verdict(&account, &ask(1), at(10)),
        Some((Why::Paused, Some(at(11))))
    );
    assert_eq!(verdict(&account, &ask(1), at(11)), None);
    assert_eq!(
        verdict(&with(Scope::Account, &[open(1)]), &ask(1), at(11)),
        Some((Why::OneAtATime, None))
    );
    let sonnet = Ask {
        model: Some("sonnet".into()),
        ..ask(1)
    };
    let opus = with(Scope::Model("opus".into()), &[]);
    assert_eq!(verdict(&opus, &sonnet, at(10)), None);
}

#[test]
fn a_disabled_provider_says_what_to_do() {
    let mut tank = anchored(999, &[]);
    let circuit = Circuit::default().apply(Event::Disabled {
        class: Class::Auth,
        reason: "log in again".into(),
        fingerprint: None,
    });
    tank.circuits = vec![(Scope::Account, circuit)];
    let expected = Refusal {
        why: Why::Disabled,
        window: None,
        until: None,
        reason: "claude is disabled (auth): log in again".into(),
    };
    assert_eq!(admit(&tank, &ask(5), at(10)), Admit::No(expected));
}

proptest! {
    /// Waiting until the stated time always helps, and never do two admitted asks exceed it.
    #[test]
    fn a_rolling_refusal_names_the_first_moment_at_which_it_fits(
        parts in proptest::collection::vec((0_i64..600, 1_u64..300), 0..12),
        asked in 1_u64..1000,
    ) {
        let mut parts = parts;
        parts.sort_unstable();
        let now = at(10);
        let falls_after = |t: Timestamp| -> Vec<Fall> {
            parts.iter()
                .map(|(minute, amount)| Fall { at: now + Duration::from_mins(*minute as u64 + 1), amount: *amount })
                .filter(|f| f.at > t)
                .collect()
        };
        let tank_at = |t: Timestamp| {
            let falls = falls_after(t);
            let used = falls.iter().map(|f| f.amount).sum();
            let counted = Counted { used: tokens(used), falls, ..Counted::default() };
            tank(LimitKind::Rolling, LimitUnit::Tokens, 1000, counted, &[])
        };
        match verdict(&tank_at(now), &ask(asked), now) {
            None => {
                let used: u64 = parts.iter().map(|p| p.1).sum();
                prop_assert!(used + asked <= 1000);
            }
            Some((why, until)) => {
                let until = until.expect("a time");
                prop_assert_eq!(why, Why::Full);
                prop_assert_eq!(verdict(&tank_at(until), &ask(asked), until), None);
                let just_before = until.minus(Duration::from_millis(1));
                prop_assert!(verdict(&tank_at(just_before), &ask(asked), just_before).is_some());
            }
        }
    }
}
