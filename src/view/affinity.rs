//! How well each provider is taken to do each kind of task.

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Settings;
use crate::core::{ProviderName, TaskType, Timestamp};
use crate::dispatch::affinity::{Affinity, prior};
use crate::dispatch::outcomes::Records;

/// One provider, model and kind of task.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Affinity")]
pub(crate) struct AffinityView {
    pub(crate) task_type: TaskType,
    pub(crate) provider: ProviderName,
    /// As rigs asks for it; `null`: the provider's own choice.
    pub(crate) model: Option<String>,
    /// 0 to 1; what dispatch counts with.
    pub(crate) affinity: f64,
    /// What it was before any experience, 0 to 1.
    pub(crate) table: f64,
    /// Who says so: `table` (built in), `its entry` or `routing.affinity` of config.toml.
    pub(crate) says: String,
    /// Attempts by what became of them, ever.
    pub(crate) accepted: i64,
    pub(crate) reworked: i64,
    pub(crate) failed: i64,
    /// Attempts that were given only to learn how they turn out.
    pub(crate) tried: i64,
    /// Of all attempts, cache reads aside.
    pub(crate) tokens: i64,
    /// How many attempts they still count as; the table counts for five.
    pub(crate) weight: f64,
    /// When the last of them ended; `null`: there is none.
    pub(crate) updated_at: Option<Timestamp>,
}

/// Every provider that is enabled, with the model that it would be given and others that it had,
/// by kind of task, best first.
pub(crate) fn list(settings: &Settings, records: &Records, now: Timestamp) -> Vec<AffinityView> {
    let mut all = Vec::new();
    for (name, entry) in &settings.providers {
        let Some(kind) = entry.kind.filter(|_| entry.enabled) else {
            continue;
        };
        for task in TaskType::ALL {
            let had = records
                .iter()
                .filter(|(p, _, t, _)| *p == name && t == task);
            let had = had.map(|(_, model, ..)| Some(model).filter(|m| !m.is_empty()));
            let mut models = vec![entry.model.as_deref()];
            models.extend(had.filter(|m| *m != entry.model.as_deref()));
            let prior = prior(name, kind, entry, &settings.routing, *task);
            for model in models {
                let record = records.get(name, model, *task);
                let known = Affinity::of(prior, record, now);
                all.push(AffinityView {
                    task_type: *task,
                    provider: name.clone(),
                    model: model.map(str::to_owned),
                    affinity: known.value,
                    table: known.table,
                    says: known.says.to_string(),
                    accepted: known.accepted,
                    reworked: known.reworked,
                    failed: known.failed,
                    tried: record.map_or(0, |r| r.tried),
                    tokens: record.map_or(0, |r| r.tokens),
                    weight: known.weight,
                    updated_at: record.map(|r| r.updated_at),
                });
            }
        }
    }
    all.sort_by(|a, b| {
        let by_task = (a.task_type as usize).cmp(&(b.task_type as usize));
        by_task.then(b.affinity.total_cmp(&a.affinity))
    });
    all
}
