//! The portfolio: rules that turn a board into an order. None wins everywhere, so all are played.

use super::prices::Bias;
use super::tables::Tables;
use super::{Genes, Memory};

/// Between the keys of two ranks; further apart than any time is long.
const RANK_STEP: f64 = 1e12;
/// A provider that is dearer by no more than this part counts as the cheapest as well.
const ABOUT: f64 = 0.1;

pub(super) struct Rule {
    name: &'static str,
    /// Weight of the prices against the critical path, both in milliseconds.
    weight: f64,
    /// Only the lanes where it costs the others about the least.
    is_strict: bool,
}

pub(super) const ALL: [Rule; 6] = [
    Rule::new("critical path, cheapest provider first", 10.0, false),
    Rule::new("critical path first", 0.0, false),
    Rule::new("critical path, prices as a tie-break", 1.0, false),
    Rule::new("cheapest provider only, critical path first", 0.0, true),
    Rule::new("cheapest provider, then critical path", 100.0, false),
    Rule::new("critical path and prices alike", 30.0, false),
];

impl Rule {
    const fn new(name: &'static str, weight: f64, is_strict: bool) -> Self {
        Self {
            name,
            weight,
            is_strict,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn genes(&self, t: &Tables, levels: &Levels, bias: &Bias) -> Genes {
        let mask = |i: usize| {
            if !self.is_strict {
                return t.allowed[i];
            }
            let most = 1.0 + ABOUT * bias.least[i];
            (0..t.lanes)
                .filter(|l| t.allowed[i] & (1 << l) != 0 && bias.dearer[*l][i] <= most)
                .fold(0, |mask, l| mask | 1 << l)
        };
        Genes {
            key: (0..t.len()).map(|i| levels.key(i)).collect(),
            mask: (0..t.len()).map(mask).collect(),
            weight: self.weight,
        }
    }
}

/// How urgent a bead is by what hangs on it.
pub(super) struct Levels {
    /// The longest chain from its start to the end of its last follower, on the quickest lanes.
    path: Vec<f64>,
    /// The best rank among it and its followers.
    pub(super) rank: Vec<u32>,
}

impl Levels {
    /// The longest chain of all, in milliseconds.
    pub(super) fn longest(&self) -> f64 {
        self.path.iter().copied().fold(0.0, f64::max)
    }

    pub(super) fn key(&self, i: usize) -> f64 {
        f64::from(self.rank[i]) * RANK_STEP - self.path[i]
    }
}

pub(super) fn levels(t: &Tables) -> Levels {
    let mut path = vec![0.0_f64; t.len()];
    let mut rank = t.rank.clone();
    for i in (0..t.len()).rev() {
        for &next in t.followers(i) {
            path[i] = path[i].max(path[next as usize]);
            rank[i] = rank[i].min(rank[next as usize]);
        }
        path[i] += t.quickest[i] as f64;
    }
    Levels { path, rank }
}

/// What the last plan did, for the beads that it knew.
pub(super) fn recall(board: &super::Board, t: &Tables, memory: &Memory, levels: &Levels) -> Genes {
    let mut genes = Genes {
        weight: ALL.get(memory.rule).map_or(0.0, |r| r.weight),
        ..Genes::default()
    };
    for (i, &w) in t.works.iter().enumerate() {
        let known = memory.genes.get(&board.works[w as usize].id);
        let (key, mask) = match known {
            Some(&(key, mask)) if mask & t.allowed[i] != 0 => (
                f64::from(levels.rank[i]) * RANK_STEP + key,
                mask & t.allowed[i],
            ),
            Some(_) | None => (levels.key(i), t.allowed[i]),
        };
        genes.key.push(key);
        genes.mask.push(mask);
    }
    genes
}

/// To be recalled by the next plan, whatever the ranks are then.
pub(super) fn keep(
    board: &super::Board,
    t: &Tables,
    genes: &Genes,
    levels: &Levels,
) -> std::collections::BTreeMap<u64, (f64, u32)> {
    let keep = |(i, &w): (usize, &u32)| {
        let key = genes.key[i] - f64::from(levels.rank[i]) * RANK_STEP;
        (board.works[w as usize].id, (key, genes.mask[i]))
    };
    t.works.iter().enumerate().map(keep).collect()
}
