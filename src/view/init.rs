//! What `rigs init` made and found.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::ProviderKind;

/// The state of the home folder after `init`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Initialized {
    pub(crate) home: String,
    pub(crate) home_created: bool,
    pub(crate) config: String,
    /// False when the file was there already; it is never overwritten.
    pub(crate) config_created: bool,
    pub(crate) store: String,
    pub(crate) store_created: bool,
    /// With `--git`: whether the repository was made; `null` without.
    pub(crate) repository_created: Option<bool>,
    /// Agent CLIs in PATH.
    pub(crate) agents: Vec<Agent>,
    /// Where an Ollama server is expected.
    pub(crate) ollama: String,
    /// Names of variables that hold keys of services billed by use.
    pub(crate) key_variables: Vec<String>,
    /// Whether this build can run a model in its own process.
    pub(crate) embedded: bool,
}

/// A detected agent CLI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Agent {
    pub(crate) kind: ProviderKind,
    pub(crate) path: String,
    /// False when the configuration has no provider of this kind, so that it is not used.
    pub(crate) configured: bool,
}
