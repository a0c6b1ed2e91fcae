//! The order among ready beads: by priority, then by what is due sooner, then by age, and nothing
//! waits for ever.
//!
//! A bead's place is the moment of its creation with a head start: two days for each level of its
//! priority, and up to one and a half for a deadline, the more the nearer it is. As everything
//! ages alike, the order between two beads never changes while they wait, so that it is stored
//! once and nothing has to renew it.
//!
//! The bound: only beads created less than seven and a half days later (the greatest head start)
//! can be claimed before another one that is ready; for beads without deadlines that are one level
//! apart it is two days.

use crate::core::{Priority, Timestamp};

/// What a level of priority is worth.
const LEVEL: i64 = 48 * HOUR;
/// The most that a deadline is worth: less than a level.
const DUE: i64 = 36 * HOUR;
const HOUR: i64 = 3_600_000;

/// The greater, the earlier it is claimed; in milliseconds. `deadline` is the earlier one of the
/// bead's own and its convoy's.
pub(crate) fn rank(priority: Priority, created_at: Timestamp, deadline: Option<Timestamp>) -> i64 {
    let due = deadline.map_or(0, |at| {
        head_start(at.millis().saturating_sub(created_at.millis()))
    });
    let ahead = priority.level() * LEVEL + due;
    ahead.saturating_sub(created_at.millis())
}

/// All of it for what was due when it was created, half of it a day and a half before.
fn head_start(left: i64) -> i64 {
    let left = i128::from(left.max(0));
    let due = i128::from(DUE);
    i64::try_from(due * due / (due + left)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hours between the greatest head start and none.
    const FURTHEST: i64 = (3 * LEVEL + DUE) / HOUR;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * HOUR)
    }

    #[test]
    fn beads_of_one_moment_go_by_priority_then_by_what_is_due_sooner() {
        let order = [
            rank(Priority::Critical, at(0), None),
            rank(Priority::High, at(0), Some(at(-3))),
            rank(Priority::High, at(0), Some(at(2))),
            rank(Priority::High, at(0), Some(at(24 * 30))),
            rank(Priority::High, at(0), None),
            rank(Priority::Normal, at(0), Some(at(1))),
            rank(Priority::Normal, at(0), None),
            rank(Priority::Low, at(0), None),
        ];
        assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
    }

    #[test]
    fn two_days_of_waiting_are_worth_a_level() {
        let low = rank(Priority::Low, at(0), None);
        assert!(low > rank(Priority::Normal, at(49), None));
        assert!(low < rank(Priority::Normal, at(47), None));
    }

    fn bead() -> impl Strategy<Value = (Priority, i64, Option<i64>)> {
        (
            prop::sample::select(Priority::ALL.to_vec()),
            0_i64..100_000,
            prop::option::of(-1_000_i64..200_000),
        )
    }

    proptest! {
        #[test]
        fn nothing_created_beyond_the_bound_comes_first(a in bead(), b in bead()) {
            let rank = |(p, created, due): (Priority, i64, Option<i64>)| rank(p, at(created), due.map(at));
            if b.1 > a.1 + FURTHEST {
                prop_assert!(rank(a) > rank(b));
            }
        }

        #[test]
        fn a_starving_bead_is_served_within_the_bound_whatever_comes(
            stream in prop::collection::vec(bead(), 1..200), when in 0_i64..400
        ) {
            // More urgent ones keep coming, more than one an hour; one an hour is served.
            let mut waiting = vec![(rank(Priority::Low, at(when), None), when, true)];
            let urgent = stream.iter().map(|(p, created, due)| {
                let created = created % 600;
                (rank(*p, at(created), due.map(at)), created, false)
            });
            waiting.extend(urgent);
            for hour in 0.. {
                let here = waiting.iter().filter(|b| b.1 <= hour).max().copied();
                let Some(best) = here else { continue };
                if best.2 {
                    break;
                }
                prop_assert!(best.1 <= when + FURTHEST, "{best:?} was served first");
                waiting.retain(|b| *b != best);
            }
        }

        #[test]
        fn any_dates_have_a_place_and_urgency_never_harms(
            created in any::<i64>(), due in any::<Option<i64>>()
        ) {
            let at = Timestamp::from_millis;
            let places = Priority::ALL.iter().map(|p| rank(*p, at(created), due.map(at)));
            prop_assert!(places.collect::<Vec<_>>().is_sorted());
            let without = rank(Priority::Low, at(created), None);
            prop_assert!(rank(Priority::Low, at(created), due.map(at)) >= without);
        }
    }
}
