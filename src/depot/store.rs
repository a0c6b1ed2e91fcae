//! The depot's SQL. Every function takes a connection: a transaction of the caller for changes.

mod approve;
mod archive;
mod attempts;
mod beads;
mod bulk;
mod claim;
mod conflicts;
mod convoys;
mod edit;
mod find;
mod halt;
mod promote;
mod queue;
mod steps;
mod stops;
#[cfg(test)]
mod tests;
mod trust;

pub(crate) use approve::{approve, to_review};
pub(crate) use archive::{Sweep, archive};
pub(crate) use attempts::{
    PastRow, attempts_of, bead_of_marker, complete_record, end_attempt, last_attempt, past_runs,
    refused_by, running_attempts, session_started, simulated_work, started_run,
};
pub(crate) use beads::{
    add_dependency, dependencies_of, get, insert, list, status_counts, touched,
};
pub(crate) use bulk::{insert_many, page, states_of};
pub(crate) use claim::{
    Claim, adopt, as_ready, claim, first_deferred, leased, let_go, next_due, pending, ready,
    renew_leases,
};
pub(crate) use conflicts::{Opening, conflict_of, open_conflict, open_conflicts, resolves};
pub(crate) use convoys::{
    add_bead, beads_of, cancel_convoy, convoy, insert_convoy, landed, list_convoys, pause,
    progress, refresh, resume, serve, served, set_budget,
};
pub(crate) use edit::edit;
pub(crate) use find::{Found, find_bead, find_convoy};
pub(crate) use halt::{Halted, halt, halted, thaw};
pub(crate) use promote::{promote_due, promote_waiting};
pub(crate) use queue::{Queue, queue as open_queue};
pub(crate) use steps::{
    accept, assay, charge, complete, count_failure, defer, finish, met_conflict, queue, release,
    revise, start,
};
pub(crate) use stops::{block, cancel, fail, lift_policy, retry};
pub(crate) use trust::{Trust, all_trusted, revoke, settings_of, trust, trusted};

use crate::core::{BeadId, BeadStatus, ConvoyId, IllegalTransition};
use crate::db::DbError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum DepotError {
    #[error("no bead {0}")]
    NoBead(BeadId),
    #[error("no convoy {0}")]
    NoConvoy(ConvoyId),
    #[error("{bead}: {source}")]
    Illegal {
        bead: BeadId,
        source: IllegalTransition,
    },
    /// Somebody else moved the bead first.
    #[error("{bead} is {now} by now, not {expected}")]
    LostRace {
        bead: BeadId,
        expected: BeadStatus,
        now: BeadStatus,
    },
    /// A completion with an old fence.
    #[error("{bead}: attempt {attempt} no longer holds the lease")]
    Fenced { bead: BeadId, attempt: i64 },
    /// Only what does not run, and is not completed, can be changed.
    #[error("{bead} is {status} and cannot be changed")]
    Busy { bead: BeadId, status: BeadStatus },
    #[error("{0} is archived and cannot be changed")]
    Archived(BeadId),
    /// An id of an import is in the store by now.
    #[error("somebody else stored one of these beads meanwhile: import it again")]
    Taken,
    #[error("that would make a cycle: {}", path.iter().map(BeadId::as_str).collect::<Vec<_>>().join(" -> "))]
    Cycle { path: Vec<BeadId> },
    #[error("the convoy {convoy} is {status}")]
    ConvoyOver {
        convoy: ConvoyId,
        status: crate::core::ConvoyStatus,
    },
    #[error("{bead} belongs to {convoy} already")]
    InConvoy { bead: BeadId, convoy: ConvoyId },
    /// A conflict bead whose original waits for it no more.
    #[error("{bead} was only to merge {original}, which does not wait for it any more")]
    NotNeeded { bead: BeadId, original: BeadId },
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for DepotError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

type Result<T> = std::result::Result<T, DepotError>;
