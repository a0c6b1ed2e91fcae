//! A convoy: a batch of beads with one goal and, with a repository, one integration branch.

use std::path::PathBuf;

use serde::Serialize;

use crate::config::Strategy;
use crate::core::{BeadStatus, ConvoyId, ConvoyStatus, ProviderName, Timestamp};

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Convoy {
    pub(crate) id: ConvoyId,
    pub(crate) name: String,
    pub(crate) goal: Option<String>,
    pub(crate) status: ConvoyStatus,
    /// Root of the repository's work tree; `None` for text work.
    pub(crate) repo: Option<String>,
    pub(crate) base_branch: Option<String>,
    pub(crate) base_commit: Option<String>,
    /// Of the repository's settings file at the base commit, hexadecimal; `None`: there was none.
    pub(crate) settings_sha256: Option<String>,
    /// The integration branch, `rigs/<id>`.
    pub(crate) branch: Option<String>,
    /// Gate commands that the person gave; `None`: those of the configuration, or detected.
    #[sqlx(json(nullable))]
    pub(crate) gate: Option<Vec<Vec<String>>>,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) max_parallel: Option<i64>,
    pub(crate) budget_tokens: Option<i64>,
    pub(crate) budget_micro_usd: Option<i64>,
    pub(crate) deadline: Option<Timestamp>,
    /// The process that asked for it and waits for it.
    pub(crate) served_by: Option<String>,
    pub(crate) planned_by: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) landed_at: Option<Timestamp>,
    pub(crate) landed_commit: Option<String>,
    pub(crate) updated_at: Timestamp,
}

/// The repository a convoy starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) repo: PathBuf,
    pub(crate) branch: String,
    pub(crate) commit: String,
    /// Of the repository's settings file at that commit.
    pub(crate) settings_sha256: Option<String>,
}

/// A convoy about to be created.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NewConvoy {
    pub(crate) name: String,
    pub(crate) goal: Option<String>,
    pub(crate) base: Option<Base>,
    pub(crate) gate: Option<Vec<Vec<String>>>,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) max_parallel: Option<i64>,
    pub(crate) budget_tokens: Option<i64>,
    pub(crate) budget_micro_usd: Option<i64>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) served_by: Option<String>,
    pub(crate) planned_by: Option<String>,
}

/// How far a convoy is, counted from its beads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(crate) struct Progress {
    pub(crate) total: i64,
    pub(crate) completed: i64,
    /// Being worked on: from optimizing to merging.
    pub(crate) active: i64,
    /// Waiting to be claimed.
    pub(crate) waiting: i64,
    pub(crate) deferred: i64,
    pub(crate) blocked: i64,
    pub(crate) failed: i64,
    pub(crate) cancelled: i64,
}

impl Progress {
    pub(crate) fn of(counts: &[(BeadStatus, i64)]) -> Self {
        let mut p = Self::default();
        for (status, n) in counts {
            p.total += n;
            *match status {
                BeadStatus::Completed => &mut p.completed,
                BeadStatus::Pending | BeadStatus::Queued => &mut p.waiting,
                BeadStatus::Deferred => &mut p.deferred,
                BeadStatus::Blocked => &mut p.blocked,
                BeadStatus::Failed => &mut p.failed,
                BeadStatus::Cancelled => &mut p.cancelled,
                BeadStatus::Optimizing
                | BeadStatus::Assigned
                | BeadStatus::InProgress
                | BeadStatus::Reviewing
                | BeadStatus::Merging => &mut p.active,
            } += n;
        }
        p
    }

    /// Whether no bead can move any more without a person: all are over or blocked.
    pub(crate) fn is_still(&self) -> bool {
        self.active + self.waiting + self.deferred == 0
    }

    /// What the convoy's own status follows from, once it is still.
    pub(crate) fn verdict(&self) -> Option<ConvoyStatus> {
        if !self.is_still() || self.total == 0 {
            None
        } else if self.failed > 0 {
            Some(ConvoyStatus::Failed)
        } else if self.blocked > 0 {
            None
        } else if self.completed > 0 {
            Some(ConvoyStatus::Completed)
        } else {
            Some(ConvoyStatus::Cancelled)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BeadStatus as S;

    #[test]
    fn a_convoy_is_over_only_when_none_of_its_beads_can_move() {
        let verdict = |counts: &[(S, i64)]| Progress::of(counts).verdict();
        assert_eq!(verdict(&[]), None);
        assert_eq!(verdict(&[(S::Completed, 2), (S::Deferred, 1)]), None);
        assert_eq!(
            verdict(&[(S::Completed, 2), (S::Cancelled, 1)]),
            Some(ConvoyStatus::Completed)
        );
        assert_eq!(
            verdict(&[(S::Completed, 2), (S::Failed, 1), (S::Blocked, 3)]),
            Some(ConvoyStatus::Failed)
        );
        assert_eq!(verdict(&[(S::Completed, 2), (S::Blocked, 1)]), None);
        assert_eq!(verdict(&[(S::Cancelled, 2)]), Some(ConvoyStatus::Cancelled));
    }
}
