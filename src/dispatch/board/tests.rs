use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;
use crate::core::EstimateSource;

const HOUR: i64 = 3_600_000;

pub(in crate::dispatch) fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(hours * HOUR)
}

pub(in crate::dispatch) fn lane(name: &str, slots: u32) -> LaneOf<'static> {
    LaneOf {
        provider: name.parse().unwrap(),
        tank: None,
        slots,
        model: None,
        pace: None,
        closed_until: None,
        what_if: None,
    }
}

/// A bead that suits the lanes so well.
pub(in crate::dispatch) fn job(id: &str, tokens: u64, suits: &[f64]) -> Job {
    Job {
        id: format!("gt-{id}").parse().unwrap(),
        title: String::new(),
        convoy: None,
        task: TaskType::Test,
        order: 0,
        place: 0,
        estimate: Estimate {
            p50: tokens,
            p80: tokens,
            p95: tokens,
            source: EstimateSource::Given,
        },
        from: None,
        due: None,
        max_parallel: None,
        files: Vec::new(),
        suits: suits.iter().map(|s| (*s > 0.0).then_some(*s)).collect(),
        waits: Vec::new(),
        runs: None,
        is_ready: true,
    }
}

fn convoy(n: u32) -> ConvoyId {
    format!("cv-{n:05}").parse().unwrap()
}

fn boarded(jobs: Vec<Job>) -> Boarded {
    board(at(1), 8, &[lane("claude", 2), lane("codex", 1)], jobs)
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|j| j.id.as_str()).collect()
}

#[test]
fn beads_come_after_what_they_wait_for_and_what_waits_for_a_stranger_is_apart() {
    let mut late = job("late0", 1, &[1.0]);
    late.from = Some(at(9));
    let mut last = job("aaaaa", 1, &[1.0]);
    last.waits = vec![late.id.clone()];
    let mut lost = job("lost0", 1, &[1.0]);
    lost.waits = vec!["gt-gone0".parse().unwrap()];
    let mut urgent = job("zzzzz", 1, &[1.0]);
    urgent.order = 5;
    let of = boarded(vec![last, lost, late, job("bbbbb", 1, &[1.0]), urgent]);
    assert_eq!(
        ids(&of.jobs),
        ["gt-zzzzz", "gt-bbbbb", "gt-late0", "gt-aaaaa"]
    );
    assert_eq!(of.board.works[3].deps, [2]);
    assert_eq!(ids(&of.held), ["gt-lost0"]);
}

#[test]
fn a_provider_that_suits_badly_takes_longer_and_one_with_the_session_less() {
    let of = boarded(vec![job("aaaaa", 30_000, &[0.5, 1.5])]);
    let fit = |tokens, minutes: i64| {
        Some(Fit {
            tokens,
            ms: minutes * 60_000,
        })
    };
    assert_eq!(of.board.works[0].fits, [fit(60_000, 6), fit(20_000, 2)]);
}

#[test]
fn places_within_two_days_may_change_and_others_may_not() {
    let mut jobs = Vec::new();
    for (id, order) in [
        ("aaaaa", 0),
        ("bbbbb", CELL_MS - 1),
        ("ccccc", CELL_MS),
        ("ddddd", 99 * CELL_MS),
    ] {
        let mut job = job(id, 1, &[1.0]);
        job.order = order;
        jobs.push(job);
    }
    let of = boarded(jobs);
    let ranks = of.board.works.iter().map(|w| w.rank);
    let all: Vec<(&str, u32)> = ids(&of.jobs).into_iter().zip(ranks).collect();
    assert_eq!(
        all,
        [
            ("gt-ddddd", 0),
            ("gt-ccccc", 1),
            ("gt-bbbbb", 2),
            ("gt-aaaaa", 2)
        ]
    );
}

#[test]
fn of_a_convoy_as_many_run_at_once_as_may() {
    let jobs = ["a", "b", "c", "d"].map(|id| {
        let mut job = job(&id.repeat(5), 1, &[1.0]);
        job.convoy = Some(convoy(1));
        job.max_parallel = Some(2);
        job
    });
    let of = boarded(jobs.to_vec());
    let deps: Vec<&[u32]> = of.board.works.iter().map(|w| &w.deps[..]).collect();
    assert_eq!(deps, [&[][..], &[], &[0], &[1]]);
    assert_eq!(of.ties.get(&(2, 0)), Some(&Tie::Parallel(2)));
}

#[test]
fn those_that_touch_the_same_files_of_a_convoy_follow_each_other() {
    let touching = |id: &str, files: &[&str], c: u32| {
        let mut job = job(id, 1, &[1.0]);
        job.convoy = Some(convoy(c));
        job.files = files.iter().map(|f| (*f).to_owned()).collect();
        job
    };
    let of = boarded(vec![
        touching("aaaaa", &["src/x.rs", "doc"], 1),
        touching("bbbbb", &["src/y.rs"], 1),
        touching("ccccc", &["src/*.rs"], 1),
        touching("ddddd", &["./src//x.rs"], 1),
        touching("eeeee", &["src/x.rs"], 2),
    ]);
    let deps: Vec<&[u32]> = of.board.works.iter().map(|w| &w.deps[..]).collect();
    assert_eq!(deps, [&[][..], &[], &[0, 1], &[2], &[]]);
    assert_eq!(of.ties.get(&(2, 0)), Some(&Tie::File("src/*.rs".into())));
}

proptest! {
    #[test]
    fn the_order_in_which_beads_are_told_does_not_matter(
        all in prop::collection::vec((0_i64..3, prop::option::of(0_i64..9), 0_usize..40), 1..40),
        by in any::<u64>(),
    ) {
        let mut jobs: Vec<Job> = Vec::new();
        for (i, (order, from, waits)) in all.into_iter().enumerate() {
            let mut job = job(&format!("a{i:04}"), 1 + i as u64, &[1.0, 0.5]);
            job.order = order * CELL_MS;
            job.from = from.map(at);
            job.convoy = Some(convoy(1));
            job.max_parallel = Some(3);
            job.waits = jobs.get(waits).map(|j| j.id.clone()).into_iter().collect();
            jobs.push(job);
        }
        let one = boarded(jobs.clone());
        jobs.sort_by_key(|j| number(&j.id).wrapping_mul(by | 1));
        prop_assert_eq!(one, boarded(jobs));
    }
}
