//! How well a provider does a kind of task: what the configuration or a table says, drawn towards
//! what became of its attempts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::outcomes::Record;
use crate::config::settings::Affinity as Tasks;
use crate::config::{ProviderSettings, RoutingSettings};
use crate::core::words::word_enum;
use crate::core::{ProviderKind, ProviderName, TaskType, Timestamp};

word_enum! {
    /// Who says what holds before any experience.
    pub(crate) enum Says as "source of an affinity" {
        BuiltIn = "table",
        Provider = "its entry",
        Routing = "routing.affinity",
        Repository = ".rigs.toml",
    }
}

/// What holds before any experience.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prior {
    /// 0 to 1.
    pub(crate) value: f64,
    pub(crate) says: Says,
}

/// As many attempts as the table counts for. Four failures in a row then bring the best of the
/// table (1.0) below the usual second (0.6), which somebody whose work is accepted nine times in
/// ten meets once in 10,000 times; ten attempts outweigh the table by two to one.
pub(crate) const TABLE_WEIGHT: f64 = 5.0;

/// The affinity of a provider and model to a kind of task, with what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Affinity {
    /// 0 to 1: what is expected of an attempt, as a share of one that is accepted.
    pub(crate) value: f64,
    /// What it was before any experience.
    pub(crate) table: f64,
    /// Who says so.
    pub(crate) says: Says,
    /// Attempts by what became of them, ever.
    pub(crate) accepted: i64,
    pub(crate) reworked: i64,
    pub(crate) failed: i64,
    /// How many attempts they count as by now.
    pub(crate) weight: f64,
}

impl Affinity {
    /// Nothing is known but the table.
    pub(crate) fn untried(prior: Prior) -> Self {
        let value = clean(prior.value);
        Self {
            value,
            table: value,
            says: prior.says,
            accepted: 0,
            reworked: 0,
            failed: 0,
            weight: 0.0,
        }
    }

    /// The Bayesian average at `now`: the credits of the attempts, faded by their age, together
    /// with [`TABLE_WEIGHT`] attempts that went as the table says.
    pub(crate) fn of(prior: Prior, record: Option<&Record>, now: Timestamp) -> Self {
        let untried = Self::untried(prior);
        let Some(record) = record else {
            return untried;
        };
        let (weight, credit) = record.faded(now);
        let value = (TABLE_WEIGHT * untried.table + credit) / (TABLE_WEIGHT + weight);
        Self {
            value: clean(value),
            accepted: record.accepted,
            reworked: record.reworked,
            failed: record.failed,
            weight,
            ..untried
        }
    }

    /// Standard deviation of what is believed, that of a beta distribution with this mean and as
    /// many attempts behind it.
    pub(crate) fn doubt(&self) -> f64 {
        let number = TABLE_WEIGHT + self.weight;
        (self.value * (1.0 - self.value) / (number + 1.0)).sqrt()
    }
}

fn clean(value: f64) -> f64 {
    if value.is_finite() {
        value.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// The built-in table. Kinds that are not named here do whatever they are pointed at, so they
/// stand between the agents and the small local models.
fn built_in(kind: ProviderKind, task: TaskType) -> f64 {
    use TaskType as T;
    match kind {
        ProviderKind::Claude => match task {
            T::Implementation | T::Design => 1.0,
            T::Debug => 0.9,
            T::Refactor | T::Documentation => 0.8,
            T::Review | T::Test => 0.7,
            T::Research => 0.6,
        },
        ProviderKind::Codex => match task {
            T::Review => 1.0,
            T::Test => 0.9,
            T::Refactor | T::Debug => 0.8,
            T::Documentation | T::Design => 0.7,
            T::Implementation => 0.6,
            T::Research => 0.5,
        },
        // Long contexts and its own search; edits of code less reliably than the two above.
        ProviderKind::Gemini => match task {
            T::Research => 1.0,
            T::Documentation | T::Review => 0.8,
            T::Design | T::Debug => 0.6,
            T::Implementation | T::Refactor | T::Test => 0.5,
        },
        ProviderKind::Opencode
        | ProviderKind::Command
        | ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Sim => 0.5,
        ProviderKind::Ollama | ProviderKind::Embedded => 0.3,
    }
}

/// What holds for a provider and a kind of task before any experience: its own entry, then
/// `[routing.affinity]` by name or kind, then what a trusted repository says in the same way, then
/// the built-in table.
pub(crate) fn prior(
    name: &ProviderName,
    kind: ProviderKind,
    entry: &ProviderSettings,
    routing: &RoutingSettings,
    task: TaskType,
) -> Prior {
    let by = |table: &BTreeMap<String, Tasks>| {
        let keyed = |key: &str| table.get(key).and_then(|tasks| tasks.get(&task)).copied();
        keyed(name.as_str()).or_else(|| keyed(kind.as_str()))
    };
    let said = |value: Option<f64>, says| value.map(|value| Prior { value, says });
    let prior = said(entry.affinity.get(&task).copied(), Says::Provider)
        .or_else(|| said(by(&routing.affinity), Says::Routing))
        .or_else(|| said(by(&routing.hints), Says::Repository))
        .unwrap_or(Prior {
            value: built_in(kind, task),
            says: Says::BuiltIn,
        });
    Prior {
        value: clean(prior.value),
        ..prior
    }
}

#[cfg(test)]
mod tests;
