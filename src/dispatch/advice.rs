//! What a plan says about each bead that could be claimed now: start it there, or keep some
//! provider's room for another one. The plan proposes; tanks, budgets and the policy decide, and
//! where the plan says nothing the score does.

mod holds;

use std::collections::BTreeMap;

use serde::Serialize;

use self::holds::View;
use super::board::Boarded;
use super::plan::{Plan, Progress, Start, Wait, stretches, wait};
use crate::core::{BeadId, ProviderName, Timestamp};

/// The plan's word about one bead.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Advice {
    /// Where it is to begin at once.
    pub(crate) start: Option<ProviderName>,
    /// Where it had better not begin now.
    pub(crate) holds: BTreeMap<ProviderName, Hold>,
}

impl Advice {
    /// In words, about one provider.
    pub(crate) fn about(&self, provider: &ProviderName) -> Option<String> {
        if self.start.as_ref() == Some(provider) {
            return Some("begins it here now".to_owned());
        }
        self.holds.get(provider).map(|hold| hold.reason.clone())
    }
}

/// Why a provider that has room should not take a bead now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Hold {
    pub(crate) why: Reason,
    /// When the plan wants to begin it, or, where it does not, look at it again.
    pub(crate) until: Timestamp,
    /// For a person.
    pub(crate) reason: String,
}

/// What keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The rest of a window is worth more to another bead.
    Kept,
    /// Its run would reach into the next window, which another bead needs.
    Crossing,
    /// It will be done sooner by waiting for another provider.
    Sooner,
}

/// What a whole plan says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Advised {
    /// Beads to begin at once, first to last.
    pub(crate) order: Vec<BeadId>,
    pub(crate) of: BTreeMap<BeadId, Advice>,
    /// When the plan wants to begin something that could be claimed already.
    pub(crate) next: Option<Timestamp>,
    pub(crate) rule: &'static str,
}

/// What the plan says about the beads that could be claimed now. Where nothing is scarce (nobody
/// waits for a window or a turn) it says nothing: each takes what suits it best.
pub(crate) fn advise(of: &Boarded, plan: &Plan) -> Advised {
    let plan = &by_age(of, plan);
    let stretches = stretches(&of.board, plan);
    let is_scarce = plan.starts.iter().any(|s| {
        matches!(
            wait(&of.board, plan, &stretches, s),
            Wait::Window(_) | Wait::Turn
        )
    });
    if !is_scarce {
        return Advised::default();
    }
    let view = View::new(of, plan, &stretches);
    let now = of.board.now;
    let mut advised = Advised {
        rule: plan.rule,
        ..Advised::default()
    };
    let mut planned: Vec<Option<&Start>> = vec![None; of.jobs.len()];
    let mut yields = view.yields();
    for start in &plan.starts {
        planned[start.work as usize] = Some(start);
        if start.at_ms <= now && !yields.contains_key(&(start.work as usize)) {
            advised.order.push(of.jobs[start.work as usize].id.clone());
        }
    }
    for (i, job) in of.jobs.iter().enumerate() {
        if !job.is_ready {
            continue;
        }
        let start = planned[i];
        let advice = match (start.filter(|s| s.at_ms <= now), yields.remove(&i)) {
            (Some(s), None) => Advice {
                start: Some(of.lanes[usize::from(s.lane)].clone()),
                holds: BTreeMap::new(),
            },
            (Some(s), Some(hold)) => {
                let mut holds = view.holds(i, None);
                holds.insert(of.lanes[usize::from(s.lane)].clone(), hold);
                Advice { start: None, holds }
            }
            (None, _) => Advice {
                start: None,
                holds: view.holds(i, start),
            },
        };
        if !advice.holds.is_empty() {
            let until = advice.holds.values().map(|h| h.until).min();
            advised.next = [advised.next, until].into_iter().flatten().min();
        }
        advised.of.insert(job.id.clone(), advice);
    }
    advised
}

/// The plan with beads that are alike, and that nobody waits for, in the order of the queue: to a
/// search it makes no difference which of them is first.
pub(crate) fn by_age(of: &Boarded, plan: &Plan) -> Plan {
    let works = &of.board.works;
    let mut is_last = vec![true; works.len()];
    for d in works.iter().flat_map(|w| &w.deps) {
        is_last[*d as usize] = false;
    }
    let is_free = |w: u32| {
        let i = w as usize;
        is_last[i] && works[i].deps.is_empty() && of.jobs[i].is_ready
    };
    let alike = |w: u32| {
        let work = &works[w as usize];
        let fits = work.fits.iter().map(|f| f.map(|f| (f.tokens, f.ms)));
        (work.rank, work.due_ms, fits.collect::<Vec<_>>())
    };
    let mut places: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, start) in plan.starts.iter().enumerate() {
        if is_free(start.work) {
            places.entry(alike(start.work)).or_default().push(place);
        }
    }
    let mut plan = plan.clone();
    for places in places.into_values().filter(|p| p.len() > 1) {
        let mut sorted: Vec<u32> = places.iter().map(|p| plan.starts[*p].work).collect();
        sorted.sort_unstable();
        for (place, work) in places.into_iter().zip(sorted) {
            plan.starts[place].work = work;
        }
    }
    plan
}

/// Whether a plan is worth making: with one bead there is nothing to be kept for another one.
pub(crate) fn is_worthwhile(of: &Boarded) -> bool {
    let works = of.board.works.iter();
    works
        .filter(|w| w.progress == Progress::Open)
        .take(2)
        .count()
        == 2
}

#[cfg(test)]
mod tests;
