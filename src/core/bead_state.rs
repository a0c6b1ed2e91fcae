//! The life of a bead: one table of (state, event, state), used by every change of a status,
//! by recovery and by `docs/states.md`, which is generated from it.

use super::words::word_enum;

word_enum! {
    /// Where a bead is in its life.
    pub(crate) enum BeadStatus as "bead status" {
        /// Created, not assayed yet.
        Pending = "pending",
        /// The assayer works on its prompt and estimate.
        Optimizing = "optimizing",
        /// Ready as soon as its dependencies are completed.
        Queued = "queued",
        /// Claimed: provider chosen, capacity reserved, lease taken.
        Assigned = "assigned",
        /// A polecat runs it.
        InProgress = "in_progress",
        /// The quality gate looks at the result.
        Reviewing = "reviewing",
        /// Accepted; being merged into the convoy's integration branch.
        Merging = "merging",
        /// Merged, or without a repository: its result is stored.
        Completed = "completed",
        /// Waits for capacity until `deferred_until`.
        Deferred = "deferred",
        /// Waits for a dependency, a person, or a change of its size or the policy.
        Blocked = "blocked",
        Failed = "failed",
        Cancelled = "cancelled",
    }
}

impl BeadStatus {
    /// Whether a foreman holds a lease while a bead is in this state.
    pub(crate) fn is_leased(self) -> bool {
        matches!(
            self,
            Self::Optimizing | Self::Assigned | Self::InProgress | Self::Reviewing | Self::Merging
        )
    }

    /// Whether nothing more happens unless someone asks for it.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

word_enum! {
    /// Why a bead is blocked.
    pub(crate) enum BlockCause as "block cause" {
        /// A dependency failed or was cancelled; lifted by retrying it.
        Dependency = "dependency",
        /// A person must answer or decide; lifted by `bead approve`.
        Person = "person",
        /// Larger than any window it could run in.
        TooLarge = "too_large",
        /// A policy rule forbids it.
        Policy = "policy",
    }
}

word_enum! {
    /// What can happen to a bead.
    pub(crate) enum BeadEvent as "bead event" {
        /// The assayer takes it up.
        Assay = "assay",
        /// Prompt and estimate are ready.
        Queue = "queue",
        /// A foreman claims it for a provider.
        Claim = "claim",
        /// Its polecat starts.
        Start = "start",
        /// Its polecat ended with a result.
        Finish = "finish",
        /// The quality gate passed it.
        Accept = "accept",
        /// The quality gate or the merge sends it back, with feedback.
        Revise = "revise",
        /// Its work is merged or stored.
        Complete = "complete",
        /// No capacity: it waits until a stated time.
        Defer = "defer",
        /// The time it waited for has come.
        Promote = "promote",
        /// Its work stopped without a verdict (crash, shutdown, provider fault).
        Release = "release",
        Block = "block",
        Unblock = "unblock",
        /// A person has what it left checked again.
        Review = "review",
        Fail = "fail",
        Cancel = "cancel",
        /// A person asks for another try.
        Retry = "retry",
    }
}

/// An event that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bead that is {from} cannot {event}")]
pub(crate) struct IllegalTransition {
    pub(crate) from: BeadStatus,
    pub(crate) event: BeadEvent,
}

use BeadEvent as E;
use BeadStatus as S;

/// Every allowed step. What is not here is refused.
pub(crate) const TRANSITIONS: &[(S, E, S)] = &[
    (S::Pending, E::Assay, S::Optimizing),
    (S::Pending, E::Block, S::Blocked),
    (S::Pending, E::Fail, S::Failed),
    (S::Pending, E::Cancel, S::Cancelled),
    (S::Optimizing, E::Queue, S::Queued),
    (S::Optimizing, E::Release, S::Pending),
    (S::Optimizing, E::Block, S::Blocked),
    (S::Optimizing, E::Fail, S::Failed),
    (S::Optimizing, E::Cancel, S::Cancelled),
    (S::Queued, E::Claim, S::Assigned),
    (S::Queued, E::Defer, S::Deferred),
    (S::Queued, E::Block, S::Blocked),
    (S::Queued, E::Fail, S::Failed),
    (S::Queued, E::Cancel, S::Cancelled),
    (S::Assigned, E::Start, S::InProgress),
    (S::Assigned, E::Release, S::Queued),
    (S::Assigned, E::Defer, S::Deferred),
    (S::Assigned, E::Block, S::Blocked),
    (S::Assigned, E::Fail, S::Failed),
    (S::Assigned, E::Cancel, S::Cancelled),
    (S::InProgress, E::Finish, S::Reviewing),
    (S::InProgress, E::Release, S::Queued),
    (S::InProgress, E::Defer, S::Deferred),
    (S::InProgress, E::Block, S::Blocked),
    (S::InProgress, E::Fail, S::Failed),
    (S::InProgress, E::Cancel, S::Cancelled),
    (S::Reviewing, E::Accept, S::Merging),
    (S::Reviewing, E::Revise, S::Queued),
    (S::Reviewing, E::Release, S::Queued),
    (S::Reviewing, E::Block, S::Blocked),
    (S::Reviewing, E::Fail, S::Failed),
    (S::Reviewing, E::Cancel, S::Cancelled),
    (S::Merging, E::Complete, S::Completed),
    (S::Merging, E::Revise, S::Queued),
    (S::Merging, E::Release, S::Queued),
    (S::Merging, E::Block, S::Blocked),
    (S::Merging, E::Fail, S::Failed),
    (S::Merging, E::Cancel, S::Cancelled),
    (S::Deferred, E::Promote, S::Queued),
    (S::Deferred, E::Defer, S::Deferred),
    (S::Deferred, E::Block, S::Blocked),
    (S::Deferred, E::Fail, S::Failed),
    (S::Deferred, E::Cancel, S::Cancelled),
    (S::Blocked, E::Unblock, S::Queued),
    (S::Blocked, E::Review, S::Reviewing),
    (S::Blocked, E::Fail, S::Failed),
    (S::Blocked, E::Cancel, S::Cancelled),
    (S::Blocked, E::Retry, S::Queued),
    (S::Failed, E::Retry, S::Queued),
    (S::Cancelled, E::Retry, S::Queued),
];

impl BeadStatus {
    /// The state after `event`.
    pub(crate) fn apply(self, event: BeadEvent) -> Result<Self, IllegalTransition> {
        TRANSITIONS
            .iter()
            .find(|(from, on, _)| (*from, *on) == (self, event))
            .map(|(_, _, to)| *to)
            .ok_or(IllegalTransition { from: self, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_state_and_event_has_at_most_one_next_state() {
        let pairs: BTreeSet<_> = TRANSITIONS.iter().map(|(s, e, _)| (s, e)).collect();
        assert_eq!(pairs.len(), TRANSITIONS.len());
    }

    #[test]
    fn everything_that_is_not_over_can_be_cancelled_and_nothing_completed_changes() {
        for s in S::ALL {
            assert_eq!(s.apply(E::Cancel).is_ok(), !s.is_over(), "{s}");
        }
        assert!(E::ALL.iter().all(|e| S::Completed.apply(*e).is_err()));
    }

    #[test]
    fn every_state_is_reached_and_every_leased_one_can_be_released() {
        let reached: BTreeSet<_> = TRANSITIONS.iter().map(|(_, _, to)| to).collect();
        assert!(
            S::ALL
                .iter()
                .all(|s| reached.contains(s) || *s == S::Pending || *s == S::Optimizing)
        );
        assert!(
            S::ALL
                .iter()
                .filter(|s| s.is_leased())
                .all(|s| s.apply(E::Release).is_ok())
        );
    }

    proptest! {
        #[test]
        fn a_completed_bead_was_reviewed_and_merged(steps in prop::collection::vec(0..E::ALL.len(), 0..60)) {
            let mut path = vec![S::Pending];
            for i in steps {
                if let Ok(next) = path[path.len() - 1].apply(E::ALL[i]) {
                    path.push(next);
                }
            }
            if let Some(at) = path.iter().position(|s| *s == S::Completed) {
                prop_assert_eq!(&path[at - 2..at], &[S::Reviewing, S::Merging]);
                prop_assert_eq!(at, path.len() - 1);
            }
        }
    }
}
