//! Whether a person could be told.

use schemars::JsonSchema;
use serde::Serialize;

/// A message for a test, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "NotifyTest")]
pub(crate) struct Told {
    pub(crate) ok: bool,
    pub(crate) channels: Vec<Channel>,
}

/// One way to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "NotifyChannel")]
pub(crate) struct Channel {
    /// `desktop` or `webhook`
    pub(crate) name: String,
    pub(crate) ok: bool,
    /// Why it did not get there.
    pub(crate) reason: Option<String>,
}
