//! The queue and the tanks as a [`Board`] of the planner: the one way that the foreman, a
//! simulation and a dry run look at what is to be done.

mod lanes;
mod ties;
mod what_if;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub(crate) use self::lanes::{GUESSED_PACE, LaneOf};
pub(crate) use self::ties::Tie;
pub(crate) use self::what_if::WhatIf;
use super::plan::{Board, Fit, Lane, MAX_LANES, Progress, Work};
use crate::core::{BeadId, ConvoyId, Estimate, ProviderName, TaskType, Timestamp};

/// One bead of the queue, with what every lane makes of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    pub(crate) id: BeadId,
    pub(crate) title: String,
    pub(crate) convoy: Option<ConvoyId>,
    pub(crate) task: TaskType,
    /// See [`crate::depot::rank`].
    pub(crate) order: i64,
    /// Its place in the queue, which decides among equals.
    pub(crate) place: usize,
    pub(crate) estimate: Estimate,
    /// Not before.
    pub(crate) from: Option<Timestamp>,
    pub(crate) due: Option<Timestamp>,
    /// Beads of its convoy that may run at once.
    pub(crate) max_parallel: Option<i64>,
    /// What it touches of the repository of its convoy.
    pub(crate) files: Vec<String>,
    /// How well it suits each lane, above 0; `None`: not there. One that suits badly is expected to
    /// be done more than once, in proportion.
    pub(crate) suits: Vec<Option<f64>>,
    /// What it depends on that is not completed.
    pub(crate) waits: Vec<BeadId>,
    /// Where it runs, and since when.
    pub(crate) runs: Option<(ProviderName, Timestamp)>,
    /// Nothing but room is missing.
    pub(crate) is_ready: bool,
}

/// The board with what its numbers stand for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Boarded {
    pub(crate) board: Board,
    /// Of [`Board::works`].
    pub(crate) jobs: Vec<Job>,
    /// Of [`Board::lanes`].
    pub(crate) lanes: Vec<ProviderName>,
    /// Names of the lanes' windows.
    pub(crate) windows: Vec<Vec<String>>,
    /// Whose pace is known from runs that ended.
    pub(crate) paced: Vec<bool>,
    /// Standard deviation of the logarithm of need over estimate, per bead.
    pub(crate) spreads: Vec<f64>,
    /// Waits that no dependency is behind, by bead and what it waits for.
    pub(crate) ties: BTreeMap<(u32, u32), Tie>,
    /// Beads that cannot be planned: they wait for something that is not in the queue.
    pub(crate) held: Vec<Job>,
}

const LEAST_RUN_MS: i64 = 30_000;
/// Of a bead that nobody has estimated yet.
const UNKNOWN_TOKENS: u64 = 20_000;
/// A provider that suits badly is not taken to need more than so many times as much.
const LEAST_SUIT: f64 = 0.2;
/// The normal quantile of 0.8.
const Z80: f64 = 0.8416;
/// The planner keeps room for what may be wrong in the estimates in the way of a sum of runs;
/// beyond this it would leave most of a window empty, which admission does not either.
const MOST_SPREAD: f64 = 0.3;
/// Beads whose places in the order of the queue lie within the same two days (what a level of
/// priority is worth) may be planned in any order; a bead never waits for one of a later cell that
/// could run in its place. So the planner adds two days to the bound of [`crate::depot::rank`].
pub(crate) const CELL_MS: i64 = 48 * 3_600_000;

/// Builds the board; the order of `jobs` does not matter.
pub(crate) fn board(
    now: Timestamp,
    max_running: u32,
    lanes: &[LaneOf<'_>],
    jobs: Vec<Job>,
) -> Boarded {
    let lanes = &lanes[..lanes.len().min(MAX_LANES)];
    let (jobs, held) = in_order(jobs);
    let place: BTreeMap<&BeadId, u32> = jobs.iter().map(|j| &j.id).zip(0..).collect();
    let ranks = ranks(&jobs);
    let (mut all, mut names): (Vec<Lane>, Vec<Vec<String>>) = (Vec::new(), Vec::new());
    for lane in lanes {
        let (lane, windows) = lanes::lane(lane, now);
        all.push(lane);
        names.push(windows);
    }
    let works = jobs.iter().zip(ranks).map(|(job, rank)| {
        let fits: Vec<Option<Fit>> = lanes
            .iter()
            .zip(&job.suits)
            .map(|(lane, suits)| Some(fit(job, (*suits)?, lane.pace.unwrap_or(GUESSED_PACE))))
            .collect();
        Work {
            id: number(&job.id),
            kind: job.task as u8,
            rank,
            from_ms: job.from.map_or(i64::MIN, Timestamp::millis),
            due_ms: job.due.map(Timestamp::millis),
            progress: progress(job, &fits, lanes, now),
            fits,
            deps: job
                .waits
                .iter()
                .filter_map(|d| place.get(d))
                .copied()
                .collect(),
        }
    });
    let mut works: Vec<Work> = works.collect();
    let ties = ties::tie(&jobs, &mut works);
    let spreads: Vec<f64> = jobs.iter().map(|j| spread(&j.estimate)).collect();
    let mean = spreads.iter().sum::<f64>() / spreads.len().max(1) as f64;
    Boarded {
        board: Board {
            now: now.millis(),
            max_running: max_running.max(1),
            spread: mean.min(MOST_SPREAD),
            lanes: all,
            works,
        },
        lanes: lanes.iter().map(|l| l.provider.clone()).collect(),
        windows: names,
        paced: lanes.iter().map(|l| l.pace.is_some()).collect(),
        spreads,
        ties,
        jobs,
        held,
    }
}

/// Beads after what they depend on, the first of the queue first; apart those that wait for
/// something that is not in it.
fn in_order(mut jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    // What runs, what could be claimed, then what waits for its time.
    jobs.sort_by(|a, b| {
        let key = |j: &Job| (j.runs.is_none(), j.from, Reverse(j.order), j.place);
        key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
    });
    let place: BTreeMap<&BeadId, usize> = jobs.iter().map(|j| &j.id).zip(0..).collect();
    let mut open: Vec<usize> = jobs.iter().map(|j| j.waits.len()).collect();
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
    for (i, job) in jobs.iter().enumerate() {
        for d in job.waits.iter().filter_map(|d| place.get(d)) {
            behind[*d].push(i);
        }
    }
    let free = (0..jobs.len()).filter(|i| open[*i] == 0);
    let mut next: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(jobs.len());
    while let Some(Reverse(i)) = next.pop() {
        order.push(i);
        for &follower in &behind[i] {
            open[follower] -= 1;
            if open[follower] == 0 {
                next.push(Reverse(follower));
            }
        }
    }
    let mut jobs: Vec<Option<Job>> = jobs.into_iter().map(Some).collect();
    let ordered = order.into_iter().filter_map(|i| jobs[i].take()).collect();
    (ordered, jobs.into_iter().flatten().collect())
}

/// The cell of each bead's place in the order of the queue, from 0 without gaps.
fn ranks(jobs: &[Job]) -> Vec<u32> {
    let cell = |j: &Job| j.order.div_euclid(CELL_MS);
    let mut cells: Vec<i64> = jobs.iter().map(cell).collect();
    cells.sort_unstable_by_key(|c| Reverse(*c));
    cells.dedup();
    let place = |j: &Job| cells.partition_point(|c| *c > cell(j)) as u32;
    jobs.iter().map(place).collect()
}

/// A bead's own number for ever: FNV-1a of its id.
fn number(id: &BeadId) -> u64 {
    let bytes = id.as_str().bytes();
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

fn fit(job: &Job, suits: f64, pace: f64) -> Fit {
    let tokens = match job.estimate.p50 {
        0 => UNKNOWN_TOKENS,
        known => known,
    };
    let suits = if suits.is_finite() { suits } else { 1.0 };
    let tokens = tokens as f64 / suits.max(LEAST_SUIT);
    Fit {
        tokens: tokens as u64,
        ms: ((tokens / pace.max(1.0) * 60e3) as i64).clamp(LEAST_RUN_MS, i64::MAX / 1024),
    }
}

fn progress(job: &Job, fits: &[Option<Fit>], lanes: &[LaneOf<'_>], now: Timestamp) -> Progress {
    let Some((provider, since)) = &job.runs else {
        return Progress::Open;
    };
    // What runs somewhere that is gone from the settings takes no room of those that are there,
    // but who waits for it goes on waiting: its end is as that of a short run.
    let lane = lanes.iter().position(|l| l.provider == *provider);
    let ms = lane.and_then(|l| fits[l]).map_or(LEAST_RUN_MS, |f| f.ms);
    let since_ms = since.millis().min(now.millis());
    Progress::Running {
        lane: lane.unwrap_or(0) as u8,
        since_ms,
        finish_ms: since_ms.saturating_add(ms),
    }
}

fn spread(e: &Estimate) -> f64 {
    if e.p50 == 0 || e.p80 <= e.p50 {
        return 0.0;
    }
    ((e.p80 as f64 / e.p50 as f64).ln() / Z80).clamp(0.0, 2.0)
}

#[cfg(test)]
pub(super) mod tests;
