use super::*;
use crate::dispatch::affinity::{Affinity, Prior, Says};
use pretty_assertions::assert_eq;
use proptest::prelude::*;

const LOW: Stakes = Stakes {
    priority: Priority::Normal,
    permission: Permission::Edit,
    has_deadline: false,
    is_first_attempt: true,
};

const ENOUGH: Quota = Quota {
    share: 0.05,
    outcomes: 100,
    tried: 0,
};

fn known(name: &str, value: f64, weight: f64) -> Candidate {
    let prior = Prior {
        value,
        says: Says::BuiltIn,
    };
    Candidate {
        provider: name.parse().unwrap(),
        model: None,
        room: Room::Yes,
        affinity: Affinity {
            weight,
            ..Affinity::untried(prior)
        },
        place: 0,
        ratio: None,
        red: false,
        green: true,
        next_reset: None,
        spare: 0.0,
        has_session: false,
        worn: false,
        preferred: false,
        ruled: None,
        is_denied: false,
    }
}

/// The best is known well; of the others one is known less than the other.
fn three() -> Vec<Candidate> {
    vec![
        known("best", 0.8, 50.0),
        known("some", 0.6, 3.0),
        known("new", 0.6, 0.0),
    ]
}

fn choice(candidates: &[Candidate], stakes: Stakes, quota: Quota) -> Option<String> {
    let best = "best".parse().unwrap();
    explore(candidates, &best, stakes, quota).map(|c| c.provider.to_string())
}

#[test]
fn who_is_known_least_is_tried_first_if_they_may_be_as_good() {
    let mut all = three();
    assert_eq!(choice(&all, LOW, ENOUGH).as_deref(), Some("new"));
    all[2] = known("new", 0.2, 0.0);
    assert_eq!(choice(&all, LOW, ENOUGH).as_deref(), Some("some"));
    // Known well enough to be no better.
    all[1] = known("some", 0.6, 40.0);
    assert_eq!(choice(&all, LOW, ENOUGH), None);
    // Among equals the order of the person, then the name.
    let equals = [
        known("best", 0.8, 50.0),
        known("b", 0.6, 0.0),
        known("a", 0.6, 0.0),
    ];
    assert_eq!(choice(&equals, LOW, ENOUGH).as_deref(), Some("a"));
}

type Change = fn(&mut Candidate);

#[test]
fn what_matters_to_a_person_is_never_used_to_find_out() {
    for stakes in [
        Stakes {
            priority: Priority::Critical,
            ..LOW
        },
        Stakes {
            permission: Permission::Full,
            ..LOW
        },
        Stakes {
            has_deadline: true,
            ..LOW
        },
        Stakes {
            is_first_attempt: false,
            ..LOW
        },
    ] {
        assert_eq!(choice(&three(), stakes, ENOUGH), None, "{stakes:?}");
    }
    let spoil: [Change; 6] = [
        |c| c.preferred = true,
        |c| c.has_session = true,
        |c| {
            c.room = Room::Busy {
                reason: String::new(),
            }
        },
        |c| c.red = true,
        |c| c.worn = true,
        |c| c.affinity.table = 0.0,
    ];
    for (i, change) in spoil.iter().enumerate() {
        let mut all = three();
        all.remove(1);
        assert_eq!(choice(&all, LOW, ENOUGH).as_deref(), Some("new"));
        change(&mut all[1]);
        assert_eq!(choice(&all, LOW, ENOUGH), None, "{i}");
    }
}

proptest! {
    /// Whatever happens, no more than the share is given away; 0 gives none.
    #[test]
    fn the_share_is_never_exceeded(share in 0.0..=1.0f64, ends in prop::collection::vec(any::<bool>(), 0..300)) {
        let mut quota = Quota { share, outcomes: 0, tried: 0 };
        for is_end in ends {
            if is_end {
                quota.outcomes += 1;
            } else if choice(&three(), LOW, quota).is_some() {
                quota.tried += 1;
            }
            prop_assert!(quota.tried as f64 <= share * quota.outcomes as f64);
        }
    }
}
