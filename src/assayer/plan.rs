//! A plan: what the planner makes of a goal, and the file that `--save` writes and `--plan` reads.

mod check;

use serde::{Deserialize, Serialize};

pub(crate) use check::{Author, check, criterion_problem, path_problem, title_key};

use crate::core::{Complexity, Criterion, Priority, TaskType, Usage};

/// Most beads of a plan that the planner makes.
pub(crate) const MAX_BEADS: usize = 12;

/// Version of the plan file; a change that older programs would misread raises it.
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) goal: String,
    pub(crate) beads: Vec<PlannedBead>,
    /// `rules`, or the label of the model; `person` when a person wrote it.
    #[serde(default = "person")]
    pub(crate) planned_by: String,
    /// What happened on the way, for example why a model's plan was not taken.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
    /// Model calls that were made, for the ledger.
    #[serde(skip)]
    pub(crate) calls: Vec<ModelCall>,
}

fn person() -> String {
    "person".into()
}

/// One call of a language model by a stage of the assayer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelCall {
    /// The backend's label.
    pub(crate) label: String,
    pub(crate) model: String,
    pub(crate) usage: Usage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlannedBead {
    /// Names the bead within the plan.
    pub(crate) key: String,
    pub(crate) title: String,
    /// What the agent is asked to do.
    pub(crate) description: String,
    pub(crate) task_type: TaskType,
    #[serde(default = "medium")]
    pub(crate) complexity: Complexity,
    #[serde(default = "normal")]
    pub(crate) priority: Priority,
    pub(crate) acceptance_criteria: Vec<Criterion>,
    /// Keys of the beads that must be completed first.
    #[serde(default)]
    pub(crate) depends_on: Vec<String>,
    /// Files that are likely touched, relative to the repository.
    #[serde(default)]
    pub(crate) files: Vec<String>,
}

fn medium() -> Complexity {
    Complexity::Medium
}

fn normal() -> Priority {
    Priority::Normal
}

/// A plan file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("the plan is not readable at `{path}`")]
    Syntax {
        path: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the plan has version {found}; this rigs reads version {VERSION}")]
    Version { found: u64 },
    #[error("the plan cannot be run: {}", problems.join("; "))]
    Invalid { problems: Vec<String> },
}

impl Plan {
    /// The plan file.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct File<'a> {
            version: u32,
            #[serde(flatten)]
            plan: &'a Plan,
        }
        let file = File {
            version: VERSION,
            plan: self,
        };
        let mut json = serde_json::to_string_pretty(&file)
            .expect("invariant: a plan holds only strings, words and lists");
        json.push('\n');
        json
    }

    /// Reads and checks a plan file that a person is responsible for.
    pub(crate) fn from_json(text: &str) -> Result<Self, PlanError> {
        let at_root = |source| PlanError::Syntax {
            path: ".".into(),
            source,
        };
        let mut value: serde_json::Value =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(at_root)?;
        if let Some(version) = value.as_object_mut().and_then(|map| map.remove("version"))
            && version != VERSION
        {
            return Err(PlanError::Version {
                found: version.as_u64().unwrap_or(0),
            });
        }
        let plan: Self =
            serde_path_to_error::deserialize(value).map_err(|e| PlanError::Syntax {
                path: e.path().to_string(),
                source: e.into_inner(),
            })?;
        let problems = check(&plan, Author::Person);
        if problems.is_empty() {
            Ok(plan)
        } else {
            Err(PlanError::Invalid { problems })
        }
    }
}

#[cfg(test)]
mod tests;
