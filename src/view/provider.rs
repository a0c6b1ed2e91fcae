//! Providers as answers: what is configured, and whether it can be used as far as that shows
//! without asking anybody.

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::detect::Detected;
use crate::config::secret::{self, SecretSource};
use crate::config::settings::Command;
use crate::config::{Config, Env, ProviderSettings};
use crate::core::redact::redact;
use crate::core::{Capability, Permission, ProviderKind, ProviderName};
use crate::provider;

/// One entry of `[providers]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub(crate) struct ProviderView {
    pub(crate) name: ProviderName,
    pub(crate) kind: ProviderKind,
    pub(crate) enabled: bool,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) permission: Permission,
    /// Absolute path of the program; `null` when it was not found or there is none.
    pub(crate) program: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) model: Option<String>,
    /// Where the key comes from, never the key; `null` when none is configured.
    pub(crate) key: Option<String>,
    pub(crate) max_parallel: u32,
    /// Why it cannot be used; `null` when nothing speaks against it.
    pub(crate) problem: Option<String>,
    /// Where the entry comes from.
    pub(crate) source: String,
}

/// What `provider test` found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Tested {
    pub(crate) provider: ProviderName,
    pub(crate) kind: ProviderKind,
    pub(crate) ok: bool,
    /// What was checked, in order, up to the first that failed.
    pub(crate) checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) ok: bool,
    /// What was found, or what is wrong.
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

/// Something on this machine that can run beads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// The kind, or the name of the service.
    pub(crate) name: String,
    /// Path of the program, address, or the variable that holds the key.
    pub(crate) at: String,
    /// Names of the entries that use it.
    pub(crate) configured: Vec<ProviderName>,
    /// Whether an entry was added just now.
    pub(crate) added: bool,
    /// Whether its use is billed, so that it is never used by itself.
    pub(crate) billed: bool,
}

/// What was found, with what the configuration makes of it.
pub(crate) fn found(here: &Detected, config: &Config, added: &[ProviderName]) -> Vec<Found> {
    let of_kind = |kind: ProviderKind| -> Vec<ProviderName> {
        let entries = config.settings.providers.iter();
        entries
            .filter(|(_, entry)| entry.kind == Some(kind) && entry.enabled)
            .map(|(name, _)| name.clone())
            .collect()
    };
    let one = |kind: ProviderKind, at: String| Found {
        name: kind.to_string(),
        at,
        configured: of_kind(kind),
        added: added.iter().any(|name| name.as_str() == kind.as_str()),
        billed: false,
    };
    let agents = here
        .agents
        .iter()
        .map(|(kind, path)| one(*kind, path.display().to_string()));
    let ollama = one(ProviderKind::Ollama, redact(&here.ollama));
    let embedded = here
        .embedded
        .then(|| one(ProviderKind::Embedded, "inside rigs".to_owned()));
    let services = here.services.iter().map(|(name, variable)| Found {
        name: (*name).to_owned(),
        at: format!("${variable}"),
        configured: config
            .settings
            .providers
            .iter()
            .filter(|(_, entry)| entry.enabled && entry.api_key_env.as_deref() == Some(*variable))
            .map(|(name, _)| name.clone())
            .collect(),
        added: false,
        billed: true,
    });
    agents
        .chain([ollama])
        .chain(embedded)
        .chain(services)
        .collect()
}

pub(crate) fn list(config: &Config, env: &Env) -> Vec<ProviderView> {
    let entries = &config.settings.providers;
    entries
        .iter()
        .filter_map(|(name, entry)| one(config, env, name, entry))
        .collect()
}

/// `None` for an entry without a kind, which a checked configuration does not have.
fn one(
    config: &Config,
    env: &Env,
    name: &ProviderName,
    entry: &ProviderSettings,
) -> Option<ProviderView> {
    let kind = entry.kind?;
    let wanted = program_name(kind, entry);
    let program = wanted.as_deref().and_then(|name| env.find_program(name));
    let key = secret::source(entry).map(|source| match source {
        SecretSource::Env(name) => format!("${name}"),
        SecretSource::File(file) => file.display().to_string(),
        SecretSource::Command(argv) => argv.first().cloned().unwrap_or_default(),
    });
    let problem = match (&wanted, &program, &entry.api_key_env) {
        (Some(wanted), None, _) => Some(
            env.passed_over(wanted)
                .unwrap_or_else(|| format!("`{wanted}` is not a program in PATH")),
        ),
        (_, _, Some(variable)) if env.get(variable).is_none() => {
            Some(format!("${variable} is not set"))
        }
        _ if kind == ProviderKind::Embedded && !cfg!(feature = "local-llm") => {
            Some("this build is without the feature local-llm".to_owned())
        }
        _ => None,
    };
    Some(ProviderView {
        name: name.clone(),
        kind,
        enabled: entry.enabled,
        capabilities: entry.capabilities().to_vec(),
        permission: entry.permission,
        program: program.map(|path| path.display().to_string()),
        base_url: entry.base_url.as_deref().map(redact),
        model: entry.model.clone(),
        key,
        max_parallel: entry.max_parallel,
        problem,
        source: config.origin(&["providers", name.as_str()]).to_string(),
    })
}

/// The program that an entry runs: a name or a path.
pub(crate) fn program_name(kind: ProviderKind, entry: &ProviderSettings) -> Option<String> {
    match &entry.command {
        Some(Command::Program(program)) => Some(program.clone()),
        Some(Command::Argv(argv)) => argv.first().cloned(),
        None => provider::default_program(kind).map(str::to_owned),
    }
}
