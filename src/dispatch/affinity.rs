//! How well each kind of provider does each kind of task, before any experience.

use crate::config::{ProviderSettings, RoutingSettings};
use crate::core::{ProviderKind, ProviderName, TaskType};

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
        | ProviderKind::Google => 0.5,
        ProviderKind::Ollama | ProviderKind::Embedded => 0.3,
    }
}

/// The affinity of a provider for a task, 0 to 1: its own entry, then `[routing.affinity]` by
/// name or kind, then the built-in table.
pub(crate) fn affinity(
    name: &ProviderName,
    kind: ProviderKind,
    entry: &ProviderSettings,
    routing: &RoutingSettings,
    task: TaskType,
) -> f64 {
    let by = |key: &str| routing.affinity.get(key).and_then(|table| table.get(&task));
    let given = entry
        .affinity
        .get(&task)
        .or_else(|| by(name.as_str()))
        .or_else(|| by(kind.as_str()));
    given
        .copied()
        .unwrap_or_else(|| built_in(kind, task))
        .clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_on_an_affinity_wins() {
        let name: ProviderName = "work".parse().unwrap();
        let mut entry = ProviderSettings::default();
        let mut routing = RoutingSettings::default();
        let ask = |e: &ProviderSettings, r: &RoutingSettings| {
            affinity(&name, ProviderKind::Claude, e, r, TaskType::Review)
        };
        assert_eq!(ask(&entry, &routing), 0.7);
        routing
            .affinity
            .insert("claude".into(), [(TaskType::Review, 0.2)].into());
        assert_eq!(ask(&entry, &routing), 0.2);
        routing
            .affinity
            .insert("work".into(), [(TaskType::Review, 0.3)].into());
        assert_eq!(ask(&entry, &routing), 0.3);
        entry.affinity.insert(TaskType::Review, 7.0);
        assert_eq!(ask(&entry, &routing), 1.0);
    }
}
