use super::*;
use crate::core::Complexity;
use pretty_assertions::assert_eq;
use proptest::prelude::*;

fn run(tokens: u64) -> PastRun {
    PastRun {
        bead: None,
        task_type: TaskType::Debug,
        complexity: Complexity::Medium,
        agent: true,
        prompt_chars: 4000,
        provider: "claude".into(),
        model: None,
        repo: None,
        tokens,
    }
}

#[test]
fn the_loss_of_a_quantile_is_least_at_the_quantile() {
    for (share, quantile, took, want) in [
        (0.8, 100.0, 100.0, 0.0),
        (0.8, 100.0, 110.0, 8.0),
        (0.8, 100.0, 90.0, 2.0),
        (0.5, 100.0, 90.0, 5.0),
    ] {
        let loss: f64 = pinball(share, quantile, took);
        assert!((loss - want).abs() < 1e-9, "{share} {took}: {loss}");
    }
}

#[test]
fn wilsons_interval_is_that_of_the_books() {
    // Newcombe, "Two-sided confidence intervals for the single proportion", 1998: 81 of 263.
    let (low, high) = wilson(81.0 / 263.0, 263);
    assert_eq!(format!("{low:.4} {high:.4}"), "0.2553 0.3662");
}

#[test]
fn every_run_is_estimated_from_those_before_it() {
    // Ten of one size to learn from, then as many of another: the first of them surprises.
    let history: Vec<PastRun> = [vec![run(10_000); 20], vec![run(80_000); 10]].concat();
    let report = calibrate(&history).unwrap();
    assert_eq!((report.runs, report.scored), (30, 20));
    let p95 = |m: &Scored| m.coverage[2].share;
    let names: Vec<&str> = report.methods.iter().map(|m| m.method.as_str()).collect();
    assert_eq!(names, ["rigs", "table", "all runs", "4 characters"]);
    // The earlier ones all are 10,000 when the eleventh to twentieth are estimated.
    assert!(p95(&report.methods[2]) >= 0.5 && p95(&report.methods[2]) < 1.0);
    assert_eq!(p95(&report.methods[3]), 0.0);
    assert_eq!(report.methods[0].skill, 0.0);
    assert!(report.methods[3].skill > 0.5);
    assert_eq!(report.by_type.len(), 1);
    assert_eq!(report.by_type[0].scored, 20);
}

#[test]
fn what_cannot_be_known_is_not_scored() {
    assert_eq!(calibrate(&vec![run(10_000); 10]), None);
    assert_eq!(calibrate(&vec![run(0); 100]), None);
    let unknown = PastRun {
        prompt_chars: 0,
        ..run(10_000)
    };
    let report = calibrate(&vec![unknown; 30]).unwrap();
    assert_eq!(report.methods.len(), 3);
}

proptest! {
    #[test]
    fn scores_are_finite_and_shares_are_shares(tokens in prop::collection::vec(any::<u64>(), 11..40)) {
        let history: Vec<PastRun> = tokens.into_iter().map(run).collect();
        for m in calibrate(&history).into_iter().flat_map(|r| r.methods) {
            prop_assert!(m.loss.is_finite() && m.loss >= 0.0 && m.log_loss.is_finite() && m.skill <= 1.0);
            for c in m.coverage {
                prop_assert!((0.0..=1.0).contains(&c.share) && c.low <= c.quantile && c.quantile <= c.high);
            }
        }
    }
}
