use super::*;
use crate::depot::Verdict;
use crate::dispatch::outcomes::Outcome;
use pretty_assertions::assert_eq;
use proptest::prelude::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn table(value: f64) -> Prior {
    Prior {
        value,
        says: Says::BuiltIn,
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    Outcome {
        provider: "codex".parse().unwrap(),
        model: None,
        task_type: TaskType::Test,
        verdict,
        estimated_tokens: 1000,
        actual_tokens: 1000,
    }
}

/// All at the same moment.
fn record(verdicts: &[Verdict]) -> Record {
    let start = Record::new(at(0));
    verdicts
        .iter()
        .fold(start, |r, v| r.with(&outcome(*v), at(0)))
}

fn value(prior: f64, verdicts: &[Verdict]) -> f64 {
    Affinity::of(table(prior), Some(&record(verdicts)), at(0)).value
}

#[test]
fn the_nearest_word_on_an_affinity_wins() {
    let name: ProviderName = "work".parse().unwrap();
    let mut entry = ProviderSettings::default();
    let mut routing = RoutingSettings::default();
    let ask = |e: &ProviderSettings, r: &RoutingSettings| {
        let said = prior(&name, ProviderKind::Claude, e, r, TaskType::Review);
        (said.value, said.says)
    };
    let of = |value: f64| [(TaskType::Review, value)].into();
    assert_eq!(ask(&entry, &routing), (0.7, Says::BuiltIn));
    routing.hints.insert("claude".into(), of(0.1));
    assert_eq!(ask(&entry, &routing), (0.1, Says::Repository));
    routing.hints.insert("work".into(), of(0.15));
    assert_eq!(ask(&entry, &routing), (0.15, Says::Repository));
    routing.affinity.insert("claude".into(), of(0.2));
    assert_eq!(ask(&entry, &routing), (0.2, Says::Routing));
    routing.affinity.insert("work".into(), of(0.3));
    assert_eq!(ask(&entry, &routing), (0.3, Says::Routing));
    entry.affinity.insert(TaskType::Review, 7.0);
    assert_eq!(ask(&entry, &routing), (1.0, Says::Provider));
}

#[test]
fn what_is_known_is_an_average_of_the_table_and_the_outcomes() {
    use Verdict::{Accepted, Failed, Revised};
    let mut verdicts = vec![Accepted; 11];
    verdicts.extend([Revised, Revised, Failed]);
    let known = Affinity::of(table(0.6), Some(&record(&verdicts)), at(0));
    assert_eq!(
        known,
        Affinity {
            // (5 * 0.6 + 11 + 2 * 0.5) / (5 + 14)
            value: 15.0 / 19.0,
            table: 0.6,
            says: Says::BuiltIn,
            accepted: 11,
            reworked: 2,
            failed: 1,
            weight: 14.0,
        }
    );
    // The best of the table falls below the second after four failures, and not before.
    assert!(value(1.0, &[Failed; 3]) > 0.6 && value(1.0, &[Failed; 4]) < 0.6);
}

fn verdicts() -> impl Strategy<Value = Vec<Verdict>> {
    let one = (0..Verdict::ALL.len()).prop_map(|i| Verdict::ALL[i]);
    prop::collection::vec(one, 0..60)
}

proptest! {
    #[test]
    fn an_affinity_is_a_share_and_without_data_the_table(
        prior in any::<f64>(), weight in any::<f64>(), credit in any::<f64>(), now in any::<i32>(),
    ) {
        let odd = Record { weight, credit, ..Record::new(at(0)) };
        let known = Affinity::of(table(prior), Some(&odd), at(i64::from(now)));
        prop_assert!((0.0..=1.0).contains(&known.value), "{known:?}");
        prop_assert!(known.doubt().is_finite() && known.doubt() <= 0.5);
        let none = Affinity::of(table(prior), None, at(0));
        prop_assert_eq!(none.value, clean(prior));
    }

    #[test]
    fn better_work_never_counts_less(
        prior in 0.0..=1.0f64, before in verdicts(), after in verdicts(),
    ) {
        use Verdict::{Accepted, Failed, Revised};
        let with = |v: Verdict| {
            let all: Vec<Verdict> = before.iter().chain([&v]).chain(&after).copied().collect();
            value(prior, &all)
        };
        prop_assert!(with(Failed) <= with(Revised) && with(Revised) <= with(Accepted));
        let mut more = before.clone();
        more.push(Accepted);
        prop_assert!(value(prior, &more) >= value(prior, &before) - 1e-12);
        more = before.clone();
        more.push(Failed);
        prop_assert!(value(prior, &more) <= value(prior, &before) + 1e-12);
    }

    #[test]
    fn with_many_outcomes_it_is_the_rate_that_was_seen(prior in 0.0..=1.0f64, accepted in 0..=20usize) {
        let one: Vec<Verdict> = (0..20)
            .map(|i| if i < accepted { Verdict::Accepted } else { Verdict::Failed })
            .collect();
        let off = |times: usize| (value(prior, &one.repeat(times)) - accepted as f64 / 20.0).abs();
        prop_assert!(off(10) <= 5.0 / 205.0 + 1e-9);
        prop_assert!(off(40) <= off(10) + 1e-9);
    }
}
