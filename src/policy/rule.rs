//! What a policy is made of, as it was read from its file.

use std::sync::Arc;

use serde::Serialize;

use super::names::Names;
use super::truth::Compare;
use crate::core::Zone;
use crate::core::schedule::Schedule;
use crate::core::time::Span;
use crate::core::words::word_enum;
use crate::core::{Priority, ProviderName, TaskType};

word_enum! {
    /// Where a rule stands, from the outermost in. What an outer scope forbids, no inner one
    /// permits.
    pub(crate) enum Scope as "scope" {
        Global = "global",
        Provider = "provider",
        Repo = "repo",
        Convoy = "convoy",
        Bead = "bead",
    }
}

word_enum! {
    /// What a rule does, from the mildest to the strictest.
    pub(crate) enum Action as "action" {
        /// Nothing more; the rest of its scope is not asked.
        Approve = "approve",
        /// It runs, and the decision says so.
        Warn = "warn",
        /// It runs with another model, effort, bound or provider.
        Modify = "modify",
        /// Runs on the provider begin at least `wait` apart.
        Delay = "delay",
        /// Not before one of the rule's conditions can have changed.
        Defer = "defer",
        /// Not at all.
        Deny = "deny",
    }
}

word_enum! {
    /// What becomes of a rule whose figures are not known. A rule that approves never counts then.
    pub(crate) enum Unknown as "treatment of what is unknown" {
        /// `deny` and `modify` act; `defer` and `delay` let one run at a time through, else nobody
        /// would ever know.
        Cautious = "cautious",
        /// Every rule that restricts acts.
        Act = "act",
        /// It becomes a warning.
        Warn = "warn",
    }
}

word_enum! {
    /// What becomes of a run about which no rule speaks.
    pub(crate) enum Otherwise as "default" {
        Approve = "approve",
        Deny = "deny",
    }
}

word_enum! {
    /// How long a model thinks, where its program can be told.
    pub(crate) enum Effort as "effort" {
        Low = "low",
        Medium = "medium",
        High = "high",
    }
}

/// All rules. [`Policy::hash`] names its content, whatever its file looks like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Policy {
    /// Of the hours and days of its rules.
    pub(crate) timezone: Zone,
    pub(crate) unknown: Unknown,
    pub(crate) default: Otherwise,
    /// By scope, the outermost first; within a scope in the order of the file.
    pub(crate) rules: Vec<Rule>,
    /// SHA-256 of all of the above, hexadecimal.
    #[serde(skip)]
    pub(crate) hash: Arc<str>,
}

impl Default for Policy {
    /// No rules: everything is approved.
    fn default() -> Self {
        Self::new(
            Zone::default(),
            Unknown::Cautious,
            Otherwise::Approve,
            Vec::new(),
        )
    }
}

impl Policy {
    pub(super) fn new(
        timezone: Zone,
        unknown: Unknown,
        default: Otherwise,
        mut rules: Vec<Rule>,
    ) -> Self {
        rules.sort_by_key(|rule| rule.scope);
        let mut policy = Self {
            timezone,
            unknown,
            default,
            rules,
            hash: Arc::from(""),
        };
        policy.hash = hash(&policy);
        policy
    }

    /// Enough of the hash to tell two policies apart.
    pub(crate) fn short_hash(&self) -> &str {
        self.hash.get(..12).unwrap_or(&self.hash)
    }
}

fn hash(policy: &Policy) -> Arc<str> {
    let text = serde_json::to_vec(policy).expect("invariant: a policy is plain data");
    crate::core::digest::sha256(text).into()
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) when: When,
    #[serde(flatten)]
    pub(crate) does: Does,
    /// For a person.
    pub(crate) reason: Option<String>,
    /// Instead of the policy's own.
    pub(crate) unknown: Option<Unknown>,
}

/// An action with what it needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Does {
    Approve,
    Warn,
    Modify(Modify),
    Delay { wait: Span },
    Defer,
    Deny,
}

impl Does {
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Approve => Action::Approve,
            Self::Warn => Action::Warn,
            Self::Modify(_) => Action::Modify,
            Self::Delay { .. } => Action::Delay,
            Self::Defer => Action::Defer,
            Self::Deny => Action::Deny,
        }
    }
}

/// What is changed about a run. `None` leaves it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub(crate) struct Modify {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effort: Option<Effort>,
    /// Of one run: its envelope is no larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<ProviderName>,
}

impl Modify {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The conditions of a rule; all of them must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct When {
    pub(crate) provider: Option<Names>,
    pub(crate) model: Option<Names>,
    pub(crate) task_type: Option<Vec<TaskType>>,
    pub(crate) priority: Option<Vec<Priority>>,
    pub(crate) agent: Option<Names>,
    pub(crate) convoy: Option<Names>,
    pub(crate) repo: Option<Names>,
    pub(crate) bead: Option<Names>,
    pub(crate) estimated_tokens: Option<Compare>,
    pub(crate) estimated_cost: Option<Compare>,
    /// Which windows the three below are about; all that count when not set.
    pub(crate) window: Option<Names>,
    /// The smallest share left.
    pub(crate) window_ratio: Option<Compare>,
    /// The largest chance that one is used up before its reset.
    pub(crate) p_exhausted: Option<Compare>,
    /// Until the reset of the window with the smallest share left.
    pub(crate) seconds_to_reset: Option<Compare>,
    /// Hours and days in their time zone.
    pub(crate) time: Option<Schedule>,
    pub(crate) budget_left: Option<Compare>,
}

impl When {
    /// Whether time alone can end it.
    pub(super) fn passes(&self) -> bool {
        self.window_ratio.is_some()
            || self.p_exhausted.is_some()
            || self.seconds_to_reset.is_some()
            || self.time.is_some()
            || self.budget_left.is_some()
    }
}
