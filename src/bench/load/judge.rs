//! The judge: looks at what happened, by the plain meaning of windows, waiting and shares. Nothing
//! of what decided is used here.

use std::collections::BTreeMap;

use super::Knobs;
use super::demand::{Bead, Offer, RPM};
use super::week::{Did, Log};
use crate::config::LimitKind;
use crate::core::{Priority, TaskType, Timestamp, digest};

const HOUR: i64 = 3_600_000;

/// What the judge found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Findings {
    pub(super) runs: usize,
    /// Of these, over by the end, with work.
    pub(super) done: usize,
    /// Moments at which more was served than a window holds, or more ran than there are agents.
    pub(super) over: usize,
    /// Requests that a provider refused, for want of room.
    pub(super) refused: usize,
    pub(super) stopped: usize,
    pub(super) second_requests: u64,
    /// Runs that a rule of the person forbids.
    pub(super) forbidden: usize,
    /// Time that agents worked, of all their time.
    pub(super) busy: f64,
    /// The longest that a bead of each priority waited to be begun, in hours; those that were not
    /// begun wait until the end.
    pub(super) longest: BTreeMap<Priority, f64>,
    /// Hours by which something that the order puts later was begun before something that waited:
    /// the most of all beads.
    pub(super) overtaken: f64,
    /// Jain's index of the shares that convoys of equal priority got of what they asked for.
    pub(super) fairness: f64,
    /// Of everything that happened.
    pub(super) digest: String,
}

pub(super) fn judge(knobs: &Knobs, beads: &[Bead], offers: &[Offer], log: &Log) -> Findings {
    let end = Timestamp::from_secs((knobs.days * 86_400) as i64);
    let count = |what: fn(&Did) -> bool| log.records.iter().filter(|(_, did)| what(did)).count();
    let waits = waits(beads, log, end);
    let is_forbidden = |bead: usize, provider: usize| {
        beads[bead].task == TaskType::Review && offers[provider].plan.name == "gemini"
    };
    Findings {
        runs: count(|did| matches!(did, Did::Start { .. })),
        done: count(|did| matches!(did, Did::Done { .. })),
        over: (0..offers.len())
            .map(|p| over(p, &offers[p], log))
            .sum::<usize>()
            + crowded(knobs, offers, log),
        refused: count(|did| matches!(did, Did::Refused { .. })),
        stopped: count(|did| matches!(did, Did::Stopped { .. })),
        second_requests: log.second_requests,
        forbidden: log
            .records
            .iter()
            .filter(|(_, did)| matches!(did, Did::Start { bead, provider } if is_forbidden(*bead, *provider)))
            .count(),
        busy: busy(knobs, log, end),
        longest: longest(beads, &waits),
        overtaken: overtaken(beads, log, &waits),
        fairness: jain(&shares(knobs, beads, log)),
        digest: digest::sha256(format!("{:?}", log.records)),
    }
}

/// How often a provider served more than one of its windows holds: sums from the beginning of the
/// stretch, or over the last so many hours, looked at with every request.
fn over(provider: usize, offer: &Offer, log: &Log) -> usize {
    let served: Vec<(i64, u64)> = log
        .records
        .iter()
        .filter_map(|(at, did)| match did {
            Did::Served {
                provider: p,
                tokens,
            } if *p == provider => Some((at.millis(), *tokens)),
            _ => None,
        })
        .collect();
    let tokens = |n: u64| n;
    let plan = &offer.plan;
    excess(&served, plan.kind, 5 * HOUR, plan.short, tokens)
        + excess(&served, plan.kind, 168 * HOUR, plan.week, tokens)
        + excess(&served, LimitKind::Rolling, HOUR / 60, RPM, |_| 1)
}

fn excess(
    served: &[(i64, u64)],
    kind: LimitKind,
    length: i64,
    most: u64,
    cost: fn(u64) -> u64,
) -> usize {
    let (mut first, mut sum, mut found) = (0, 0, 0);
    let mut start = None;
    for (at, tokens) in served {
        if kind == LimitKind::Anchored {
            if start.is_none_or(|start: i64| *at >= start + length) {
                (start, sum) = (Some(*at), 0);
            }
        } else {
            while served[first].0 + length <= *at {
                sum -= cost(served[first].1);
                first += 1;
            }
        }
        sum += cost(*tokens);
        found += usize::from(sum > most);
    }
    found
}

/// How often more ran at once than there are agents, at one provider or in all.
fn crowded(knobs: &Knobs, offers: &[Offer], log: &Log) -> usize {
    let mut running = vec![0_u32; offers.len()];
    let mut found = 0;
    for (_, did) in &log.records {
        match did {
            Did::Start { provider, .. } => {
                running[*provider] += 1;
                let all: u32 = running.iter().sum();
                let full = running[*provider] > offers[*provider].slots || all > knobs.agents;
                found += usize::from(full);
            }
            Did::Stopped { provider, .. } | Did::Done { provider, .. } => running[*provider] -= 1,
            Did::Served { .. } | Did::Refused { .. } => {}
        }
    }
    found
}

fn busy(knobs: &Knobs, log: &Log, end: Timestamp) -> f64 {
    let worked: i64 = log
        .records
        .iter()
        .map(|(at, did)| match did {
            Did::Start { .. } => end.millis() - at.millis(),
            Did::Stopped { .. } | Did::Done { .. } => at.millis() - end.millis(),
            Did::Served { .. } | Did::Refused { .. } => 0,
        })
        .sum();
    worked as f64 / (f64::from(knobs.agents) * end.millis() as f64)
}

/// When each bead was first begun, or the end.
fn waits(beads: &[Bead], log: &Log, end: Timestamp) -> Vec<Timestamp> {
    let mut begun = vec![end; beads.len()];
    for (at, did) in log.records.iter().rev() {
        if let Did::Start { bead, .. } = did {
            begun[*bead] = *at;
        }
    }
    begun
}

fn longest(beads: &[Bead], begun: &[Timestamp]) -> BTreeMap<Priority, f64> {
    let mut longest = BTreeMap::new();
    for (bead, begun) in beads.iter().zip(begun) {
        let hours = begun.since(bead.created).as_secs_f64() / 3600.0;
        let so_far = longest.entry(bead.priority).or_insert(0.0_f64);
        *so_far = so_far.max(hours);
    }
    longest
}

/// What is promised of the order: a level of priority is worth two days of waiting, a deadline up
/// to one and a half. In milliseconds; the smaller comes first.
fn promised(bead: &Bead) -> (i64, i64) {
    let level = match bead.priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
        Priority::Critical => 3,
    };
    let at = bead.created.millis() - level * 48 * HOUR;
    match bead.deadline {
        Some(_) => (at - 36 * HOUR, at),
        None => (at, at),
    }
}

/// The most by which a bead was overtaken while it waited: of those begun meanwhile, of its own
/// priority or a higher one, the latest by what is promised. One of a lower priority may use what
/// is too little for it; that lasts no longer than it has to wait for the end of a window.
fn overtaken(beads: &[Bead], log: &Log, begun: &[Timestamp]) -> f64 {
    let worst = Priority::ALL.iter().map(|priority| {
        let starts: Vec<(Timestamp, i64)> = log
            .records
            .iter()
            .filter_map(|(at, did)| match did {
                Did::Start { bead, .. } if beads[*bead].priority >= *priority => {
                    Some((*at, promised(&beads[*bead]).0))
                }
                _ => None,
            })
            .collect();
        let latest = Latest::of(starts.iter().map(|(_, place)| *place));
        let of_it = beads.iter().zip(begun);
        of_it
            .filter(|(bead, _)| bead.priority == *priority)
            .filter_map(|(bead, begun)| {
                let from = starts.partition_point(|(at, _)| *at < bead.created);
                let to = starts.partition_point(|(at, _)| at < begun);
                (from < to).then(|| latest.among(from, to) - promised(bead).1)
            })
            .max()
            .unwrap_or(0)
    });
    worst.max().unwrap_or(0).max(0) as f64 / HOUR as f64
}

/// The latest of any stretch of places, by a tree over them.
struct Latest {
    size: usize,
    tree: Vec<i64>,
}

impl Latest {
    fn of(places: impl ExactSizeIterator<Item = i64>) -> Self {
        let size = places.len().next_power_of_two();
        let mut tree = vec![i64::MIN; 2 * size];
        for (i, place) in places.enumerate() {
            tree[size + i] = place;
        }
        for i in (1..size).rev() {
            tree[i] = tree[2 * i].max(tree[2 * i + 1]);
        }
        Self { size, tree }
    }

    fn among(&self, from: usize, to: usize) -> i64 {
        let (mut a, mut b, mut latest) = (from + self.size, to + self.size, i64::MIN);
        while a < b {
            if a % 2 == 1 {
                latest = latest.max(self.tree[a]);
                a += 1;
            }
            if b % 2 == 1 {
                b -= 1;
                latest = latest.max(self.tree[b]);
            }
            (a, b) = (a / 2, b / 2);
        }
        latest
    }
}

/// Of each convoy, tokens of finished beads over tokens asked for.
fn shares(knobs: &Knobs, beads: &[Bead], log: &Log) -> Vec<f64> {
    let convoys = knobs.convoys as usize;
    let (mut asked, mut got) = (vec![0.0; convoys], vec![0.0; convoys]);
    for bead in beads {
        if let Some(convoy) = bead.convoy {
            asked[convoy as usize] += bead.tokens as f64;
        }
    }
    for (_, did) in &log.records {
        if let Did::Done { bead, .. } = did
            && let Some(convoy) = beads[*bead].convoy
        {
            got[convoy as usize] += beads[*bead].tokens as f64;
        }
    }
    let both = asked.iter().zip(&got).filter(|(asked, _)| **asked > 0.0);
    both.map(|(asked, got)| got / asked).collect()
}

/// 1 when all are equal, 1/n when one has everything (Jain, Chiu, Hawe 1984).
pub(super) fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|x| x * x).sum();
    if squares > 0.0 {
        sum * sum / (shares.len() as f64 * squares)
    } else {
        0.0
    }
}
