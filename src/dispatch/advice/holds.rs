//! Where beads had better not begin now, and why: a plan, looked at lane by lane.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Hold, Reason};
use crate::core::text::thousands;
use crate::core::{ProviderName, Timestamp};
use crate::dispatch::board::Boarded;
use crate::dispatch::plan::{Plan, Progress, Start, Stretch, Wait, wait};

/// A plan, looked at lane by lane.
pub(super) struct View<'a> {
    of: &'a Boarded,
    plan: &'a Plan,
    stretches: &'a [Stretch],
    /// By lane, in order of time.
    starts: Vec<Vec<&'a Start>>,
    /// The longest chain from the start of a bead to the end of its last follower.
    path: Vec<i64>,
    /// When each is done; never, where it is not planned.
    ends: Vec<i64>,
}

impl<'a> View<'a> {
    pub(super) fn new(of: &'a Boarded, plan: &'a Plan, stretches: &'a [Stretch]) -> Self {
        let mut starts = vec![Vec::new(); of.lanes.len()];
        for start in &plan.starts {
            starts[usize::from(start.lane)].push(start);
        }
        let works = &of.board.works;
        let under_way = works.iter().map(|w| match w.progress {
            Progress::Running { finish_ms, .. } => finish_ms,
            Progress::Done => i64::MIN,
            Progress::Open => i64::MAX,
        });
        let mut ends: Vec<i64> = under_way.collect();
        for start in &plan.starts {
            ends[start.work as usize] = start.finish_ms;
        }
        Self {
            of,
            plan,
            stretches,
            starts,
            path: paths(of),
            ends,
        }
    }

    /// A plan leaves no room empty: it begins a bead now in a window that a more important one
    /// could use a little later, when what it waits for is done, or which it would outlast. Those
    /// are kept back.
    pub(super) fn yields(&self) -> BTreeMap<usize, Hold> {
        let mut yields = BTreeMap::new();
        for lane in 0..self.starts.len() {
            for w in 0..self.of.board.lanes[lane].windows.len() {
                self.yields_in(lane, w, &mut yields);
            }
            let now = self.of.board.now;
            let begins = self.starts[lane].iter().take_while(|s| s.at_ms <= now);
            for i in begins.map(|s| s.work as usize) {
                let fit = self.of.board.works[i].fits[lane];
                if let Some(hold) = fit.and_then(|f| self.crossing(i, lane, f.tokens, f.ms)) {
                    yields.entry(i).or_insert(hold);
                }
            }
        }
        yields
    }

    fn yields_in(&self, lane: usize, w: usize, yields: &mut BTreeMap<usize, Hold>) {
        let (now, works) = (self.of.board.now, &self.of.board.works);
        let window = &self.of.board.lanes[lane].windows[w];
        if window.until <= now {
            return;
        }
        let tokens = |i: usize| works[i].fits[lane].map_or(0, |f| f.tokens);
        let split = self.starts[lane].partition_point(|s| s.at_ms < window.until);
        let (within, later) = self.starts[lane].split_at(split);
        let sum = within
            .iter()
            .map(|s| tokens(s.work as usize))
            .fold(window.used, u64::saturating_add);
        let mut used = sum;
        // Least important first.
        let mut begins: Vec<usize> = within
            .iter()
            .filter(|s| s.at_ms <= now)
            .map(|s| s.work as usize)
            .collect();
        begins.sort_by_key(|i| (Reverse(works[*i].rank), self.path[*i]));
        let mut begins = begins.into_iter().peekable();
        for other in later.iter().map(|s| s.work as usize) {
            let is_early = self.ready_at(other) < window.until;
            let Some(&i) = begins.peek() else { return };
            let rank = (works[other].rank, works[i].rank);
            let is_worth =
                rank.0 < rank.1 || (rank.0 == rank.1 && self.path[other] / 2 > self.path[i]);
            let without = used.saturating_sub(tokens(i));
            let fits = |used: u64| used.saturating_add(tokens(other)) <= window.limit;
            if !is_early || !is_worth || fits(used) || !fits(without) {
                continue;
            }
            let what = format!(
                "{}'s {} is kept for {}, which can begin at {}, {}",
                self.of.lanes[lane],
                self.of.windows[lane][w],
                self.of.jobs[other].id,
                self.at(self.ready_at(other)),
                self.critical(other)
            );
            yields.insert(i, self.hold(Reason::Kept, window.until, what));
            used = without.saturating_add(tokens(other));
            begins.next();
        }
    }

    /// When nothing but room is missing.
    fn ready_at(&self, i: usize) -> i64 {
        let work = &self.of.board.works[i];
        let ends = work.deps.iter().map(|d| self.ends[*d as usize]);
        ends.fold(work.from_ms.max(self.of.board.now), i64::max)
    }

    /// Where bead `i`, which the plan begins later or not at all, had better not begin now.
    pub(super) fn holds(&self, i: usize, start: Option<&Start>) -> BTreeMap<ProviderName, Hold> {
        let fits = self.of.board.works[i].fits.iter().enumerate();
        fits.filter_map(|(lane, fit)| {
            let fit = (*fit)?;
            let mut hold = self
                .kept(i, lane, fit.tokens)
                .or_else(|| self.crossing(i, lane, fit.tokens, fit.ms))
                .or_else(|| self.sooner(lane, fit.ms, start?))?;
            if let Some(start) = start {
                hold.until = hold.until.min(Timestamp::from_millis(start.at_ms));
            }
            Some((self.of.lanes[lane].clone(), hold))
        })
        .collect()
    }

    /// What of the window that is open now, or would be opened, the plan needs for others that are
    /// at least as important; so much that the bead would push one of them out.
    fn kept(&self, i: usize, lane: usize, tokens: u64) -> Option<Hold> {
        let now = self.of.board.now;
        let windows = self.of.board.lanes[lane].windows.iter().enumerate();
        let mut holds = windows.filter_map(|(w, window)| {
            let is_open = window.until > now;
            let ends = if is_open {
                window.until
            } else {
                now.saturating_add(window.length_ms)
            };
            let used = if is_open { window.used } else { 0 };
            let (other, sum) = self.worth_more(i, lane, tokens, (now, ends), used, window.limit)?;
            let what = format!(
                "{}'s {} is kept for {} ({} tokens planned of {}), {}",
                self.of.lanes[lane],
                self.of.windows[lane][w],
                self.of.jobs[other].id,
                thousands(sum),
                thousands(window.limit),
                self.critical(other)
            );
            Some(self.hold(Reason::Kept, ends, what))
        });
        holds.next()
    }

    /// A run that goes on into the next window is charged there as well.
    fn crossing(&self, i: usize, lane: usize, tokens: u64, ms: i64) -> Option<Hold> {
        let now = self.of.board.now;
        let finish = now.saturating_add(ms);
        let windows = self.of.board.lanes[lane].windows.iter().enumerate();
        let mut holds = windows.filter_map(|(w, window)| {
            if window.until <= now || window.until >= finish {
                return None;
            }
            let next = (window.until, window.until.saturating_add(window.length_ms));
            let (other, _) = self.worth_more(i, lane, tokens, next, 0, window.limit)?;
            let is_better = self.of.board.works[other].rank < self.of.board.works[i].rank;
            let what = format!(
                "a run on {} would reach into its next {}, which is kept for {}, {}",
                self.of.lanes[lane],
                self.of.windows[lane][w],
                self.of.jobs[other].id,
                self.critical(other)
            );
            is_better.then(|| self.hold(Reason::Crossing, window.until, what))
        });
        holds.next()
    }

    /// Second best now, or best later: whichever is done first. As long as the pace of one of them
    /// is a guess, nobody waits for a window on account of it: others go on.
    fn sooner(&self, lane: usize, ms: i64, start: &Start) -> Option<Hold> {
        let there = usize::from(start.lane);
        let here = self.of.board.now.saturating_add(ms);
        if there == lane || start.finish_ms >= here {
            return None;
        }
        let is_sure = self.of.paced[lane] && self.of.paced[there];
        let waits = wait(&self.of.board, self.plan, self.stretches, start);
        if !is_sure && matches!(waits, Wait::Window(_)) {
            return None;
        }
        let what = format!(
            "{} will have it done by {}, {} not before {}",
            self.of.lanes[there],
            self.at(start.finish_ms),
            self.of.lanes[lane],
            self.at(here)
        );
        Some(self.hold(Reason::Sooner, start.at_ms, what))
    }

    /// The bead of at least the same rank with the longest path behind it that the plan begins on
    /// the lane within this time, if all of them together leave no room for bead `i`; with the
    /// tokens that they take.
    fn worth_more(
        &self,
        i: usize,
        lane: usize,
        tokens: u64,
        (from, until): (i64, i64),
        used: u64,
        limit: u64,
    ) -> Option<(usize, u64)> {
        let works = &self.of.board.works;
        let mut sum = 0_u64;
        let mut first: Option<usize> = None;
        let starts = &self.starts[lane];
        let begins = starts.partition_point(|s| s.at_ms < from);
        let within = starts[begins..].iter().take_while(|s| s.at_ms < until);
        for other in within.map(|s| s.work as usize).filter(|o| *o != i) {
            if works[other].rank > works[i].rank {
                continue;
            }
            sum = sum.saturating_add(works[other].fits[lane].map_or(0, |f| f.tokens));
            if first.is_none_or(|f| {
                (works[other].rank, -self.path[other]) < (works[f].rank, -self.path[f])
            }) {
                first = Some(other);
            }
        }
        let first = first?;
        // Where it does not fit even alone, the tank says so.
        let fits = used.saturating_add(tokens) <= limit;
        let pushes_out = used.saturating_add(sum).saturating_add(tokens) > limit;
        (fits && pushes_out).then_some((first, sum))
    }

    fn critical(&self, other: usize) -> String {
        let minutes = self.path[other] / 60_000;
        match minutes {
            ..=0 => "critical path below a minute".to_owned(),
            1..=119 => format!("critical path {minutes} min"),
            _ => format!("critical path {} h {} min", minutes / 60, minutes % 60),
        }
    }

    fn hold(&self, why: Reason, until: i64, what: String) -> Hold {
        Hold {
            why,
            until: Timestamp::from_millis(until),
            reason: match why {
                Reason::Kept | Reason::Crossing => {
                    format!("{what}; it is new at {}", self.at(until))
                }
                Reason::Sooner => what,
            },
        }
    }

    /// The time of the day in UTC; with the date where it is another day.
    fn at(&self, ms: i64) -> String {
        let (at, now) = (
            Timestamp::from_millis(ms),
            Timestamp::from_millis(self.of.board.now),
        );
        let (at, now) = (at.to_string(), now.to_string());
        let time = at.get(11..16).unwrap_or(&at);
        if at.get(..10) == now.get(..10) {
            format!("{time} UTC")
        } else {
            format!("{} {time} UTC", at.get(..10).unwrap_or(&at))
        }
    }
}

/// The longest chain from the start of each bead to the end of its last follower, at best.
fn paths(of: &Boarded) -> Vec<i64> {
    let works = &of.board.works;
    let mut path = vec![0_i64; works.len()];
    for (i, work) in works.iter().enumerate().rev() {
        let quickest = work.fits.iter().flatten().map(|f| f.ms).min().unwrap_or(0);
        path[i] = path[i].saturating_add(quickest);
        for &d in &work.deps {
            path[d as usize] = path[d as usize].max(path[i]);
        }
    }
    path
}
