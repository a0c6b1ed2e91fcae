//! Rules and facts to a verdict. From the outermost scope in, the first rule of each scope that
//! matches counts, on the facts as the rules before it changed them; an inner scope adds to what
//! the outer ones ask for and never lifts it. Because a change of the model can wake another
//! rule, the scopes are gone through until nothing changes any more.

use std::sync::Arc;
use std::time::Duration;

use super::facts::Facts;
use super::matching::{self, Condition};
use super::rule::{Action, Does, Modify, Otherwise, Policy, Rule, Scope, Unknown};
use super::truth::Truth;
use crate::core::Timestamp;

/// When nobody knows how long to wait, it is asked again after this.
const ASK_AGAIN: Duration = Duration::from_mins(30);
/// Rules that change each other's changes more often than this go round in a circle.
const ROUNDS: usize = 8;

/// What becomes of a run, and by which rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    /// The strictest of what the rules ask for.
    pub(crate) action: Action,
    /// The rule behind it, the outermost where several ask for the same.
    pub(crate) rule: Option<String>,
    pub(crate) scope: Option<Scope>,
    /// Why, for a person; empty for a plain approval.
    pub(crate) reason: String,
    /// Of `delay` and `defer`: not before. `None` there: when another run on the provider ends.
    pub(crate) until: Option<Timestamp>,
    /// What is to be changed; applied already to what the later rules were asked about.
    pub(crate) modify: Modify,
    /// Every warning, with the name of its rule.
    pub(crate) warnings: Vec<String>,
    /// The rules that counted, in order.
    pub(crate) trace: Vec<Step>,
    /// Of the policy that decided.
    pub(crate) hash: Arc<str>,
}

/// A rule that counted, and how.
#[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub(crate) struct Step {
    pub(crate) scope: Scope,
    pub(crate) rule: String,
    pub(crate) action: Action,
    /// `unknown` where its conditions could not be judged.
    pub(crate) matched: Truth,
}

/// A verdict in the making.
struct Course<'a> {
    policy: &'a Policy,
    facts: Facts,
    now: Timestamp,
    verdict: Verdict,
    /// The outermost scope that set the model, the effort, the provider.
    set_by: [Option<Scope>; 3],
    /// The rule that changed something last, and why.
    changed_by: Option<(String, Scope, String)>,
    has_spoken: bool,
}

/// Pure: the same policy, facts and time give the same verdict.
pub(crate) fn evaluate(policy: &Policy, facts: &Facts, now: Timestamp) -> Verdict {
    let mut course = Course {
        policy,
        facts: facts.clone(),
        now,
        verdict: Verdict {
            action: Action::Approve,
            rule: None,
            scope: None,
            reason: String::new(),
            until: None,
            modify: Modify::default(),
            warnings: Vec::new(),
            trace: Vec::new(),
            hash: Arc::clone(&policy.hash),
        },
        set_by: [None; 3],
        changed_by: None,
        has_spoken: false,
    };
    for _ in 0..ROUNDS {
        let before = course.verdict.modify.clone();
        course.round();
        let is_over = course.verdict.action == Action::Deny;
        if is_over || course.verdict.modify == before {
            return course.end();
        }
    }
    let reason = "its rules change each other's changes in a circle".to_owned();
    course.take(Action::Deny, None, reason, None);
    course.end()
}

impl Course<'_> {
    fn round(&mut self) {
        let policy = self.policy;
        // Only the last round counts: the ones before it saw another model.
        let v = &mut self.verdict;
        (v.action, v.rule, v.scope, v.until) = (Action::Approve, None, None, None);
        v.reason.clear();
        let mut done = None;
        for rule in &policy.rules {
            if done == Some(rule.scope) {
                continue;
            }
            let truth = matching::when(&rule.when, &self.facts, self.now);
            let counts = match truth {
                Truth::No => false,
                Truth::Yes => {
                    self.has_spoken = true;
                    self.apply(rule);
                    true
                }
                Truth::Unknown => self.apply_unknown(rule),
            };
            if self.verdict.action == Action::Deny {
                self.step(rule, truth);
                return;
            }
            if counts {
                self.step(rule, truth);
                // What cannot be judged does not spare a run the rules behind it.
                if truth == Truth::Yes {
                    done = Some(rule.scope);
                }
            }
        }
    }

    fn step(&mut self, rule: &Rule, matched: Truth) {
        let step = Step {
            scope: rule.scope,
            rule: rule.name.clone(),
            action: rule.does.action(),
            matched,
        };
        if !self.verdict.trace.contains(&step) {
            self.verdict.trace.push(step);
        }
    }

    fn apply(&mut self, rule: &Rule) {
        match &rule.does {
            Does::Approve => {}
            Does::Warn => {
                self.warn(rule, "");
                self.take(Action::Warn, Some(rule), told(rule, ""), None);
            }
            Does::Modify(change) => self.change(rule, change, ""),
            Does::Delay { wait } => {
                let next = self.facts.last_start.map(|at| at + wait.0);
                if let Some(next) = next.filter(|next| *next > self.now) {
                    self.take(Action::Delay, Some(rule), told(rule, ""), Some(next));
                }
            }
            Does::Defer => {
                let until = self.changes_at(rule);
                self.take(Action::Defer, Some(rule), told(rule, ""), Some(until));
            }
            Does::Deny => self.take(Action::Deny, Some(rule), told(rule, ""), None),
        }
    }

    /// A rule of which nobody knows whether it holds; whether it counts.
    fn apply_unknown(&mut self, rule: &Rule) -> bool {
        let why = {
            let what = matching::unknown(&rule.when, &self.facts, self.now);
            let what: Vec<&str> = what.iter().map(|c| c.as_str()).collect();
            format!(
                "{} of {} not known",
                what.join(", "),
                matching::whose(&self.facts)
            )
        };
        match (&rule.does, rule.unknown.unwrap_or(self.policy.unknown)) {
            (Does::Approve, _) => return false,
            (Does::Warn, _)
            | (Does::Modify(_) | Does::Delay { .. } | Does::Defer | Does::Deny, Unknown::Warn) => {
                self.warn(rule, &why);
                self.take(Action::Warn, Some(rule), told(rule, &why), None);
            }
            (Does::Deny, Unknown::Cautious | Unknown::Act) => {
                self.take(Action::Deny, Some(rule), told(rule, &why), None);
            }
            (Does::Modify(change), Unknown::Cautious | Unknown::Act) => {
                self.change(rule, change, &why);
            }
            (Does::Delay { .. } | Does::Defer, Unknown::Act) => {
                let until = self.changes_at(rule);
                let action = rule.does.action();
                self.take(action, Some(rule), told(rule, &why), Some(until));
            }
            (Does::Delay { .. } | Does::Defer, Unknown::Cautious) if self.facts.in_flight > 0 => {
                let why = format!("{why}, so one run at a time");
                self.take(rule.does.action(), Some(rule), told(rule, &why), None);
            }
            (Does::Delay { .. } | Does::Defer, Unknown::Cautious) => {
                let why = format!("{why}, so one run may find out");
                self.warn(rule, &why);
                self.take(Action::Warn, Some(rule), told(rule, &why), None);
            }
        }
        true
    }

    fn warn(&mut self, rule: &Rule, why: &str) {
        let warning = told(rule, why);
        if !self.verdict.warnings.contains(&warning) {
            self.verdict.warnings.push(warning);
        }
    }

    /// The stricter action wins, of equals the later time, then the outer rule.
    fn take(
        &mut self,
        action: Action,
        rule: Option<&Rule>,
        reason: String,
        until: Option<Timestamp>,
    ) {
        let v = &mut self.verdict;
        let is_wait = |a: Action| matches!(a, Action::Delay | Action::Defer);
        let is_stricter = if is_wait(action) && is_wait(v.action) {
            // An end that nobody knows is later than any that somebody does.
            v.until
                .is_some_and(|there| until.is_none_or(|new| new > there))
        } else {
            action > v.action
        };
        if is_stricter {
            v.action = action;
            v.rule = rule.map(|r| r.name.clone());
            v.scope = rule.map(|r| r.scope);
            v.reason = reason;
            v.until = until;
        }
    }

    /// What an outer scope has set stays.
    fn change(&mut self, rule: &Rule, change: &Modify, why: &str) {
        let scope = rule.scope;
        let may = |by: &mut Option<Scope>| {
            let may = by.is_none_or(|by| by >= scope);
            if may {
                *by = Some(scope);
            }
            may
        };
        let (facts, modify) = (&mut self.facts, &mut self.verdict.modify);
        let [model, effort, provider] = &mut self.set_by;
        if let Some(wanted) = &change.model
            && may(model)
        {
            facts.model = Some(wanted.clone());
            modify.model = Some(wanted.clone());
        }
        if let Some(wanted) = change.effort
            && may(effort)
        {
            facts.effort = Some(wanted);
            modify.effort = Some(wanted);
        }
        if let Some(wanted) = change.max_tokens {
            // Of two bounds the smaller one holds, whoever set it.
            let bound = modify.max_tokens.map_or(wanted, |there| there.min(wanted));
            facts.max_tokens = Some(bound);
            modify.max_tokens = Some(bound);
        }
        if let Some(wanted) = &change.provider
            && facts.provider.as_ref() != Some(wanted)
            && may(provider)
        {
            modify.provider = Some(wanted.clone());
        }
        self.changed_by = Some((rule.name.clone(), scope, told(rule, why)));
    }

    /// The first moment at which a condition of `rule` can have changed; never now.
    fn changes_at(&self, rule: &Rule) -> Timestamp {
        matching::changes_at(&rule.when, &self.facts, self.now)
            .filter(|at| *at > self.now)
            .unwrap_or(self.now + ASK_AGAIN)
    }

    fn end(mut self) -> Verdict {
        if !self.has_spoken
            && self.policy.default == Otherwise::Deny
            && self.verdict.action != Action::Deny
        {
            self.take(Action::Deny, None, "no rule approves it".to_owned(), None);
        }
        let v = &mut self.verdict;
        if v.action < Action::Modify
            && !v.modify.is_empty()
            && let Some((rule, scope, reason)) = self.changed_by
        {
            (v.action, v.rule, v.scope, v.reason) =
                (Action::Modify, Some(rule), Some(scope), reason);
        }
        self.verdict
    }
}

/// `rule NAME (scope): reason`.
fn told(rule: &Rule, why: &str) -> String {
    let mut text = format!("rule {} ({})", rule.name, rule.scope);
    for part in [rule.reason.as_deref().unwrap_or_default(), why] {
        if !part.is_empty() {
            text.push_str(": ");
            text.push_str(part);
        }
    }
    text
}

/// What one rule says about the facts, for a person: every condition with what is there.
#[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub(crate) struct Explained {
    pub(crate) scope: Scope,
    pub(crate) rule: String,
    pub(crate) action: Action,
    pub(crate) matched: Truth,
    /// Another rule of its scope came first.
    pub(crate) is_behind: bool,
    pub(crate) conditions: Vec<Told>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub(crate) struct Told {
    pub(crate) condition: Condition,
    pub(crate) wants: String,
    /// `unknown` where nobody knows.
    pub(crate) is: String,
    pub(crate) holds: Truth,
}

/// Every rule against the facts as they were given, before any rule changed them.
pub(crate) fn explain(policy: &Policy, facts: &Facts, now: Timestamp) -> Vec<Explained> {
    let mut done = None;
    let all = policy.rules.iter().map(|rule| {
        let conditions = matching::each(&rule.when, facts, now);
        let matched = conditions
            .iter()
            .fold(Truth::Yes, |all, told| all.and(told.holds));
        let is_behind = done == Some(rule.scope);
        if matched == Truth::Yes {
            done = Some(rule.scope);
        }
        Explained {
            scope: rule.scope,
            rule: rule.name.clone(),
            action: rule.does.action(),
            matched,
            is_behind,
            conditions,
        }
    });
    all.collect()
}
