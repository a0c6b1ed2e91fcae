use super::*;
use crate::dispatch::affinity::{Prior, Says};

fn candidate(name: &str, affinity: f64, ratio: f64) -> Candidate {
    Candidate {
        provider: name.parse().unwrap(),
        model: None,
        room: Room::Yes,
        affinity: Affinity::untried(Prior {
            value: affinity,
            says: Says::BuiltIn,
        }),
        place: 0,
        ratio: Some(ratio),
        red: ratio < 0.2,
        green: ratio >= 0.5,
        next_reset: None,
        spare: 0.0,
        has_session: false,
        worn: false,
        preferred: false,
        ruled: None,
        is_denied: false,
    }
}

fn closed(until: i64) -> Room {
    Room::Closed {
        window: "five_hour".into(),
        until: Timestamp::from_secs(until),
        reason: "full".into(),
    }
}

fn chosen(candidates: &[Candidate], strategy: Strategy) -> String {
    told(decide(candidates, strategy, None).0)
}

fn told(decision: Decision) -> String {
    match decision {
        Decision::Run { provider, .. } => provider.to_string(),
        Decision::Defer {
            provider, until, ..
        } => format!("{} at {}", provider.unwrap(), until.millis() / 1000),
        Decision::Wait { .. } => "wait".into(),
        Decision::Keep { .. } => "keep".into(),
        Decision::TooLarge { .. } => "too large".into(),
        Decision::Forbidden { reason } => format!("forbidden: {reason}"),
        Decision::Impossible { reason } => reason,
    }
}

#[test]
fn affinity_and_capacity_decide_together() {
    let even = [candidate("claude", 1.0, 0.9), candidate("codex", 0.6, 0.9)];
    assert_eq!(chosen(&even, Strategy::Balanced), "claude");
    let uneven = [candidate("claude", 1.0, 0.3), candidate("codex", 0.6, 0.9)];
    assert_eq!(chosen(&uneven, Strategy::Balanced), "codex");
}

#[test]
fn among_equals_the_order_of_the_settings_decides_then_the_name() {
    let mut c = [candidate("a", 0.5, 0.9), candidate("b", 0.5, 0.9)];
    for strategy in Strategy::ALL {
        assert_eq!(chosen(&c, *strategy), "a");
    }
    c[0].place = 1;
    for strategy in Strategy::ALL {
        assert_eq!(chosen(&c, *strategy), "b");
    }
}

#[test]
fn among_those_that_suit_about_as_well_what_would_go_unused_is_used() {
    let mut c = [candidate("claude", 1.0, 0.9), candidate("codex", 0.9, 0.9)];
    c[1].spare = 0.8;
    assert_eq!(chosen(&c, Strategy::Balanced), "codex");
    let (_, considered) = decide(&c, Strategy::Balanced, None);
    let factors: Vec<f64> = considered.iter().map(|c| c.expiring).collect();
    assert_eq!(factors, [1.2, 1.0]);
    c[1].affinity.value = 0.5;
    assert_eq!(chosen(&c, Strategy::Balanced), "claude");
}

#[test]
fn a_preferred_provider_wins_while_it_has_room() {
    let mut c = [candidate("claude", 1.0, 0.9), candidate("codex", 0.1, 0.3)];
    c[1].preferred = true;
    assert_eq!(chosen(&c, Strategy::Balanced), "codex");
    c[1].room = closed(100);
    assert_eq!(chosen(&c, Strategy::Balanced), "claude");
}

#[test]
fn strategies_differ_in_what_they_wait_for() {
    let mut red = candidate("claude", 1.0, 0.1);
    red.next_reset = Some(Timestamp::from_secs(50));
    let yellow = candidate("codex", 0.6, 0.3);
    let both = [red.clone(), yellow];
    assert_eq!(chosen(&both, Strategy::Balanced), "codex");
    assert_eq!(chosen(&both, Strategy::Conservative), "claude at 50");
    assert_eq!(chosen(&[red.clone()], Strategy::Balanced), "claude at 50");
    assert_eq!(chosen(&[red.clone()], Strategy::Aggressive), "claude");
    red.next_reset = None;
    assert_eq!(chosen(&[red], Strategy::Balanced), "claude");
}

#[test]
fn without_room_the_first_to_free_is_waited_for() {
    let mut c = [candidate("claude", 1.0, 0.0), candidate("codex", 0.6, 0.0)];
    c[0].room = closed(500);
    c[1].room = closed(300);
    assert_eq!(chosen(&c, Strategy::Balanced), "codex at 300");
    c[0].room = Room::Busy {
        reason: "1 of 1 running".into(),
    };
    assert_eq!(chosen(&c, Strategy::Balanced), "wait");
}

#[test]
fn a_session_waits_for_its_provider_and_wins_over_a_little_affinity() {
    let mut c = [candidate("claude", 1.0, 0.9), candidate("codex", 0.8, 0.9)];
    c[1].has_session = true;
    assert_eq!(chosen(&c, Strategy::Balanced), "codex");
    c[1].room = Room::Busy {
        reason: "busy".into(),
    };
    assert_eq!(chosen(&c, Strategy::Balanced), "wait");
}

#[test]
fn what_nobody_can_do_says_why() {
    assert_eq!(chosen(&[], Strategy::Balanced), "no provider is configured");
    let mut c = [candidate("ollama", 0.3, 1.0)];
    c[0].room = Room::Never {
        reason: "cannot edit files".into(),
    };
    assert_eq!(chosen(&c, Strategy::Balanced), "ollama: cannot edit files");
    c[0].room = Room::TooLarge {
        window: "5h".into(),
    };
    assert_eq!(chosen(&c, Strategy::Balanced), "too large");
}

#[test]
fn what_only_the_policy_stands_against_is_forbidden() {
    let never = |reason: &str| Room::Never {
        reason: reason.into(),
    };
    let mut c = [candidate("claude", 1.0, 0.9), candidate("codex", 0.6, 0.9)];
    c[0].room = never("rule a");
    c[0].is_denied = true;
    assert_eq!(chosen(&c, Strategy::Balanced), "codex");
    c[1].room = never("not logged in");
    assert_eq!(
        chosen(&c, Strategy::Balanced),
        "forbidden: claude: rule a; codex: not logged in"
    );
}

#[test]
fn an_unknown_tank_is_tried_and_the_order_is_stable() {
    let mut c = [candidate("b", 0.5, 1.0), candidate("a", 0.5, 1.0)];
    assert_eq!(chosen(&c, Strategy::Balanced), "a");
    c[1].ratio = None;
    assert_eq!(chosen(&c, Strategy::Balanced), "b");
    let (_, considered) = decide(&c, Strategy::Balanced, None);
    let scores: Vec<f64> = considered.iter().map(|c| c.score).collect();
    assert_eq!(scores, [0.5, 0.25]);
}

#[test]
fn whose_work_was_refused_repeatedly_is_out_while_another_can_take_it_soon() {
    let worn = Candidate {
        worn: true,
        preferred: true,
        ..candidate("a", 1.0, 1.0)
    };
    let other = candidate("b", 0.2, 0.5);
    let with = |room: Room, red: bool| {
        let other = Candidate {
            room,
            red,
            ..other.clone()
        };
        chosen(&[worn.clone(), other], Strategy::Balanced)
    };
    assert_eq!(with(Room::Yes, false), "b");
    for room in [
        closed(50),
        Room::Never {
            reason: "no".into(),
        },
    ] {
        assert_eq!(with(room, false), "a");
    }
    assert_eq!(with(Room::Yes, true), "a");
    assert_eq!(chosen(std::slice::from_ref(&worn), Strategy::Balanced), "a");
    assert_eq!(chosen(&[worn, other], Strategy::Conservative), "b");
}

/// Advice to begin there, or to keep the room of those.
fn advice(start: Option<&str>, holds: &[&str]) -> Advice {
    let hold = |name: &&str| {
        let hold = super::super::advice::Hold {
            why: super::super::advice::Reason::Kept,
            until: Timestamp::from_secs(9),
            reason: format!("{name} is kept"),
        };
        (name.parse().unwrap(), hold)
    };
    Advice {
        start: start.map(|name| name.parse().unwrap()),
        holds: holds.iter().map(hold).collect(),
    }
}

#[test]
fn the_plan_proposes_and_the_tank_decides() {
    let even = || [candidate("claude", 1.0, 0.9), candidate("codex", 0.6, 0.9)];
    let mut full = even();
    full[1].room = closed(5);
    let mut red = even();
    red[1].red = true;
    let mut named = even();
    named[0].preferred = true;
    let mut none = even();
    none[0].room = closed(7);
    none[1].room = closed(5);
    for (candidates, start, holds, does) in [
        (even(), Some("codex"), &[][..], "codex"),
        (even(), None, &["claude"], "codex"),
        (even(), None, &["claude", "codex"], "keep"),
        // Without room, or with too little left, the score decides as without a plan.
        (full, Some("codex"), &[], "claude"),
        (red, Some("codex"), &[], "claude"),
        (even(), Some("gone"), &["gone"], "claude"),
        (none, Some("codex"), &["claude"], "codex at 5"),
        // Whom the person named is above the plan.
        (named, Some("codex"), &["claude"], "claude"),
    ] {
        let advice = advice(start, holds);
        let (decision, considered) = decide(&candidates, Strategy::Balanced, Some(&advice));
        assert_eq!(told(decision), does, "{start:?} {holds:?}");
        for c in considered {
            let name = c.provider.to_string();
            let said = match (start == Some(&name), holds.contains(&name.as_str())) {
                (true, _) => Some("begins it here now".to_owned()),
                (false, true) => Some(format!("{name} is kept")),
                (false, false) => None,
            };
            assert_eq!(c.plan, said);
        }
    }
}
