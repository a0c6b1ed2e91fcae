//! Models that run inside this process, as answers.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::Timestamp;

/// A model that is here, or one that could be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Model")]
pub(crate) struct ModelView {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    /// Whether it is on this machine; if not, `model pull` fetches it.
    pub(crate) here: bool,
    /// Why it cannot be used, when it cannot.
    pub(crate) problem: Option<String>,
    pub(crate) path: Option<String>,
    /// As the file says: `llama`, `qwen2`.
    pub(crate) architecture: Option<String>,
    /// Tokens it was made for.
    pub(crate) context: Option<u64>,
    /// Of published models.
    pub(crate) licence: Option<String>,
    pub(crate) sha256: String,
    pub(crate) added_at: Option<Timestamp>,
}
