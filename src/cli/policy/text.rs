//! Rules and verdicts as text.

use super::super::page::{BAD, DIM, GOOD, Page, WARN};
use super::super::when::clock;
use crate::core::Timestamp;
use crate::policy::truth::Truth;
use crate::policy::{Action, Modify};
use crate::view::policy::{Judged, RuleView, VerdictView};

/// The action with what it does.
pub(super) fn action(rule: &RuleView) -> String {
    let change = rule.modify.as_ref().map(changes);
    let wait = rule.wait.map(|wait| format!("{wait} apart"));
    match change.or(wait) {
        Some(more) => format!("{}: {more}", rule.action),
        None => rule.action.to_string(),
    }
}

pub(super) fn changes(modify: &Modify) -> String {
    let Modify {
        model,
        effort,
        max_tokens,
        provider,
    } = modify;
    let parts = [
        provider.as_ref().map(|p| format!("provider {p}")),
        model.as_ref().map(|m| format!("model {m}")),
        effort.map(|e| format!("effort {e}")),
        max_tokens.map(|n| format!("at most {} tokens", crate::core::text::thousands(n))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

/// The verdict in one line, without the subject.
pub(super) fn verdict(v: &VerdictView, now: Timestamp) -> String {
    let mut text = v.action.to_string();
    match (v.action, v.until) {
        (Action::Delay | Action::Defer, Some(until)) => {
            text = format!("{text} until {}", clock(until, now));
        }
        (Action::Delay | Action::Defer, None) => text.push_str(" until another run ends"),
        (Action::Approve | Action::Warn | Action::Modify | Action::Deny, _) => {}
    }
    let changes = changes(&v.modify);
    for part in [&changes, &v.reason] {
        if !part.is_empty() {
            text = format!("{text}: {part}");
        }
    }
    text
}

/// The verdict and every rule with what it wants and what there is.
pub(super) fn explained(page: &mut Page, judged: &Judged, now: Timestamp) {
    let whom = judged
        .provider
        .as_ref()
        .map_or("any provider", |p| p.as_str());
    let style = match judged.verdict.action {
        Action::Approve | Action::Modify => GOOD,
        Action::Warn | Action::Delay | Action::Defer => WARN,
        Action::Deny => BAD,
    };
    page.styled(style, format!("{whom}  {}", verdict(&judged.verdict, now)));
    for warning in &judged.verdict.warnings {
        page.line(format!("  warning: {warning}"));
    }
    for rule in &judged.rules {
        let behind = if rule.is_behind {
            ", not asked: a rule of its scope came first"
        } else {
            ""
        };
        let matched = match rule.matched {
            Truth::Yes => "matches",
            Truth::No => "does not match",
            Truth::Unknown => "cannot be judged",
        };
        page.line(format!(
            "  {} {} ({}) {matched}{behind}",
            rule.scope, rule.rule, rule.action
        ));
        for told in &rule.conditions {
            page.styled(
                DIM,
                format!(
                    "      {}: {} wants {}, is {}",
                    told.holds, told.condition, told.wants, told.is
                ),
            );
        }
    }
}
