//! `[notify]`: who is told when something needs a person, and how.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::core::words::word_enum;

word_enum! {
    /// What a person may want to be told.
    pub(crate) enum Occasion as "occasion" {
        /// A bead needs a person.
        Blocked = "blocked",
        /// A bead was given up.
        Failed = "failed",
        /// A provider is used up until a time.
        Wall = "wall",
        /// A goal or convoy is over.
        Finished = "finished",
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct NotifySettings {
    /// What is told: blocked, failed, wall, finished.
    pub(crate) on: Vec<Occasion>,
    /// Whether a message is shown on the desktop, by `notify-send` or `osascript`.
    pub(crate) desktop: bool,
    /// Where each message is posted as JSON.
    pub(crate) webhook_url: Option<String>,
    /// The NAME of the variable that holds the secret which signs what is posted.
    pub(crate) webhook_secret_env: Option<String>,
    /// A file that holds the secret and that only you can read.
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// A program, with its arguments, that prints the secret.
    pub(crate) webhook_secret_command: Option<Vec<String>>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            on: Occasion::ALL.to_vec(),
            desktop: false,
            webhook_url: None,
            webhook_secret_env: None,
            webhook_secret_file: None,
            webhook_secret_command: None,
        }
    }
}
