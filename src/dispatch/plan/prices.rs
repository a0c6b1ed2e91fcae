//! What a provider's tokens, starts and slots are worth when the whole queue is looked at at once.
//!
//! A linear programme spreads every kind of bead over the lanes such that all are through as early
//! as possible. Its shares say where work of a kind belongs; its dual prices say what one token, one
//! start, one second of a slot of each lane costs everybody else, in seconds of the end. A scarce
//! window that is spent on work which another provider could do is thereby seen.

use std::collections::BTreeMap;

use super::Board;
use super::simplex::{Row, minimise};
use super::tables::{NEVER, Tables};

/// Groups of like beads in the programme, at most about so many: it has to be solved in a fraction
/// of a millisecond.
const GROUPS: usize = 24;
/// Beads of one kind are told apart by size as well: large ones belong where starts are scarce.
const SIZES: usize = 4;

/// Seconds of the end per unit, of one lane.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Price {
    /// Per window, per token.
    pub(super) tokens: Vec<f64>,
    pub(super) start: f64,
    /// Per second of a slot.
    pub(super) second: f64,
}

/// What the linear programme found.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Prices {
    pub(super) lanes: Vec<Price>,
    /// When the queue ends by capacity alone, in milliseconds from now; 0: nothing is known.
    pub(super) end_ms: f64,
    /// How many beads it was made for.
    beads: usize,
}

impl Prices {
    /// Whether the queue is still about the one that they were made for.
    pub(super) fn fit(&self, t: &Tables) -> bool {
        self.lanes.len() == t.lanes && t.len() <= 2 * self.beads && self.beads <= 4 * t.len()
    }
}

/// Beads that are alike, and what all of them need per lane.
struct Group {
    count: f64,
    allowed: u32,
    tokens: Vec<f64>,
    seconds: Vec<f64>,
}

/// Prices of all lanes; zeros if nothing binds or nothing is left.
pub(super) fn of(board: &Board, t: &Tables) -> Prices {
    let none = || {
        let price = |l: &super::tables::LaneTable| Price {
            tokens: vec![0.0; l.windows.len()],
            ..Price::default()
        };
        Prices {
            lanes: t.all.iter().map(price).collect(),
            end_ms: 0.0,
            beads: t.len(),
        }
    };
    let groups = groups(t);
    if groups.is_empty() {
        return none();
    }
    // Shares of each group per lane, then the end in seconds.
    let columns = groups.len() * t.lanes + 1;
    let mut rows = Vec::new();
    for (g, group) in groups.iter().enumerate() {
        let mut a = vec![0.0; columns];
        for lane in (0..t.lanes).filter(|l| group.allowed & (1 << l) != 0) {
            a[g * t.lanes + lane] = 1.0;
        }
        rows.push(Row {
            a,
            is_equal: true,
            b: 1.0,
        });
    }
    for (lane, of) in t.all.iter().enumerate() {
        let mut limit = |each: &dyn Fn(&Group) -> f64, per_second: f64, b: f64| {
            let mut a = vec![0.0; columns];
            for (g, group) in groups.iter().enumerate() {
                if group.allowed & (1 << lane) != 0 {
                    a[g * t.lanes + lane] = each(group);
                }
            }
            a[columns - 1] = -per_second;
            rows.push(Row {
                a,
                is_equal: false,
                b: b.max(0.0),
            });
        };
        for w in &of.windows {
            let (size, length) = (w.limit.max(1) as f64, w.length_ms.max(1) as f64);
            // What is left of the open one counts, and after its end there is a whole one.
            let room = if w.until > board.now {
                let left = (w.until - board.now) as f64 / length;
                1.0 - left + 1.0 - (w.used as f64 / size).min(1.0)
            } else {
                1.0
            };
            limit(&|g| g.tokens[lane] / size, 1e3 / length, room);
        }
        if of.per_minute > 0 {
            let per_minute = of.per_minute as f64;
            limit(&|g| g.count / per_minute, 1.0 / 60.0, 1.0);
        }
        let slots = f64::from(of.slots.max(1));
        limit(&|g| g.seconds[lane] / slots, 1.0, 0.0);
    }
    let mut goal = vec![0.0; columns];
    goal[columns - 1] = 1.0;
    let Some(optimum) = minimise(&goal, &rows) else {
        return none();
    };
    let mut duals = optimum.duals[groups.len()..].iter();
    let mut next = || duals.next().copied().unwrap_or(0.0);
    let price = |of: &super::tables::LaneTable| Price {
        tokens: of
            .windows
            .iter()
            .map(|w| next() / w.limit.max(1) as f64)
            .collect(),
        start: if of.per_minute > 0 {
            next() / of.per_minute as f64
        } else {
            0.0
        },
        second: next() / f64::from(of.slots.max(1)),
    };
    Prices {
        lanes: t.all.iter().map(price).collect(),
        end_ms: optimum.value * 1e3,
        beads: t.len(),
    }
}

/// What every bead costs everybody else, in milliseconds of the end.
pub(super) struct Bias {
    /// Per lane and bead: by how much it is dearer there than where it is cheapest.
    pub(super) dearer: Vec<Vec<f64>>,
    /// Per bead: what it costs where it is cheapest.
    pub(super) least: Vec<f64>,
}

pub(super) fn bias(t: &Tables, prices: &[Price]) -> Bias {
    let mut bias = vec![vec![0.0; t.len()]; t.lanes];
    let mut cheapest = Vec::with_capacity(t.len());
    for i in 0..t.len() {
        let mut least = f64::INFINITY;
        for lane in 0..t.lanes {
            let (need, ms) = (t.need[i * t.lanes + lane], t.ms[i * t.lanes + lane]);
            if need == NEVER {
                continue;
            }
            let price = &prices[lane];
            let tokens: f64 = price.tokens.iter().sum();
            let cost = 1e3 * (tokens * need as f64 + price.start) + price.second * ms as f64;
            bias[lane][i] = cost;
            least = least.min(cost);
        }
        cheapest.push(least);
        for (lane, of) in bias.iter_mut().enumerate() {
            if t.need[i * t.lanes + lane] != NEVER {
                of[i] -= least;
            }
        }
    }
    Bias {
        dearer: bias,
        least: cheapest,
    }
}

fn groups(t: &Tables) -> Vec<Group> {
    let mut alike: BTreeMap<(u8, u32), Vec<usize>> = BTreeMap::new();
    for i in 0..t.len() {
        alike.entry((t.kind[i], t.allowed[i])).or_default().push(i);
    }
    let mut alike: Vec<((u8, u32), Vec<usize>)> = alike.into_iter().collect();
    // Many small groups: the largest stand for all.
    alike.sort_by_key(|(key, of)| (std::cmp::Reverse(of.len()), *key));
    alike.truncate(GROUPS);
    let sizes = (GROUPS / alike.len().max(1)).clamp(1, SIZES);
    let mut groups = Vec::new();
    for ((_, allowed), mut of) in alike {
        of.sort_by_key(|&i| {
            (
                t.ms[i * t.lanes..(i + 1) * t.lanes].iter().max().copied(),
                i,
            )
        });
        for part in of.chunks(of.len().div_ceil(sizes)) {
            let mut group = Group {
                count: part.len() as f64,
                allowed,
                tokens: vec![0.0; t.lanes],
                seconds: vec![0.0; t.lanes],
            };
            for &i in part {
                for lane in (0..t.lanes).filter(|l| allowed & (1 << l) != 0) {
                    group.tokens[lane] += t.need[i * t.lanes + lane] as f64;
                    group.seconds[lane] += t.ms[i * t.lanes + lane] as f64 / 1e3;
                }
            }
            groups.push(group);
        }
    }
    groups
}
