use super::*;
use crate::refinery::tidy::tidy;
use pretty_assertions::assert_eq;

const HOUR: Duration = Duration::from_hours(1);

fn claude() -> ProviderName {
    "claude".parse().unwrap()
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_secs(minutes * 60)
}

fn said(minute: i64) -> Observation {
    Observation {
        limit_id: "five_hour".into(),
        scope: Scope::Account,
        duration: Some(5 * HOUR),
        status: None,
        used_fraction: None,
        limit_amount: None,
        remaining_amount: None,
        resets_at: None,
        observed_at: at(minute),
        source: "event".into(),
        kind: None,
        unit: None,
    }
}

fn observed(observation: Observation) -> Evidence {
    Evidence::Observed {
        began_at: observation.observed_at,
        taken_at: observation.observed_at,
        observation,
    }
}

fn wall(minute: i64, until: i64) -> Evidence {
    Evidence::Closed {
        window: Key {
            scope: Scope::Account,
            limit_id: "five_hour".into(),
            duration: Some(5 * HOUR),
        },
        at: at(minute),
        until: at(until),
        resets_at: Some(at(until)),
        rule: "limit".into(),
    }
}

fn fold(evidence: &[Evidence]) -> Stored {
    evidence
        .iter()
        .fold(None, |row, e| apply(row, &claude(), e, 0))
        .expect("a row")
}

#[test]
fn what_an_observation_does_not_say_is_kept_within_the_same_stretch() {
    let first = Observation {
        used_fraction: Some(0.42),
        resets_at: Some(at(300)),
        ..said(10)
    };
    let second = Observation {
        status: Some(WindowStatus::Allowed),
        resets_at: Some(at(301)),
        ..said(20)
    };
    let row = fold(&[observed(first.clone()), observed(second.clone())]);
    let level = Level {
        share: Some(0.42),
        remaining: None,
        at: at(10),
        began_at: at(10),
    };
    assert_eq!(
        (row.level, row.status, row.resets_at),
        (Some(level), Some(WindowStatus::Allowed), Some(at(301)))
    );

    let next_stretch = Observation {
        resets_at: Some(at(610)),
        ..second
    };
    let row = fold(&[observed(first), observed(next_stretch)]);
    assert_eq!((row.level, row.resets_at), (None, Some(at(610))));
}

#[test]
fn an_observation_older_than_the_last_one_is_ignored() {
    let newer = Observation {
        used_fraction: Some(0.9),
        ..said(20)
    };
    let older = Observation {
        used_fraction: Some(0.1),
        ..said(10)
    };
    let late = Evidence::Observed {
        observation: older,
        began_at: at(10),
        taken_at: at(21),
    };
    let row = fold(&[observed(newer.clone()), late]);
    assert_eq!(row, fold(&[observed(newer)]));
}

#[test]
fn a_word_from_a_clock_that_ran_ahead_does_not_silence_the_next() {
    let ahead = Observation {
        used_fraction: Some(0.9),
        ..said(100_000)
    };
    let right = Observation {
        used_fraction: Some(0.2),
        ..said(20)
    };
    let row = fold(&[observed(ahead), observed(right)]);
    assert_eq!(row.level.and_then(|l| l.share), Some(0.2));
}

#[test]
fn only_a_request_that_began_after_a_wall_can_say_that_it_is_gone() {
    let allowed = Observation {
        status: Some(WindowStatus::Allowed),
        ..said(12)
    };
    let from_before = Evidence::Observed {
        observation: allowed.clone(),
        began_at: at(5),
        taken_at: at(12),
    };
    let expected = Closed {
        at: at(10),
        until: at(300),
    };
    assert_eq!(
        fold(&[wall(10, 300), from_before]).closed,
        Some(expected),
        "a run that was under way"
    );
    assert_eq!(fold(&[wall(10, 300), observed(allowed)]).closed, None);
}

#[test]
fn a_meter_that_shows_room_does_not_open_a_wall_but_a_fall_of_it_does() {
    let used = |minute, share| {
        observed(Observation {
            used_fraction: Some(share),
            ..said(minute)
        })
    };
    assert!(
        fold(&[used(1, 0.39), wall(10, 300), used(12, 0.39)])
            .closed
            .is_some()
    );
    assert_eq!(
        fold(&[used(1, 0.39), wall(10, 300), used(12, 0.02)]).closed,
        None
    );
}

#[test]
fn the_newest_wall_is_the_last_word() {
    let row = fold(&[wall(10, 300), wall(20, 90)]);
    let expected = Closed {
        at: at(20),
        until: at(90),
    };
    assert_eq!(row.closed, Some(expected));
}

#[test]
fn hostile_figures_and_names_are_made_harmless() {
    let o = tidy(Observation {
        limit_id: "five\u{1b}[31m_hour\n".repeat(50),
        used_fraction: Some(f64::NAN),
        limit_amount: Some(u64::MAX),
        duration: Some(Duration::from_secs(u64::MAX)),
        ..said(1)
    });
    assert!(o.limit_id.chars().count() <= 64 && !o.limit_id.contains(['\u{1b}', '\n']));
    assert_eq!((o.used_fraction, o.duration), (None, None));
    assert!(o.limit_amount.unwrap() < i64::MAX as u64);
}

#[test]
fn scopes_survive_their_text_form() {
    for scope in [
        Scope::Account,
        Scope::Model("opus".into()),
        Scope::Model("model:x".into()),
    ] {
        assert_eq!(scope_from(&scope_text(&scope)), scope);
    }
}

fn share(minute: i64, share: f64) -> Observation {
    Observation {
        used_fraction: Some(share),
        resets_at: Some(at(300)),
        ..said(minute)
    }
}

#[test]
fn a_level_that_is_heard_late_counts_where_the_newer_word_told_none() {
    let allowed = Observation {
        status: Some(WindowStatus::Allowed),
        resets_at: Some(at(300)),
        ..said(20)
    };
    let late = |o: Observation| Evidence::Observed {
        began_at: o.observed_at,
        taken_at: at(21),
        observation: o,
    };
    let row = fold(&[
        observed(share(5, 0.2)),
        observed(allowed),
        late(share(10, 0.4)),
    ]);
    assert_eq!(
        row.level.map(|l| (l.share, l.at)),
        Some((Some(0.4), at(10)))
    );
    assert_eq!(row.observed_at, at(20));
    // Older than the known level, or of another stretch: no news.
    let known = [observed(share(15, 0.5)), late(share(10, 0.4))];
    assert_eq!(fold(&known).level.and_then(|l| l.share), Some(0.5));
    let other = Observation {
        resets_at: Some(at(0)),
        ..share(10, 0.9)
    };
    let newer = Observation {
        status: Some(WindowStatus::Allowed),
        resets_at: Some(at(610)),
        ..said(311)
    };
    let across = Evidence::Observed {
        began_at: at(290),
        taken_at: at(312),
        observation: other,
    };
    assert_eq!(fold(&[observed(newer), across]).level, None);
}

#[test]
fn what_was_forgotten_is_not_brought_back_by_a_word_from_before() {
    let forget = Evidence::Opened {
        window: wall(0, 0).key(),
        at: at(20),
        forget: true,
    };
    let late = Evidence::Observed {
        observation: share(15, 1.0),
        began_at: at(15),
        taken_at: at(25),
    };
    let row = fold(&[observed(share(10, 1.0)), forget, late]);
    assert_eq!((row.level, row.resets_at), (None, None));
}

#[test]
fn a_share_that_goes_on_rising_at_its_reset_says_that_the_clocks_differ() {
    let after = Observation {
        resets_at: None,
        ..share(301, 0.95)
    };
    let row = fold(&[observed(share(290, 0.9)), observed(after)]);
    assert_eq!(
        (row.level.and_then(|l| l.share), row.resets_at),
        (Some(0.95), Some(at(303)))
    );
    // One that fell is of the next stretch, and so is one whose next reset was stated.
    let fallen = Observation {
        resets_at: None,
        ..share(301, 0.01)
    };
    let row = fold(&[observed(share(290, 0.9)), observed(fallen)]);
    assert_eq!(row.resets_at, None);
    let stated = Observation {
        resets_at: Some(at(601)),
        ..share(301, 0.95)
    };
    let row = fold(&[observed(share(290, 0.9)), observed(stated)]);
    assert_eq!(row.resets_at, Some(at(601)));
}

#[test]
fn an_early_reset_forgets_the_reset_that_was_to_come() {
    let early = Observation {
        resets_at: None,
        ..share(100, 0.02)
    };
    let row = fold(&[observed(share(90, 0.8)), observed(early)]);
    assert_eq!(row.resets_at, None);
    assert_eq!(row.level.and_then(|l| l.share), Some(0.02));
}

#[test]
fn a_wall_without_a_stated_end_does_not_shorten_a_far_one() {
    let vague = Evidence::Closed {
        window: wall(0, 0).key(),
        at: at(20),
        until: at(50),
        resets_at: None,
        rule: "limit".into(),
    };
    let row = fold(&[wall(10, 4000), vague]);
    let expected = Closed {
        at: at(20),
        until: at(4000),
    };
    assert_eq!(row.closed, Some(expected));
}
