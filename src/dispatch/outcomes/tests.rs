use super::*;
use pretty_assertions::assert_eq;
use proptest::prelude::*;

const DAY: i64 = 86_400;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn outcome(verdict: Verdict, actual_tokens: i64) -> Outcome {
    Outcome {
        provider: "codex".parse().unwrap(),
        model: None,
        task_type: TaskType::Test,
        verdict,
        estimated_tokens: 1000,
        actual_tokens,
    }
}

#[test]
fn work_counts_by_what_became_of_it_and_by_what_it_took() {
    use Verdict::{Accepted, Failed, Revised};
    for (verdict, estimated, actual, want) in [
        (Accepted, 1000, 1000, 1.0),
        (Accepted, 1000, 1, 1.0),
        (Accepted, 1000, 2000, 1.0),
        (Accepted, 1000, 4000, 0.875),
        (Accepted, 1000, 8000, 0.75),
        (Accepted, 1000, i64::MAX, 0.75),
        (Accepted, 0, 5000, 1.0),
        (Accepted, 1000, 0, 1.0),
        (Revised, 1000, 1, 0.5),
        (Failed, 1000, 1, 0.0),
    ] {
        assert_eq!(
            credit(verdict, estimated, actual),
            want,
            "{verdict} {actual}"
        );
    }
}

#[test]
fn a_month_later_it_counts_half_and_the_counts_stay() {
    let once = Record::new(at(0)).with(&outcome(Verdict::Accepted, 700), at(0));
    assert_eq!(once.faded(at(30 * DAY)), (0.5, 0.5));
    assert_eq!(once.faded(at(-DAY)), (1.0, 1.0));
    let twice = once.with(&outcome(Verdict::Failed, 300), at(60 * DAY));
    assert_eq!(
        twice,
        Record {
            accepted: 1,
            failed: 1,
            tokens: 1000,
            weight: 1.25,
            credit: 0.25,
            ..Record::new(at(60 * DAY))
        }
    );
}

#[test]
fn records_are_found_by_provider_model_and_kind_of_task() {
    let name = |n: &str| n.parse::<ProviderName>().unwrap();
    let of = |n: i64| Record {
        accepted: n,
        tried: 10 * n,
        ..Record::new(at(0))
    };
    let mut all = Records::default();
    all.add(name("a"), String::new(), TaskType::Test, of(1));
    all.add(name("a"), "big".into(), TaskType::Test, of(2));
    all.add(name("b"), String::new(), TaskType::Debug, of(3));
    let get = |n: &str, model, task| all.get(&name(n), model, task).map(|r| r.accepted);
    assert_eq!(get("a", None, TaskType::Test), Some(1));
    assert_eq!(get("a", Some("big"), TaskType::Test), Some(2));
    assert_eq!(get("a", Some("small"), TaskType::Test), None);
    assert_eq!(get("b", None, TaskType::Test), None);
    assert_eq!(get("c", None, TaskType::Test), None);
    assert_eq!(all.at(TaskType::Test), (3, 30));
    assert_eq!(all.iter().count(), 3);
}

proptest! {
    #[test]
    fn weight_and_credit_stay_what_they_mean(
        steps in prop::collection::vec((0..3usize, any::<i64>(), -100 * DAY..100 * DAY), 0..40),
        now in any::<i32>(),
    ) {
        let record = steps.iter().fold(Record::new(at(0)), |r, (v, tokens, secs)| {
            r.with(&outcome(Verdict::ALL[*v], *tokens), at(*secs))
        });
        let (weight, credit) = record.faded(at(i64::from(now)));
        prop_assert!(0.0 <= credit && credit <= weight && weight <= steps.len() as f64);
        prop_assert_eq!(record.outcomes(), steps.len() as i64);
        prop_assert!(record.tokens >= 0);
    }
}
