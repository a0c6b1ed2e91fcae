//! What `rigs doctor` and `rigs db` find.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::Timestamp;
use crate::core::words::word_enum;

word_enum! {
    /// How much a finding matters.
    pub(crate) enum Level as "level" {
        Ok = "ok",
        /// Worth a look; rigs works.
        Warning = "warning",
        /// Something does not work, or is not safe.
        Problem = "problem",
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// What it is about: home, config, policy, store, tanks, work, git, a provider's name ...
    pub(crate) area: String,
    pub(crate) level: Level,
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) next: Option<String>,
    /// It was wrong, and `--fix` has put it right.
    pub(crate) fixed: bool,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Doctor")]
pub(crate) struct Report {
    /// No problem is left; warnings may be.
    pub(crate) ok: bool,
    pub(crate) findings: Vec<Finding>,
}

/// The state of the store's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct StoreCheck {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Number of migrations that made its schema.
    pub(crate) schema: i64,
    pub(crate) ok: bool,
    /// What SQLite says is wrong, and rows that refer to nothing.
    pub(crate) problems: Vec<String>,
    /// Windows that are not what was observed and used; `rigs doctor --fix` makes them anew.
    pub(crate) tanks: Vec<String>,
}

/// A copy of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Backup {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// What was moved out of the way, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Archived {
    pub(crate) beads: u64,
    /// They ended before this.
    pub(crate) before: Timestamp,
    /// Nothing was moved.
    pub(crate) dry_run: bool,
    /// Of the store's file now.
    pub(crate) bytes: u64,
}
