//! Random policies and states: nothing panics, and nothing is approved that a rule forbids.
//! What is forbidden is worked out here a second time, slowly and from the rules as they were
//! made up rather than as they were read: a figure that is not known is tried at every value
//! that could matter.

mod brute;

use proptest::prelude::*;

use self::brute::{ACTIONS, MODELS, forbids, made, state, text};
use super::{file, now};
use crate::config::Origin;
use crate::policy::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn nothing_runs_that_a_rule_forbids(made in prop::collection::vec(made(), 0..8), state in state()) {
        let policy = read(&file(), text(&made).as_bytes());
        let policy = policy.map_err(|p| TestCaseError::fail(format!("{p:?}\n{}", text(&made))))?;
        let (facts, now) = (state.facts(), state.now());
        let verdict = evaluate(&policy, &facts, now);
        prop_assert_eq!(&verdict, &evaluate(&policy, &facts, now));
        // As it will run.
        let mut runs = state.clone();
        if let Some(model) = &verdict.modify.model {
            runs.model = MODELS.iter().position(|m| m == model);
        }
        let forbidden = forbids(&made, &runs.all(), now);
        if verdict.action != Action::Deny {
            prop_assert!(forbidden.is_none(), "rule {forbidden:?} forbids it\n{}{verdict:#?}", text(&made));
        }
        // Without changes the two say the same.
        let changes = made.iter().any(|r| ACTIONS[r.action()] == "modify");
        if !changes {
            prop_assert_eq!(verdict.action == Action::Deny, forbidden.is_some(), "{}{:#?}", text(&made), verdict);
        }
        let is_wait = matches!(verdict.action, Action::Delay | Action::Defer);
        prop_assert!(verdict.until.is_none_or(|until| is_wait && until > now));
        prop_assert_eq!(verdict.action == Action::Approve, verdict.reason.is_empty());
        for (told, rule) in explain(&policy, &facts, now).iter().map(|e| {
            let number: usize = e.rule[1..].parse().unwrap();
            (e.matched, &made[number])
        }) {
            // What is said for sure is so, whatever the unknown turns out to be.
            match told {
                truth::Truth::Yes => prop_assert_eq!(rule.matched(&state.all(), now), Some(true)),
                truth::Truth::No => prop_assert_eq!(rule.matched(&state.all(), now), Some(false)),
                truth::Truth::Unknown => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn random_bytes_are_a_policy_or_a_problem_with_a_place(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        reads(&bytes)?;
    }

    #[test]
    fn a_file_with_a_few_bytes_changed_is_a_policy_or_a_problem_with_a_place(
        made in prop::collection::vec(made(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut bytes = text(&made).into_bytes();
        for (at, byte, how) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        reads(&bytes)?;
    }

    #[test]
    fn words_of_the_language_in_any_order_do_no_harm(
        words in prop::collection::vec(prop::sample::select(vec![
            "[[rule]]\n", "[rule]\n", "name", "=", "\"a\"", "when", "{", "}", "\n", "action", "\"deny\"", ".", "[", "]",
            ",", "window_ratio", "\"< 5%\"", "hours", "\"22-6\"", "1e999", "-9223372036854775808", "0x", "nan", "scope",
            "\"bead\"", "timezone", "\"UTC\"", "1979-05-27", "'''", "\u{feff}", "\u{202e}",
        ]), 0..30),
    ) {
        reads(words.concat().as_bytes())?;
    }
}

fn reads(bytes: &[u8]) -> Result<(), TestCaseError> {
    match read(&file(), bytes) {
        Ok(policy) => {
            evaluate(&policy, &super::facts(), now());
        }
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            let lines = bytes.split(|b| *b == b'\n').count();
            for problem in problems {
                let Origin::File(place) = &problem.origin else {
                    return Err(TestCaseError::fail(format!("{problem} has no place")));
                };
                prop_assert!(
                    (1..=lines).contains(&place.line) && place.column > 0,
                    "{problem}"
                );
                prop_assert!(!problem.message.is_empty());
            }
        }
    }
    Ok(())
}
