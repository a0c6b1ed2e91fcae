//! The rules, and what they say, as answers.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::time::Span;
use crate::core::{BeadId, ProviderName, Timestamp};
use crate::policy::matching::shown;
use crate::policy::{
    Action, Does, Explained, Facts, Modify, Policy, Rule, Scope, Step, Unknown, Verdict,
};

/// All rules in force.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Policy")]
pub(crate) struct PolicyView {
    /// The file, whether it is there or not.
    pub(crate) file: String,
    /// SHA-256 of the content; every decision names it.
    pub(crate) hash: String,
    pub(crate) timezone: String,
    /// What becomes of a rule whose figures are not known.
    pub(crate) unknown: Unknown,
    /// What becomes of a run about which no rule speaks: `approve` or `deny`.
    pub(crate) default: String,
    /// The outermost scope first, within a scope in the order of the file.
    pub(crate) rules: Vec<RuleView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Rule")]
pub(crate) struct RuleView {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    /// Each condition with what it asks for; all must hold.
    pub(crate) when: Vec<(String, String)>,
    pub(crate) action: Action,
    /// What `modify` changes.
    pub(crate) modify: Option<Modify>,
    /// How far apart `delay` lets runs begin.
    pub(crate) wait: Option<Span>,
    pub(crate) reason: Option<String>,
    /// Where it differs from the policy's own.
    pub(crate) unknown: Option<Unknown>,
}

impl PolicyView {
    pub(crate) fn of(policy: &Policy, file: &std::path::Path) -> Self {
        Self {
            file: file.display().to_string(),
            hash: policy.hash.to_string(),
            timezone: policy.timezone.to_string(),
            unknown: policy.unknown,
            default: policy.default.to_string(),
            rules: policy.rules.iter().map(RuleView::of).collect(),
        }
    }
}

impl RuleView {
    fn of(rule: &Rule) -> Self {
        let (modify, wait) = match &rule.does {
            Does::Modify(modify) => (Some(modify.clone()), None),
            Does::Delay { wait } => (None, Some(*wait)),
            Does::Approve | Does::Warn | Does::Defer | Does::Deny => (None, None),
        };
        let when = shown(&rule.when).into_iter();
        Self {
            name: rule.name.clone(),
            scope: rule.scope,
            when: when.map(|(c, wants)| (c.to_string(), wants)).collect(),
            action: rule.does.action(),
            modify,
            wait,
            reason: rule.reason.clone(),
            unknown: rule.unknown,
        }
    }
}

/// Result of a check that found nothing wrong.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "PolicyCheck")]
pub(crate) struct Checked {
    pub(crate) ok: bool,
    pub(crate) file: String,
    pub(crate) hash: String,
    pub(crate) rules: usize,
    /// What may not do what was meant.
    pub(crate) warnings: Vec<String>,
}

/// What the rules say about one run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Verdict")]
pub(crate) struct VerdictView {
    pub(crate) action: Action,
    /// The rule behind it; null where none spoke.
    pub(crate) rule: Option<String>,
    pub(crate) scope: Option<Scope>,
    pub(crate) reason: String,
    /// Of `delay` and `defer`: not before; null there: when another run on the provider ends.
    pub(crate) until: Option<Timestamp>,
    pub(crate) modify: Modify,
    pub(crate) warnings: Vec<String>,
    /// The rules that counted, in order.
    pub(crate) trace: Vec<Step>,
    /// Hash of the policy.
    pub(crate) policy: String,
}

impl From<Verdict> for VerdictView {
    fn from(v: Verdict) -> Self {
        Self {
            action: v.action,
            rule: v.rule,
            scope: v.scope,
            reason: v.reason,
            until: v.until,
            modify: v.modify,
            warnings: v.warnings,
            trace: v.trace,
            policy: v.hash.to_string(),
        }
    }
}

/// One bead, or a made-up run, on one provider: the verdict, and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "PolicyVerdict")]
pub(crate) struct Judged {
    pub(crate) bead_id: Option<BeadId>,
    pub(crate) title: Option<String>,
    pub(crate) provider: Option<ProviderName>,
    /// As of then.
    pub(crate) at: Timestamp,
    pub(crate) verdict: VerdictView,
    pub(crate) facts: Facts,
    /// Every rule against these facts; empty in a simulation of several beads.
    pub(crate) rules: Vec<Explained>,
}
