//! Plays an order of beads through in virtual time: a parallel schedule. At every moment each lane
//! with room takes the first bead of its order that fits; then time goes on to the next end of a
//! run, or to the moment when a window or the rate of starts has room again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::caution::Caution;
use super::tables::{LaneTable, NEVER, Tables};
use super::{Genes, Start};

const MINUTE_MS: i64 = 60_000;
/// Steps that starting a bead costs; looking at one in a list is one.
const PLACED: u64 = 8;
/// And sorting one into its list.
const SORTED: u64 = 3;
/// Weight of the mean finish beside the last: among plans that end together, the one whose beads
/// end earlier has more room for what is found later. By their size, else small ones would go first
/// and nothing were left to fill the ends of windows with.
const MEAN_WEIGHT: f64 = 0.3;
/// Weight of lateness, summed over beads with a deadline.
const LATE_WEIGHT: f64 = 10.0;

/// One schedule and the room to make the next in; nothing is allocated once it is warm.
pub(super) struct Play {
    lanes: Vec<State>,
    open: Vec<u32>,
    started: Vec<bool>,
    heap: BinaryHeap<Reverse<(i64, u32, u8)>>,
    /// When those that may not start before a time may.
    gates: Vec<u32>,
    starts: Vec<(i64, u32, u8, i64)>,
    last: i64,
    caution: Caution,
    /// Steps taken since the beginning: what effort is counted in, see [`super::EFFORT`].
    pub(super) steps: u64,
}

#[derive(Default)]
struct State {
    /// Ready beads that may run here, best first.
    list: Vec<u32>,
    /// Those before it do not fit until a window is new.
    from: usize,
    free: u32,
    /// The last starts, a ring.
    ring: Vec<i64>,
    oldest: usize,
    windows: Vec<Level>,
    blocked: bool,
}

#[derive(Clone, Copy)]
struct Level {
    until: i64,
    used: u64,
    /// Sum of the squares of what unsettled runs were estimated at.
    squares: f64,
}

impl Play {
    pub(super) fn new(t: &Tables, caution: Caution) -> Self {
        Self {
            lanes: t.all.iter().map(|_| State::default()).collect(),
            open: Vec::new(),
            started: Vec::new(),
            heap: BinaryHeap::new(),
            gates: Vec::new(),
            starts: Vec::new(),
            last: t.now,
            caution,
            steps: 0,
        }
    }

    pub(super) fn starts(&self, t: &Tables) -> Vec<Start> {
        let starts = self
            .starts
            .iter()
            .map(|&(at_ms, i, lane, finish_ms)| Start {
                work: t.works[i as usize],
                lane,
                at_ms,
                finish_ms,
            });
        starts.collect()
    }

    /// When the last run ends, those that are under way included.
    pub(super) fn finish_ms(&self) -> i64 {
        self.last
    }

    /// What the order costs, in milliseconds; lower is better. Gives up with infinity as soon as it
    /// is dearer than `bound`. `bias` is per lane and bead, see [`super::prices::bias`].
    pub(super) fn run(&mut self, t: &Tables, g: &Genes, bias: &[Vec<f64>], bound: f64) -> f64 {
        self.begin(t);
        let key = |i: u32, lane: usize| g.key[i as usize] + g.weight * bias[lane][i as usize];
        for i in 0..t.len() {
            if t.open[i] == 0 {
                self.ready(t, g, i as u32);
            }
        }
        for (lane, s) in self.lanes.iter_mut().enumerate() {
            self.steps += SORTED * s.list.len() as u64;
            s.list
                .sort_unstable_by(|a, b| key(*a, lane).total_cmp(&key(*b, lane)));
        }
        let running = u32::try_from(t.running.len()).unwrap_or(u32::MAX);
        let mut free = t.max_running.saturating_sub(running);
        let (mut now, mut left) = (t.now, t.len());
        let (mut sum, mut weights, mut late) = (0.0, 0.0_f64, 0.0);
        loop {
            free += self.end_runs(t, g, bias, now);
            self.open_gates(t, g, bias, now);
            let mut next = self.gates.iter().map(|i| t.from[*i as usize]).min();
            self.renew(now);
            while free > 0 {
                let Some((i, lane)) = self.choose(t, now, &key, &mut next) else {
                    break;
                };
                let finish = self.start(t, i, lane, now);
                free -= 1;
                left -= 1;
                let weight = t.quickest[i as usize] as f64;
                sum += (finish - t.now) as f64 * weight;
                weights += weight;
                late += finish.saturating_sub(t.due[i as usize]).max(0) as f64;
            }
            if left == 0 {
                break;
            }
            if (self.last - t.now) as f64 + LATE_WEIGHT * late > bound {
                return f64::INFINITY;
            }
            if let Some(Reverse((finish, ..))) = self.heap.peek() {
                next = Some(next.map_or(*finish, |n| n.min(*finish)));
            }
            // Nothing will ever change: what is left fits nowhere.
            let Some(next) = next.filter(|n| *n > now) else {
                // Dearer than any plan in which everything runs, cheaper the more does.
                return 1e15 * left as f64 + self.last as f64 / 1e3;
            };
            now = next;
        }
        (self.last - t.now) as f64 + MEAN_WEIGHT * sum / weights.max(1.0) + LATE_WEIGHT * late
    }

    fn begin(&mut self, t: &Tables) {
        self.heap.clear();
        self.gates.clear();
        self.starts.clear();
        self.open.clone_from(&t.open);
        self.started.clear();
        self.started.resize(t.len(), false);
        self.last = t.now;
        for (s, lane) in self.lanes.iter_mut().zip(&t.all) {
            s.list.clear();
            s.from = 0;
            s.free = lane.slots;
            s.blocked = false;
            s.windows.clear();
            s.windows.extend(lane.windows.iter().map(|w| Level {
                until: w.until,
                used: if w.until > t.now { w.used } else { 0 },
                squares: 0.0,
            }));
            s.ring.clear();
            s.ring.resize(lane.per_minute, i64::MIN / 2);
            s.oldest = 0;
            if lane.per_minute > 0 {
                let skip = lane.recent.len().saturating_sub(lane.per_minute);
                for &at in &lane.recent[skip..] {
                    s.ring[s.oldest] = at;
                    s.oldest = (s.oldest + 1) % lane.per_minute;
                }
            }
        }
        for (i, r) in t.running.iter().enumerate() {
            let Some(s) = self.lanes.get_mut(usize::from(r.lane)) else {
                continue;
            };
            s.free = s.free.saturating_sub(1);
            for (w, of) in s
                .windows
                .iter_mut()
                .zip(&t.all[usize::from(r.lane)].windows)
            {
                if r.since >= w.until.saturating_sub(of.length_ms) {
                    w.squares += square(r.tokens);
                }
            }
            self.last = self.last.max(r.finish);
            // Numbers from the end stand for what runs already.
            self.heap
                .push(Reverse((r.finish, u32::MAX - i as u32, r.lane)));
        }
    }

    /// Into the lists of its lanes, in no order yet.
    fn ready(&mut self, t: &Tables, g: &Genes, i: u32) {
        if t.from[i as usize] > t.now {
            self.gates.push(i);
            return;
        }
        for (lane, s) in self.lanes.iter_mut().enumerate() {
            if g.mask[i as usize] & (1 << lane) != 0 {
                s.list.push(i);
            }
        }
    }

    /// Frees what ends by now, and lets in what waited for it. How many ended.
    fn end_runs(&mut self, t: &Tables, g: &Genes, bias: &[Vec<f64>], now: i64) -> u32 {
        let mut ended = 0;
        while let Some(&Reverse((finish, i, lane))) = self.heap.peek() {
            if finish > now {
                break;
            }
            self.heap.pop();
            ended += 1;
            let under_way = (u32::MAX - i) as usize;
            let (tokens, followers) = match t.running.get(under_way) {
                Some(r) => (r.tokens, &r.next[..]),
                None => (
                    t.need[i as usize * t.lanes + usize::from(lane)],
                    t.followers(i as usize),
                ),
            };
            let s = &mut self.lanes[usize::from(lane)];
            s.free += 1;
            if t.spread > 0.0 {
                for w in &mut s.windows {
                    w.squares = (w.squares - square(tokens)).max(0.0);
                }
                s.from = 0;
            }
            for &next in followers {
                self.open[next as usize] -= 1;
                if self.open[next as usize] == 0 {
                    if t.from[next as usize] > now {
                        self.gates.push(next);
                    } else {
                        self.insert(g, bias, next);
                    }
                }
            }
        }
        ended
    }

    fn open_gates(&mut self, t: &Tables, g: &Genes, bias: &[Vec<f64>], now: i64) {
        let mut at = 0;
        while at < self.gates.len() {
            let i = self.gates[at];
            if t.from[i as usize] <= now {
                self.gates.remove(at);
                self.insert(g, bias, i);
            } else {
                at += 1;
            }
        }
    }

    fn insert(&mut self, g: &Genes, bias: &[Vec<f64>], i: u32) {
        for (lane, s) in self.lanes.iter_mut().enumerate() {
            if g.mask[i as usize] & (1 << lane) == 0 {
                continue;
            }
            let key = |x: u32| g.key[x as usize] + g.weight * bias[lane][x as usize];
            let mine = key(i);
            let at = s.list.partition_point(|x| key(*x) <= mine);
            s.list.insert(at, i);
            s.from = s.from.min(at);
        }
    }

    /// Windows that have ended are full again.
    fn renew(&mut self, now: i64) {
        for s in &mut self.lanes {
            s.blocked = false;
            for w in &mut s.windows {
                if w.until <= now && w.used > 0 {
                    w.used = 0;
                    w.squares = 0.0;
                    s.from = 0;
                }
            }
        }
    }

    /// The first bead of all lanes' orders that can start now; `next` becomes the time at which a
    /// lane that is out of tokens or starts may have some again, if that is sooner.
    fn choose(
        &mut self,
        t: &Tables,
        now: i64,
        key: &impl Fn(u32, usize) -> f64,
        next: &mut Option<i64>,
    ) -> Option<(u32, usize)> {
        let mut best: Option<(f64, i64, u32, usize)> = None;
        let mut wake = |at: i64| *next = Some(next.map_or(at, |n| n.min(at)));
        for (lane, s) in self.lanes.iter_mut().enumerate() {
            if s.blocked || s.free == 0 {
                continue;
            }
            if let Some(&oldest) = s.ring.get(s.oldest)
                && now - oldest < MINUTE_MS
            {
                s.blocked = true;
                if !s.list.is_empty() {
                    wake(oldest + MINUTE_MS);
                }
                continue;
            }
            let table = &t.all[lane];
            let mut found = None;
            while s.from < s.list.len() {
                self.steps += 1;
                let i = s.list[s.from];
                if self.started[i as usize] {
                    s.list.remove(s.from);
                    continue;
                }
                let need = t.need[i as usize * t.lanes + lane];
                if need != NEVER && hold(&s.windows, table, need, t.spread, self.caution) {
                    found = Some(i);
                    break;
                }
                s.from += 1;
            }
            let Some(i) = found else {
                s.blocked = true;
                if !s.list.is_empty() {
                    let open = s.windows.iter().filter(|w| w.until > now && w.used > 0);
                    open.for_each(|w| wake(w.until));
                }
                continue;
            };
            let mine = (key(i, lane), t.ms[i as usize * t.lanes + lane]);
            if best.is_none_or(|(k, ms, ..)| mine < (k, ms)) {
                best = Some((mine.0, mine.1, i, lane));
            }
        }
        best.map(|(_, _, i, lane)| (i, lane))
    }

    /// When it will end.
    fn start(&mut self, t: &Tables, i: u32, lane: usize, now: i64) -> i64 {
        let at = i as usize * t.lanes + lane;
        let s = &mut self.lanes[lane];
        for (w, of) in s.windows.iter_mut().zip(&t.all[lane].windows) {
            if w.until <= now {
                w.until = now.saturating_add(of.length_ms);
                w.used = 0;
                w.squares = 0.0;
            }
            w.used = w.used.saturating_add(t.need[at]);
            w.squares += square(t.need[at]);
        }
        s.free -= 1;
        if !s.ring.is_empty() {
            s.ring[s.oldest] = now;
            s.oldest = (s.oldest + 1) % s.ring.len();
        }
        s.list.remove(s.from);
        self.started[i as usize] = true;
        self.steps += PLACED;
        let finish = now.saturating_add(t.ms[at]);
        self.last = self.last.max(finish);
        self.starts.push((now, i, lane as u8, finish));
        self.heap.push(Reverse((finish, i, lane as u8)));
        finish
    }
}

/// Whether all windows take it: expected tokens and, for what nobody knows yet, some standard
/// deviations of the sum. What exceeds a whole window may run alone in a fresh one.
fn hold(windows: &[Level], of: &LaneTable, need: u64, spread: f64, caution: Caution) -> bool {
    // Of a log-normal with mean 1.
    let deviation = ((spread * spread).exp() - 1.0).sqrt();
    windows.iter().zip(&of.windows).all(|(w, of)| {
        if w.used == 0 {
            return true;
        }
        let sum = w.used.saturating_add(need);
        if spread == 0.0 || sum > of.limit {
            return sum <= of.limit;
        }
        let left = (of.limit - w.used) as f64 / of.limit as f64;
        let deviations = caution.deviations(of.length_ms, left, w.squares == 0.0);
        let unknown = deviation * (w.squares + square(need)).sqrt();
        sum as f64 + deviations * unknown <= of.limit as f64
    })
}

fn square(tokens: u64) -> f64 {
    (tokens as f64).powi(2)
}
