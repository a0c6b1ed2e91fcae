//! When and where each bead of the queue runs: a planner over virtual time.
//!
//! A [`Board`] goes in (what waits, what runs, what every provider has room for), a [`Plan`] comes
//! out: for each bead the provider, the start and the finish, first to last. Nothing in here reads
//! a clock or a random source; the seed is part of the question, and effort is counted in steps,
//! so the same question has the same answer, byte for byte, on a slow machine too.
//!
//! ```text
//!  Board --> Tables --> prices (a small linear programme: what each provider's scarce capacity
//!               |          is worth) --> a portfolio of rules, each played through
//!               |                              | the best one
//!               `--------------- Memory ---> improve (bounded local search) --> Plan
//! ```
//!
//! A rule is an order of the beads and a weight of the prices. Playing it through is a parallel
//! schedule: at every moment each provider with room takes, of the beads that are ready and fit its
//! windows, the first in its own order; those that do not fit are passed over by smaller ones. What
//! the last plan had found is kept in [`Memory`], so that a plan that is renewed at every event
//! goes on improving at a bounded cost per event.

mod caution;
mod improve;
#[cfg(any(test, feature = "bench"))]
mod learn;
mod play;
mod prices;
mod reason;
mod rules;
mod simplex;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use caution::Caution;
use improve::improve;
#[cfg(any(test, feature = "bench"))]
pub(crate) use learn::Learned;
use play::Play;
pub(crate) use reason::{Stretch, Wait, stretches, wait};
use rules::Rule;
use tables::Tables;

/// Providers a plan can tell apart; more are left out by the caller.
pub(crate) const MAX_LANES: usize = 32;
/// Beads that are planned together; of a longer queue the first ones by rank and critical path.
const HORIZON: usize = 1_000;
/// Steps of simulation that one call may take, of some 10 ns each: below 2 ms for 500 ready beads
/// altogether, see `docs/performance.md`.
pub(crate) const EFFORT: u64 = 100_000;

/// A window of a provider. It opens at the first start after the last one expired, lasts
/// `length_ms`, and holds `limit` tokens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) length_ms: i64,
    pub(crate) limit: u64,
    /// When the open one ends; not after now: none is open.
    pub(crate) until: i64,
    /// Tokens charged to the open one, those of running work as they are expected.
    pub(crate) used: u64,
}

/// What one provider has room for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lane {
    /// Runs at once.
    pub(crate) slots: u32,
    /// Starts in any 60 s; `None`: as many as you like.
    pub(crate) per_minute: Option<u32>,
    pub(crate) windows: Vec<Window>,
    /// Starts of the last 60 s, oldest first.
    pub(crate) recent: Vec<i64>,
}

/// What a bead takes on one provider.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    pub(crate) tokens: u64,
    pub(crate) ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Open,
    /// `finish_ms` as expected now; one in the past counts as about to end.
    Running {
        lane: u8,
        since_ms: i64,
        finish_ms: i64,
    },
    #[cfg_attr(
        not(any(test, feature = "bench")),
        expect(
            dead_code,
            reason = "the store leaves out what is over; benches do not"
        )
    )]
    Done,
}

/// One bead, as far as time and tokens go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Work {
    /// Its own for ever: what was found out about it is kept under it.
    pub(crate) id: u64,
    /// Beads of one kind (task type) have about the same needs; shares are computed per kind.
    pub(crate) kind: u8,
    /// Lower ones never wait for higher ones that could run in their place.
    pub(crate) rank: u32,
    /// Not before.
    pub(crate) from_ms: i64,
    pub(crate) due_ms: Option<i64>,
    /// Per lane; `None`: not allowed there.
    pub(crate) fits: Vec<Option<Fit>>,
    /// Places in [`Board::works`], each smaller than its own.
    pub(crate) deps: Vec<u32>,
    pub(crate) progress: Progress,
}

/// The question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Board {
    /// Milliseconds; only differences matter.
    pub(crate) now: i64,
    /// Runs at once over all lanes.
    pub(crate) max_running: u32,
    /// Standard deviation of the logarithm of what a bead really uses over its estimate; 0: exact.
    pub(crate) spread: f64,
    pub(crate) lanes: Vec<Lane>,
    /// A bead comes after those it depends on.
    pub(crate) works: Vec<Work>,
}

/// One line of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) work: u32,
    pub(crate) lane: u8,
    pub(crate) at_ms: i64,
    pub(crate) finish_ms: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// In order of time.
    pub(crate) starts: Vec<Start>,
    /// When the last of them ends.
    pub(crate) finish_ms: i64,
    /// Which rule it is, for a person.
    pub(crate) rule: &'static str,
    /// Rules and variants that were played through.
    pub(crate) tried: u32,
}

#[cfg(any(test, feature = "bench"))]
impl Plan {
    /// What to start at once.
    pub(crate) fn due(&self, now: i64) -> impl Iterator<Item = &Start> {
        self.starts.iter().take_while(move |s| s.at_ms <= now)
    }
}

/// What the last plan had found, by the id of a bead. Losing it costs only time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    genes: BTreeMap<u64, (f64, u32)>,
    rule: usize,
    prices: prices::Prices,
    /// Rules are tried again, one per call.
    turn: usize,
}

/// An order of the beads, and where each may run: what a plan is made from.
#[derive(Debug, Clone, Default)]
struct Genes {
    /// Lower goes first.
    key: Vec<f64>,
    /// One bit per lane.
    mask: Vec<u32>,
    /// How much a provider's price counts against the order.
    weight: f64,
}

/// Plans the board anew, going on from what `memory` holds. `effort` is the number of steps that
/// may be simulated beyond the first of every rule, see [`EFFORT`].
pub(crate) fn plan(board: &Board, memory: &mut Memory, seed: u64, effort: u64) -> Plan {
    let tables = Tables::new(board, HORIZON);
    let is_first = memory.prices.lanes.len() != tables.lanes;
    if is_first {
        memory.genes.clear();
    }
    if !memory.prices.fit(&tables) {
        memory.prices = prices::of(board, &tables);
    }
    let bias = prices::bias(&tables, &memory.prices.lanes);
    let levels = rules::levels(&tables);
    let caution = Caution::new(&tables, memory.prices.end_ms, levels.longest());
    let mut play = Play::new(&tables, caution);

    let mut best: Option<(f64, Genes, usize)> = None;
    let mut tried = 0;
    let consider =
        |genes: Genes, rule: usize, play: &mut Play, best: &mut Option<(f64, Genes, usize)>| {
            let bound = best.as_ref().map_or(f64::INFINITY, |(cost, ..)| *cost);
            let cost = play.run(&tables, &genes, &bias.dearer, bound);
            if best.is_none() || cost < bound {
                *best = Some((cost, genes, rule));
            }
        };
    if !memory.genes.is_empty() {
        let genes = rules::recall(board, &tables, memory, &levels);
        consider(genes, memory.rule, &mut play, &mut best);
        tried += 1;
    }
    for (i, rule) in rules::ALL.iter().enumerate() {
        let its_turn = memory.turn % rules::ALL.len() == i;
        if !is_first && (!its_turn || play.steps > effort / 2) {
            continue;
        }
        if is_first && tried > 0 && play.steps > effort {
            break;
        }
        consider(rule.genes(&tables, &levels, &bias), i, &mut play, &mut best);
        tried += 1;
    }
    memory.turn += 1;
    let Some((cost, mut genes, rule)) = best else {
        return Plan::empty(board.now);
    };
    tried += improve(
        &tables,
        &mut play,
        &mut genes,
        &bias.dearer,
        &levels,
        cost,
        seed,
        effort,
    );
    play.run(&tables, &genes, &bias.dearer, f64::INFINITY);
    memory.rule = rule;
    memory.genes = rules::keep(board, &tables, &genes, &levels);
    Plan {
        starts: play.starts(&tables),
        finish_ms: play.finish_ms(),
        rule: rules::ALL.get(rule).map_or("", Rule::name),
        tried,
    }
}

impl Plan {
    fn empty(now: i64) -> Self {
        Self {
            starts: Vec::new(),
            finish_ms: now,
            rule: "",
            tried: 0,
        }
    }
}
