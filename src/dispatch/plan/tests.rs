use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;

fn lane(slots: u32, windows: &[(i64, u64)]) -> Lane {
    Lane {
        slots,
        per_minute: None,
        windows: windows
            .iter()
            .map(|&(length_ms, limit)| Window {
                length_ms,
                limit,
                until: 0,
                used: 0,
            })
            .collect(),
        recent: Vec::new(),
    }
}

/// `fits`: tokens and milliseconds per lane; no tokens: not allowed there.
fn work(id: u64, fits: &[(u64, i64)], deps: &[u32]) -> Work {
    Work {
        id,
        kind: 0,
        rank: 0,
        from_ms: 0,
        due_ms: None,
        fits: fits
            .iter()
            .map(|&(tokens, ms)| (tokens > 0).then_some(Fit { tokens, ms }))
            .collect(),
        deps: deps.to_vec(),
        progress: Progress::Open,
    }
}

fn board(lanes: Vec<Lane>, works: Vec<Work>) -> Board {
    Board {
        now: 0,
        max_running: 32,
        spread: 0.0,
        lanes,
        works,
    }
}

fn planned(board: &Board) -> Plan {
    plan(board, &mut Memory::default(), 1, 20_000)
}

/// Bead, lane, start.
fn starts(board: &Board) -> Vec<(u32, u8, i64)> {
    let all = planned(board).starts;
    all.iter().map(|s| (s.work, s.lane, s.at_ms)).collect()
}

#[test]
fn an_empty_board_has_an_empty_plan() {
    let plan = planned(&board(vec![lane(1, &[])], Vec::new()));
    assert_eq!((plan.starts, plan.finish_ms), (Vec::new(), 0));
}

#[test]
fn a_bead_waits_for_what_it_depends_on_and_for_its_time() {
    let mut later = work(2, &[(1, 10)], &[]);
    later.from_ms = 500;
    let b = board(
        vec![lane(3, &[])],
        vec![work(0, &[(1, 100)], &[]), work(1, &[(1, 10)], &[0]), later],
    );
    assert_eq!(starts(&b), [(0, 0, 0), (1, 0, 100), (2, 0, 500)]);
}

#[test]
fn the_longer_chain_goes_first() {
    let b = board(
        vec![lane(1, &[])],
        vec![
            work(0, &[(1, 50)], &[]),
            work(1, &[(1, 10)], &[]),
            work(2, &[(1, 100)], &[1]),
        ],
    );
    assert_eq!(planned(&b).starts[0].work, 1);
}

#[test]
fn a_window_that_is_full_is_waited_for_and_small_work_fills_it_meanwhile() {
    let b = board(
        vec![lane(9, &[(HOUR, 100)])],
        vec![
            work(0, &[(60, 1000)], &[]),
            work(1, &[(60, 1000)], &[]),
            work(2, &[(40, 10)], &[]),
        ],
    );
    let mut all = starts(&b);
    all.sort_unstable();
    // Which of the two large ones is first does not matter.
    let (first, second) = if all[0].2 == 0 { (0, 1) } else { (1, 0) };
    let mut expected = vec![(first, 0, 0), (second, 0, HOUR), (2, 0, 0)];
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[test]
fn scarce_tokens_are_not_spent_on_what_another_lane_can_do() {
    // Only the first lane may take the large ones; its window holds two of them.
    let b = board(
        vec![lane(4, &[(HOUR, 100)]), lane(4, &[])],
        vec![
            work(0, &[(50, 100), (50, 300)], &[]),
            work(1, &[(50, 100), (50, 300)], &[]),
            work(2, &[(50, 100), (0, 0)], &[]),
            work(3, &[(50, 100), (0, 0)], &[]),
        ],
    );
    let plan = planned(&b);
    assert_eq!(plan.finish_ms, 300);
}

#[test]
fn what_is_larger_than_a_window_runs_alone_in_a_fresh_one() {
    let b = board(
        vec![lane(4, &[(HOUR, 100)])],
        vec![work(0, &[(10, 10)], &[]), work(1, &[(500, 10)], &[])],
    );
    let mut at: Vec<i64> = starts(&b).iter().map(|s| s.2).collect();
    at.sort_unstable();
    assert_eq!(at, [0, HOUR]);
}

#[test]
fn no_more_starts_in_60_seconds_than_allowed_those_of_before_included() {
    let mut slow = lane(9, &[]);
    slow.per_minute = Some(2);
    slow.recent = vec![-30_000];
    let works = (0..3).map(|i| work(i, &[(1, 10)], &[])).collect();
    let at: Vec<i64> = starts(&board(vec![slow], works))
        .iter()
        .map(|s| s.2)
        .collect();
    assert_eq!(at, [0, 30_000, 60_000]);
}

#[test]
fn a_better_rank_never_waits_for_a_worse_one_even_through_what_it_depends_on() {
    let mut urgent = work(3, &[(1, 10)], &[2]);
    let mut rest: Vec<Work> = (0..3).map(|i| work(i, &[(1, 100)], &[])).collect();
    for w in &mut rest {
        w.rank = 1;
    }
    urgent.rank = 0;
    rest.push(urgent);
    let order: Vec<u32> = starts(&board(vec![lane(1, &[])], rest))
        .iter()
        .map(|s| s.0)
        .collect();
    assert_eq!(order[..2], [2, 3]);
}

#[test]
fn a_deadline_is_kept_where_that_costs_only_time() {
    let mut due = work(0, &[(1, 10)], &[]);
    due.due_ms = Some(10);
    let mut works: Vec<Work> = (1..4).map(|i| work(i, &[(1, 100)], &[])).collect();
    works.push(due);
    assert_eq!(starts(&board(vec![lane(1, &[])], works))[0], (3, 0, 0));
}

#[test]
fn with_wrong_estimates_the_end_of_a_window_waits_until_the_runs_before_are_known() {
    let two = |spread| {
        let mut b = board(
            vec![lane(4, &[(HOUR, 100)])],
            vec![work(0, &[(50, 100)], &[]), work(1, &[(50, 100)], &[])],
        );
        b.spread = spread;
        starts(&b)[1].2
    };
    assert_eq!((two(0.0), two(0.3)), (0, HOUR));
}

#[test]
fn a_board_where_nothing_can_ever_run_is_left_alone() {
    let b = board(
        vec![lane(1, &[])],
        vec![work(0, &[(0, 0)], &[]), work(1, &[(1, 10)], &[0])],
    );
    assert_eq!(starts(&b), []);
}

#[test]
fn of_a_long_queue_the_first_are_planned() {
    let mut works: Vec<Work> = (0..HORIZON as u64 + 500)
        .map(|i| work(i, &[(1, 10)], &[]))
        .collect();
    for w in works.iter_mut().skip(HORIZON) {
        w.rank = 0;
    }
    for w in works.iter_mut().take(HORIZON) {
        w.rank = 1;
    }
    let b = board(vec![lane(1, &[])], works);
    let all = starts(&b);
    assert_eq!((all.len(), all[0].0 as usize >= HORIZON), (HORIZON, true));
}

fn any_board() -> impl Strategy<Value = Board> {
    let fit = prop_oneof![
        1 => Just((0_u64, 0_i64)),
        4 => (1_u64..400, 1_i64..90_000),
    ];
    let one = (
        proptest::collection::vec(fit, 2),
        proptest::collection::vec(any::<u16>(), 0..3),
        0_u32..3,
    );
    let rate = proptest::option::of(1_u32..5);
    (
        proptest::collection::vec(one, 0..40),
        rate,
        1_u32..4,
        50_u64..500,
        prop_oneof![Just(0.0), Just(0.3)],
    )
        .prop_map(|(all, per_minute, slots, limit, spread)| {
            let mut first = lane(slots, &[(60_000, limit), (HOUR, limit * 8)]);
            first.per_minute = per_minute;
            let works = all.into_iter().enumerate().map(|(i, (fits, deps, rank))| {
                let deps: Vec<u32> = deps
                    .iter()
                    .filter(|_| i > 0)
                    .map(|d| u32::from(*d) % i.max(1) as u32)
                    .collect();
                let mut work = work(i as u64, &fits, &deps);
                work.rank = rank;
                work
            });
            let mut board = board(vec![first, lane(2, &[(HOUR, 300)])], works.collect());
            board.spread = spread;
            board
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_plan_keeps_every_limit(board in any_board()) {
        let plan = planned(&board);
        let mut ends = vec![None; board.works.len()];
        let mut last = 0;
        for (n, s) in plan.starts.iter().enumerate() {
            prop_assert!(s.at_ms >= last);
            last = s.at_ms;
            let work = &board.works[s.work as usize];
            let fit = work.fits[usize::from(s.lane)].expect("allowed there");
            prop_assert_eq!(s.finish_ms, s.at_ms + fit.ms);
            for d in &work.deps {
                prop_assert!(ends[*d as usize].is_some_and(|end| end <= s.at_ms));
            }
            prop_assert!(ends[s.work as usize].replace(s.finish_ms).is_none());
            let lane = &board.lanes[usize::from(s.lane)];
            let here = || plan.starts[..n].iter().filter(|o| o.lane == s.lane);
            let at_once = here().filter(|o| o.finish_ms > s.at_ms).count();
            prop_assert!(at_once < lane.slots as usize);
            if let Some(most) = lane.per_minute {
                let lately = here().filter(|o| o.at_ms > s.at_ms - 60_000).count();
                prop_assert!(lately < most as usize);
            }
        }
        for (l, lane) in board.lanes.iter().enumerate() {
            for window in &lane.windows {
                let (mut opened, mut used) = (i64::MIN / 2, 0);
                for s in plan.starts.iter().filter(|s| usize::from(s.lane) == l) {
                    let need = board.works[s.work as usize].fits[l].expect("allowed").tokens;
                    if s.at_ms >= opened + window.length_ms {
                        (opened, used) = (s.at_ms, 0);
                    }
                    prop_assert!(used == 0 || used + need <= window.limit);
                    used += need;
                }
            }
        }
        // Whatever can run does.
        let mut able = vec![false; board.works.len()];
        for (i, work) in board.works.iter().enumerate() {
            able[i] = work.fits.iter().any(Option::is_some)
                && work.deps.iter().all(|d| able[*d as usize]);
        }
        let ran: Vec<bool> = ends.iter().map(Option::is_some).collect();
        prop_assert_eq!(ran, able);
    }

    #[test]
    fn the_same_question_has_the_same_answer(board in any_board(), seed in any::<u64>()) {
        let ask = || {
            let mut memory = Memory::default();
            let mut said = Vec::new();
            for event in 0..3 {
                said.push(format!("{:?}", plan(&board, &mut memory, seed ^ event, 5_000)));
            }
            said
        };
        prop_assert_eq!(ask(), ask());
    }
}
