//! What sources said about tanks.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::words::word_enum;
use crate::core::{ProviderName, Timestamp};
use crate::provider::probe::Probe;
use crate::refinery::sources::{Heard, Told};

word_enum! {
    /// What became of a question.
    pub(crate) enum Asked as "outcome of a question" {
        Answered = "answered",
        Failed = "failed",
        /// Not asked: too soon after the last time.
        Waits = "waits",
    }
}

/// One source that was asked, or that was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(crate) struct SourceView {
    pub(crate) provider: ProviderName,
    pub(crate) source: Probe,
    pub(crate) outcome: Asked,
    /// The windows it spoke of.
    pub(crate) windows: Vec<String>,
    /// How many of them changed by it.
    pub(crate) news: u64,
    /// What else it said.
    pub(crate) said: Vec<String>,
    /// Why it gave no answer.
    pub(crate) error: Option<String>,
    /// When it was asked the last time, where it was left alone.
    pub(crate) asked_at: Option<Timestamp>,
    /// When it may be asked again, where that was too soon or it refuses to be asked.
    pub(crate) next_at: Option<Timestamp>,
    /// Whether `--force` asks sooner.
    pub(crate) can_be_forced: bool,
}

impl From<Told> for SourceView {
    fn from(told: Told) -> Self {
        let view = |outcome| Self {
            provider: told.provider.clone(),
            source: told.source,
            outcome,
            windows: Vec::new(),
            news: 0,
            said: Vec::new(),
            error: None,
            asked_at: None,
            next_at: None,
            can_be_forced: false,
        };
        match told.heard {
            Heard::Answered { taken, said } => Self {
                windows: taken.windows,
                news: taken.news as u64,
                said,
                ..view(Asked::Answered)
            },
            Heard::Failed {
                reason,
                blocked_until,
            } => Self {
                error: Some(reason),
                next_at: blocked_until,
                ..view(Asked::Failed)
            },
            Heard::Waits {
                asked_at,
                until,
                can_be_forced,
            } => Self {
                asked_at: Some(asked_at),
                next_at: Some(until),
                can_be_forced,
                ..view(Asked::Waits)
            },
        }
    }
}

/// What was found in what was given to `tank ingest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Ingested {
    /// Each provider that something was said about, with its windows.
    pub(crate) providers: Vec<IngestedFor>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct IngestedFor {
    pub(crate) provider: ProviderName,
    pub(crate) windows: Vec<String>,
    /// How many of them changed by it.
    pub(crate) news: u64,
}
