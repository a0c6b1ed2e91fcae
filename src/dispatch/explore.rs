//! Now and then a bead goes to somebody who is not known to be the best, because nobody would
//! ever learn otherwise that they are. Who, and when, follows from what is stored; nothing is drawn.

use super::decide::{Candidate, Room};
use crate::core::{Permission, Priority, ProviderName};

/// What decides whether a bead may be used to find something out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stakes {
    pub(crate) priority: Priority,
    pub(crate) permission: Permission,
    /// Its own or its convoy's.
    pub(crate) has_deadline: bool,
    /// Nobody has tried it yet.
    pub(crate) is_first_attempt: bool,
}

impl Stakes {
    /// Nothing that a person waits for or that may do anything on the machine, and no second try
    /// of what has gone wrong before.
    fn are_low(self) -> bool {
        self.priority < Priority::Critical
            && self.permission < Permission::Full
            && !self.has_deadline
            && self.is_first_attempt
    }
}

/// How much finding out is allowed at one kind of task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quota {
    /// Of all attempts, 0 to 1; 0: none.
    pub(crate) share: f64,
    /// Attempts that are over, of all providers.
    pub(crate) outcomes: i64,
    /// Those that were given only to find out, the ones under way among them.
    pub(crate) tried: i64,
}

impl Quota {
    /// Whether one more stays within the share.
    pub(crate) fn has_room(self) -> bool {
        self.share > 0.0
            && (self.tried.saturating_add(1)) as f64 <= self.share * self.outcomes as f64
    }
}

/// One-sided normal quantile of 0.95: worth a try is who may be as good with a chance of one in
/// twenty. Whoever fails falls out by itself, and comes back when that has faded.
const HOPE: f64 = 1.645;

/// Who is to take the bead instead of `best`, whom the decision is for: of those that may be as
/// good, the one of whom least is known. `None`: nobody, or not with this bead.
pub(crate) fn explore<'a>(
    candidates: &'a [Candidate],
    best: &ProviderName,
    stakes: Stakes,
    quota: Quota,
) -> Option<&'a Candidate> {
    if !stakes.are_low() || !quota.has_room() {
        return None;
    }
    // The person's word, or the policy's, is not put to the test; a session is not left.
    let is_settled = |c: &Candidate| c.preferred || c.has_session;
    if candidates.iter().any(is_settled) {
        return None;
    }
    let known = candidates.iter().find(|c| c.provider == *best)?;
    let hope = |c: &Candidate| c.affinity.value + HOPE * c.affinity.doubt();
    let is_free = |c: &&Candidate| {
        c.room == Room::Yes && !c.red && !c.worn && c.ruled.is_none() && c.provider != *best
    };
    candidates
        .iter()
        .filter(is_free)
        .filter(|c| c.affinity.weight < known.affinity.weight)
        // 0 in the table: the person does not want it there.
        .filter(|c| c.affinity.table > 0.0 && hope(c) >= known.affinity.value)
        .min_by(|a, b| {
            a.affinity
                .weight
                .total_cmp(&b.affinity.weight)
                .then(b.affinity.value.total_cmp(&a.affinity.value))
                .then(a.place.cmp(&b.place))
                .then(a.provider.cmp(&b.provider))
        })
}

#[cfg(test)]
mod tests;
