//! The settings as the rest of the program sees them: every default filled in, every value
//! checked. `config.toml` has the same sections and keys.

mod amounts;
mod budget;
mod notify;
mod sim;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use self::amounts::{Price, ReserveHours, WindowLimit};
pub(crate) use self::budget::{BudgetSettings, ProviderBudget};
pub(crate) use self::notify::{NotifySettings, Occasion};
pub(crate) use self::sim::{SimEdits, SimSettings};
use crate::core::time::Span;
use crate::core::{Capability, Permission, ProviderKind, ProviderName, Strategy, TaskType};

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) general: GeneralSettings,
    pub(crate) providers: BTreeMap<ProviderName, ProviderSettings>,
    pub(crate) assayer: AssayerSettings,
    pub(crate) routing: RoutingSettings,
    pub(crate) gate: GateSettings,
    pub(crate) foreman: ForemanSettings,
    pub(crate) sources: SourcesSettings,
    pub(crate) budget: BudgetSettings,
    pub(crate) notify: NotifySettings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct GeneralSettings {
    /// error, warn, info, debug or trace; `RUST_LOG` wins.
    pub(crate) log_level: String,
    /// Polecats at once, over all providers.
    pub(crate) max_parallel: u32,
    /// Where beads get their worktrees; `$RIGS_HOME/worktrees` when not set.
    pub(crate) worktree_dir: Option<PathBuf>,
    /// The rules; `policy.toml` beside the configuration when not set.
    pub(crate) policy_file: Option<PathBuf>,
}

impl Default for GeneralSettings {
    fn default() -> Self {
        Self {
            log_level: "warn".into(),
            max_parallel: 4,
            worktree_dir: None,
            policy_file: None,
        }
    }
}

/// One entry of `[providers.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct ProviderSettings {
    /// Required, except where the name is a kind's own name.
    pub(crate) kind: Option<ProviderKind>,
    /// Whether it may be used.
    pub(crate) enabled: bool,
    /// The program: a name looked up in PATH or an absolute path; for kind `command` the argv.
    pub(crate) command: Option<Command>,
    /// Extra arguments, before the prompt.
    pub(crate) args: Vec<String>,
    /// The model; the program's or server's own choice when not set.
    pub(crate) model: Option<String>,
    /// What an agent CLI turns to when the model is overloaded.
    pub(crate) fallback_model: Option<String>,
    /// Further models that beads may ask for.
    pub(crate) models: Vec<String>,
    /// The endpoint; an agent CLI is told in its own way.
    pub(crate) base_url: Option<String>,
    /// The NAME of the variable that holds the key, never the key.
    pub(crate) api_key_env: Option<String>,
    /// A file that holds the key and that only you can read.
    pub(crate) api_key_file: Option<PathBuf>,
    /// A program, with its arguments, that prints the key.
    pub(crate) api_key_command: Option<Vec<String>>,
    /// A separate account: `CLAUDE_CONFIG_DIR`, `CODEX_HOME` and so on of this entry.
    pub(crate) config_home: Option<PathBuf>,
    /// Added to the otherwise scrubbed environment of the child.
    pub(crate) env: BTreeMap<String, String>,
    /// Names of variables taken over from the caller's environment.
    pub(crate) env_pass: Vec<String>,
    /// The most that a bead may be permitted here.
    pub(crate) permission: Permission,
    /// What it can produce; by its kind when not set. Work on files needs `edit`.
    pub(crate) capabilities: Option<Vec<Capability>>,
    /// Beads at once on this provider.
    pub(crate) max_parallel: u32,
    /// Whole run.
    pub(crate) timeout: Span,
    /// Longest silence between two lines of output.
    pub(crate) idle_timeout: Span,
    /// Longest wait for the first line of output.
    pub(crate) startup_timeout: Span,
    /// Share left from which a tank counts as yellow, 0 to 1.
    pub(crate) threshold_yellow: f64,
    /// Share left from which it counts as red: only the `aggressive` strategy goes on using it.
    pub(crate) threshold_red: f64,
    /// Share of every window that is kept for the person, 0 to 1.
    pub(crate) reserve: f64,
    /// Overrides of the affinity table, 0 to 1 per task type.
    pub(crate) affinity: Affinity,
    /// Whether the token that the agent keeps may be read, to ask its provider about limits; it is
    /// never renewed. Kind `claude` only.
    pub(crate) allow_token_reading: bool,
    /// What its tokens cost, where it does not say so itself and the built-in table does not
    /// know better; see below.
    pub(crate) price: Option<Price>,
    /// Hours at which another share is kept; see below.
    pub(crate) reserve_hours: Vec<ReserveHours>,
    /// What you know of its limits; see below.
    pub(crate) limits: Vec<WindowLimit>,
    /// What rigs may spend here; see below.
    pub(crate) budget: ProviderBudget,
    /// Of kind `sim`: how its runs go; see below.
    pub(crate) sim: SimSettings,
}

/// Affinity per task type, 0 to 1.
pub(crate) type Affinity = BTreeMap<TaskType, f64>;

/// A program by name or path, or a whole argv.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Program(String),
    Argv(Vec<String>),
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            kind: None,
            enabled: true,
            command: None,
            args: Vec::new(),
            model: None,
            fallback_model: None,
            models: Vec::new(),
            base_url: None,
            api_key_env: None,
            api_key_file: None,
            api_key_command: None,
            config_home: None,
            env: BTreeMap::new(),
            env_pass: Vec::new(),
            permission: Permission::Edit,
            capabilities: None,
            max_parallel: 2,
            timeout: Span(std::time::Duration::from_mins(45)),
            idle_timeout: Span(std::time::Duration::from_mins(10)),
            startup_timeout: Span(std::time::Duration::from_mins(2)),
            threshold_yellow: 0.5,
            threshold_red: 0.2,
            reserve: 0.0,
            reserve_hours: Vec::new(),
            affinity: BTreeMap::new(),
            price: None,
            allow_token_reading: false,
            limits: Vec::new(),
            budget: ProviderBudget::default(),
            sim: SimSettings::default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct AssayerSettings {
    /// Backends in order of preference; `rules` always stands behind them. Unset: whatever
    /// local model is found, then rules.
    pub(crate) backends: Option<Vec<String>>,
    /// The model that plans; the best that the backend has when not set.
    pub(crate) planner_model: Option<String>,
    /// Accepted, not used by this version: prompts are tightened by rules.
    pub(crate) optimizer_model: Option<String>,
    /// Accepted, not used by this version: estimates are learned from past runs.
    pub(crate) estimator_model: Option<String>,
    /// Accepted, not used by this version: the quality gate runs programs.
    pub(crate) quality_model: Option<String>,
    /// Where Ollama is asked for plans; `OLLAMA_HOST` or its usual port when not set.
    pub(crate) base_url: Option<String>,
    /// Whether a local Ollama may plan.
    pub(crate) use_ollama: bool,
    /// Per call.
    pub(crate) timeout: Span,
}

impl Default for AssayerSettings {
    fn default() -> Self {
        Self {
            backends: None,
            planner_model: None,
            optimizer_model: None,
            estimator_model: None,
            quality_model: None,
            base_url: None,
            use_ollama: true,
            timeout: Span(std::time::Duration::from_mins(2)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct RoutingSettings {
    /// How long to wait for the best provider: `conservative` takes only the best one while it is
    /// green, `balanced` any above red, `aggressive` any with room.
    pub(crate) strategy: Strategy,
    /// Order among providers with equal scores.
    pub(crate) fallback_order: Vec<ProviderName>,
    /// Per provider name or kind, per task type; on top of the built-in table.
    pub(crate) affinity: BTreeMap<String, Affinity>,
    /// Whether what became of a provider's work changes its affinities.
    pub(crate) learn: bool,
    /// Largest share of the work that may go to somebody only to learn how well they do it.
    pub(crate) explore: f64,
    /// Affinities by a trusted repository, below all of the person's.
    #[serde(skip)]
    pub(crate) hints: BTreeMap<String, Affinity>,
}

impl Default for RoutingSettings {
    fn default() -> Self {
        Self {
            strategy: Strategy::Balanced,
            fallback_order: Vec::new(),
            affinity: BTreeMap::new(),
            learn: true,
            explore: 0.05,
            hints: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct GateSettings {
    /// Commands that must succeed in the worktree; detected from the repository when not set.
    pub(crate) commands: Option<Vec<Vec<String>>>,
    /// Run once in a fresh worktree before the agent.
    pub(crate) setup: Vec<Vec<String>>,
    /// Paths of the repository linked into each worktree (build caches).
    pub(crate) share: Vec<PathBuf>,
    /// Per command.
    pub(crate) timeout: Span,
    /// Globs of files whose weakening fails the gate.
    pub(crate) protected: Vec<String>,
    /// Refusals of a bead's work before it waits for a person, and failed runs before it is given up.
    pub(crate) max_attempts: u32,
    /// How often a gate that failed is run again, at most 5; one that then succeeds is reported as flaky.
    pub(crate) reruns: u32,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            commands: None,
            setup: Vec::new(),
            share: Vec::new(),
            timeout: Span(std::time::Duration::from_mins(15)),
            protected: Vec::new(),
            max_attempts: 3,
            reruns: 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct ForemanSettings {
    /// How long a stop waits for running polecats.
    pub(crate) grace: Span,
    /// How long a claim lasts without a heartbeat.
    pub(crate) lease: Span,
    /// With less memory available than this, in MB, nothing more is started. 0: never mind.
    pub(crate) min_free_memory: u64,
    /// With less space than this left on the disk of the store, in MB, nothing more is started. 0:
    /// never mind.
    pub(crate) min_free_disk: u64,
    /// With a higher load per core, over a minute, nothing more is started; no limit when not set.
    pub(crate) max_load_per_core: Option<f64>,
}

impl Default for ForemanSettings {
    fn default() -> Self {
        Self {
            grace: Span(std::time::Duration::from_secs(10)),
            lease: Span(std::time::Duration::from_mins(5)),
            min_free_memory: 256,
            min_free_disk: 100,
            max_load_per_core: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(crate) struct SourcesSettings {
    /// Whether GitHub's limits are shown as a tank of their own. No bead runs there: agents call it.
    pub(crate) github: bool,
    /// Where GitHub is asked.
    pub(crate) github_url: String,
    /// The NAME of the variable that holds a token; without one, the limits of this machine's
    /// address are shown.
    pub(crate) github_token_env: Option<String>,
}

impl Default for SourcesSettings {
    fn default() -> Self {
        Self {
            github: false,
            github_url: "https://api.github.com".into(),
            github_token_env: None,
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Command {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let program = serde_json::json!({ "type": "string" });
        schemars::json_schema!({ "anyOf": [program, { "type": "array", "items": program }] })
    }
}

impl Serialize for Command {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Program(p) => p.serialize(s),
            Self::Argv(a) => a.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Command;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a program, or a list of the program and its arguments")
            }

            fn visit_str<E: serde::de::Error>(self, program: &str) -> Result<Command, E> {
                Ok(Command::Program(program.to_owned()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Command, A::Error> {
                let mut argv = Vec::new();
                while let Some(arg) = seq.next_element::<String>()? {
                    argv.push(arg);
                }
                Ok(Command::Argv(argv))
            }
        }
        d.deserialize_any(Visitor)
    }
}

impl ProviderSettings {
    pub(crate) fn capabilities(&self) -> &[Capability] {
        match (&self.capabilities, self.kind) {
            (Some(given), _) => given,
            (None, Some(kind)) => kind.capabilities(),
            (None, None) => &[],
        }
    }

    pub(crate) fn can(&self, capability: Capability) -> bool {
        self.capabilities().contains(&capability)
    }
}
