//! What the stages of a bead are given and what they report.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::conflict::Sides;
use crate::assayer::quality::Verdict;
use crate::config::Settings;
use crate::core::{AttemptId, BeadId, ProviderName, Usage};
use crate::depot::{Bead, Conflict, Convoy, Fence};
use crate::policy::{Effort, Envelope};
use crate::provider::{Outcome, Signal};

/// Everything about one attempt that its stages need.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) bead: Bead,
    pub(crate) convoy: Option<Convoy>,
    /// What holds for its work: the person's settings, and what the repository may say.
    pub(crate) settings: Arc<Settings>,
    pub(crate) attempt: AttemptId,
    pub(crate) fence: Fence,
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    /// The session to go on with, and what its counters stood at.
    pub(crate) resume: Option<Resume>,
    /// Whether the worktree of the attempt before is kept.
    pub(crate) keeps_worktree: bool,
    /// What the kept worktree started from.
    pub(crate) base_commit: Option<String>,
    /// The conflict that it is to bring to an end.
    pub(crate) resolves: Option<Conflict>,
    pub(crate) marker: String,
    pub(crate) log: PathBuf,
    pub(crate) prompt: String,
    pub(crate) system: Option<String>,
    /// More than this, and the run has run away.
    pub(crate) envelope: Envelope,
    /// How long the model thinks, where a rule says so and its program can be told.
    pub(crate) effort: Option<Effort>,
}

impl Job {
    pub(crate) fn bead_id(&self) -> &BeadId {
        &self.bead.id
    }

    /// The repository to work on, when there is one.
    pub(crate) fn repo(&self) -> Option<PathBuf> {
        self.convoy
            .as_ref()
            .and_then(|c| c.repo.as_deref())
            .map(PathBuf::from)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(crate) session: String,
    /// What all attempts of this session used so far; some programs report totals.
    pub(crate) before: Usage,
}

/// Why a stage is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The bead was cancelled, or its lease is gone.
    Cancel,
    /// The foreman is stopping.
    Shutdown,
    /// It is told to stop a second time: no more grace.
    AtOnce,
}

impl Halt {
    /// Whether the foreman is stopping; the bead itself is as wanted as before.
    pub(crate) fn is_stop(self) -> bool {
        matches!(self, Self::Shutdown | Self::AtOnce)
    }
}

/// The line from the loop to one stage.
#[derive(Debug, Clone)]
pub(crate) struct Leash {
    pub(crate) token: CancellationToken,
    pub(crate) halt: tokio::sync::watch::Receiver<Option<Halt>>,
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) bead: BeadId,
    pub(crate) attempt: AttemptId,
    pub(crate) what: Said,
}

#[derive(Debug)]
pub(crate) enum Said {
    /// The worktree stands, at this commit.
    Prepared {
        worktree: PathBuf,
        base: Option<String>,
    },
    /// The program runs (or the request is sent); with its process group where there is one.
    Started {
        process: Option<(i32, u64)>,
    },
    Signal(Signal),
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct RunReport {
    pub(crate) outcome: Outcome,
    /// There was no place to work or no way to keep the work: a person has to look.
    pub(crate) no_place: Option<String>,
    /// What it used, as reported; `None` when nobody knows.
    pub(crate) usage: Option<Usage>,
    pub(crate) output: String,
    pub(crate) session: Option<String>,
    pub(crate) model: Option<String>,
    /// The work, committed.
    pub(crate) commit: Option<String>,
    pub(crate) exit_code: Option<i64>,
    /// Processes that could not be ended; must be empty.
    pub(crate) left_over: Vec<u32>,
    pub(crate) duration_ms: i64,
}

/// How a merge ended.
#[derive(Debug)]
pub(crate) enum MergeReport {
    /// In the integration branch, at this commit; without a repository: stored.
    Merged {
        commit: Option<String>,
    },
    Conflict(Sides),
    /// The gate refused the merged tree.
    Refused(Verdict),
    /// Merging could not be tried; a person has to look.
    Error {
        reason: String,
    },
}

/// The end of a stage.
#[derive(Debug)]
pub(crate) enum StageEnd {
    Ran(Box<RunReport>),
    Reviewed(Verdict),
    Merged(MergeReport),
}
