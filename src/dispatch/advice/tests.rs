use pretty_assertions::assert_eq;

use super::*;
use crate::dispatch::board::tests::{at, job, lane};
use crate::dispatch::board::{CELL_MS, Job, board};
use crate::dispatch::plan::{Memory, Window, plan};

const HOUR: i64 = 3_600_000;

/// claude with a window of so many tokens, new at 6 o'clock, and codex without one; it is 1.
fn boarded(limit: u64, jobs: Vec<Job>) -> Boarded {
    let mut of = board(at(1), 8, &[lane("claude", 2), lane("codex", 2)], jobs);
    of.board.lanes[0].windows.push(Window {
        length_ms: 5 * HOUR,
        limit,
        until: 6 * HOUR,
        used: 1,
    });
    of.windows[0].push("5h".into());
    of
}

fn advised(of: &Boarded) -> Advised {
    advise(of, &plan(&of.board, &mut Memory::default(), 1, 20_000))
}

/// Starts, then what is kept, in words.
fn words(of: &Boarded) -> Vec<String> {
    let mut said = Vec::new();
    for (id, advice) in &advised(of).of {
        said.extend(advice.start.iter().map(|p| format!("{id} on {p}")));
        let holds = advice.holds.iter();
        said.extend(holds.map(|(p, h)| format!("{id} not {p} until {}: {}", h.until, h.reason)));
    }
    said
}

#[test]
fn where_nothing_is_scarce_nothing_is_said() {
    let of = boarded(
        100_000,
        vec![
            job("aaaaa", 10_000, &[1.0, 0.5]),
            job("bbbbb", 10_000, &[1.0, 0.5]),
        ],
    );
    assert_eq!(advised(&of), Advised::default());
    assert!(is_worthwhile(&of));
    assert!(!is_worthwhile(&boarded(
        1,
        vec![job("aaaaa", 1, &[1.0, 0.5])]
    )));
}

#[test]
fn the_rest_of_a_window_is_kept_for_a_bead_that_needs_it_more() {
    // Only claude may do the long one, which is not ready before a quarter of an hour has passed;
    // the short one would find room there now.
    let mut first = job("first", 100_000, &[0.0, 1.0]);
    first.is_ready = true;
    let mut long = job("zlong", 60_000, &[1.0, 0.0]);
    long.waits = vec![first.id.clone()];
    long.is_ready = false;
    let mut short = job("short", 50_000, &[1.0, 0.0]);
    short.order = -CELL_MS;
    let mut of = boarded(100_000, vec![first, long, short]);
    of.board.lanes[0].slots = 1;
    insta::assert_snapshot!(words(&of).join("\n"), @r"
    gt-first on codex
    gt-short not claude until 1970-01-01T06:00:00.000Z: claude's 5h is kept for gt-zlong, which can begin at 01:10 UTC, critical path 6 min; it is new at 06:00 UTC
    ");
    // Nothing is kept for what is not more important.
    let mut same = of.clone();
    for work in &mut same.board.works {
        work.rank = 0;
    }
    assert!(words(&same).contains(&"gt-short on claude".to_owned()));
}

#[test]
fn what_is_planned_into_the_window_is_not_pushed_out_of_it() {
    // One at a time at claude, three of which fit; the window has no room for a fourth, though
    // codex is slow.
    let ids = ["aaaaa", "bbbbb", "ccccc"];
    let mut jobs: Vec<Job> = ids.iter().map(|id| job(id, 30_000, &[1.0, 0.0])).collect();
    let mut late = job("later", 30_000, &[1.0, 0.0]);
    late.order = -CELL_MS;
    jobs.push(late);
    let mut of = boarded(100_000, jobs);
    of.board.lanes[0].slots = 1;
    let last = words(&of).pop().unwrap();
    insta::assert_snapshot!(last, @"gt-later not claude until 1970-01-01T06:00:00.000Z: claude's 5h is kept for gt-aaaaa (90,000 tokens planned of 100,000), critical path 3 min; it is new at 06:00 UTC");
}

#[test]
fn the_second_best_is_taken_only_where_it_is_done_sooner() {
    // Ten minutes each at claude, one at a time, and fifty at codex: four of them are done sooner
    // by waiting, whoever is idle meanwhile.
    let ids = ["aaaaa", "bbbbb", "ccccc"];
    let jobs = ids.iter().map(|id| job(id, 100_000, &[1.0, 0.2])).collect();
    let mut of = boarded(10_000_000, jobs);
    of.board.lanes[0].slots = 1;
    insta::assert_snapshot!(words(&of).join("\n"), @r"
    gt-aaaaa on claude
    gt-bbbbb not codex until 1970-01-01T01:10:00.000Z: claude will have it done by 01:20 UTC, codex not before 01:50 UTC
    gt-ccccc not codex until 1970-01-01T01:20:00.000Z: claude will have it done by 01:30 UTC, codex not before 01:50 UTC
    ");
}

#[test]
fn nothing_is_begun_that_reaches_into_a_window_which_a_better_one_needs() {
    // Half an hour before the reset: an hour's work of little worth, and something large and urgent.
    let large = job("large", 90_000, &[1.0, 0.0]);
    let mut little = job("small", 600_000, &[1.0, 0.0]);
    little.estimate.p50 = 20_000;
    little.order = -CELL_MS;
    let mut of = boarded(100_000, vec![large, little]);
    of.board.now = 5 * HOUR + HOUR / 2;
    of.board.lanes[0].windows[0].used = 50_000;
    for work in &mut of.board.works {
        let fit = work.fits[0].as_mut().unwrap();
        fit.ms = HOUR;
    }
    insta::assert_snapshot!(words(&of).join("\n"), @"gt-small not claude until 1970-01-01T06:00:00.000Z: a run on claude would reach into its next 5h, which is kept for gt-large, critical path 60 min; it is new at 06:00 UTC");
}

#[test]
fn a_bead_of_low_priority_is_begun_within_the_bound_whatever_comes() {
    use crate::core::Priority;
    use crate::depot::rank::rank;
    // One slot, an urgent hour's work every hour, and one bead of the lowest priority from the first
    // hour on: the greatest head start without a deadline is six days, a cell is two.
    let hour = |id: &str, priority, created: i64| {
        let mut job = job(id, 600_000, &[1.0, 0.0]);
        job.order = rank(priority, at(created), None);
        job
    };
    let mut waiting = vec![hour("lowly", Priority::Low, 0)];
    let mut memory = Memory::default();
    let mut begun = None;
    for now in 0..400 {
        waiting.push(hour(&format!("a{now:04}"), Priority::Critical, now));
        let mut of = board(
            at(now),
            1,
            &[lane("claude", 1), lane("codex", 1)],
            waiting.clone(),
        );
        of.board.lanes[1].slots = 0;
        let advised = advise(&of, &plan(&of.board, &mut memory, 1, 2_000));
        // As the foreman does: the plan's order, then that of the queue.
        let next = advised.order.first().unwrap_or(&of.jobs[0].id).clone();
        waiting.retain(|j| j.id != next);
        if next.as_str() == "gt-lowly" {
            begun = Some(now);
            break;
        }
    }
    let begun = begun.expect("it is begun at last");
    assert!((24..=8 * 24).contains(&begun), "after {begun} hours");
}
