//! Which repositories may say how their work is checked.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::Timestamp;
use crate::depot::store::Trust;

/// One repository with a settings file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Trust")]
pub(crate) struct TrustView {
    /// Root of its work tree.
    pub(crate) repo: String,
    /// Of the content of its `.rigs.toml`, hexadecimal.
    pub(crate) sha256: String,
    /// The file counts as this text, and as no other.
    pub(crate) trusted: bool,
    pub(crate) trusted_at: Option<Timestamp>,
    pub(crate) content: String,
}

impl TrustView {
    pub(crate) fn of(trust: Trust) -> Self {
        Self {
            repo: trust.repo,
            sha256: trust.sha256,
            trusted: true,
            trusted_at: Some(trust.trusted_at),
            content: trust.content,
        }
    }
}
