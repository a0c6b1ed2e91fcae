//! `policy.toml` to a [`Policy`]. Everything that is wrong is told at once, each with its line
//! and column; a word that nobody knows is never passed over.

mod value;

use std::path::PathBuf;
use std::sync::Arc;

use self::value::{Reader, Section};
use super::rule::{Action, Does, Effort, Modify, Otherwise, Policy, Rule, Scope, Unknown, When};
use super::truth::Measure;
use crate::config::Origin;
use crate::config::origin::Place;
use crate::config::problem::Problem;
use crate::config::tree::{Content, Node, parse};
use crate::core::Zone;
use crate::core::schedule::{Hours, Schedule};
use crate::core::time::Span;
use crate::core::{Priority, TaskType};

/// A file of this many rules is a mistake.
const MOST_RULES: usize = 1000;

const TOP: &[&str] = &["timezone", "unknown", "default", "rule"];
const RULE: &[&str] = &[
    "name",
    "scope",
    "when",
    "action",
    "reason",
    "unknown",
    "model",
    "effort",
    "max_tokens",
    "provider",
    "wait",
];
const WHEN: &[&str] = &[
    "provider",
    "model",
    "task_type",
    "priority",
    "agent",
    "convoy",
    "repo",
    "bead",
    "estimated_tokens",
    "estimated_cost",
    "window",
    "window_ratio",
    "p_exhausted",
    "seconds_to_reset",
    "hours",
    "days",
    "timezone",
    "budget_left",
];

/// Reads the bytes of `file`. Pure: nothing is opened here.
pub(crate) fn read(file: &Arc<PathBuf>, bytes: &[u8]) -> Result<Policy, Vec<Problem>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let at = Origin::File(Place::at(file, &good, good.len()));
            return Err(vec![Problem::new(
                &at,
                "",
                "is not UTF-8 text from here on",
            )]);
        }
    };
    let root = parse(file, text).map_err(|problem| vec![problem])?;
    let mut reader = Reader::default();
    let policy = reader.policy(&root);
    if reader.problems.is_empty() {
        return Ok(policy);
    }
    let mut problems = reader.problems;
    problems.sort_by_key(|p| match &p.origin {
        Origin::File(place) => (place.line, place.column),
        Origin::BuiltIn | Origin::Detected | Origin::Env(_) | Origin::Flag(_) => (usize::MAX, 0),
    });
    Err(problems)
}

impl Reader {
    fn policy(&mut self, root: &Node) -> Policy {
        let Some(top) = self.section(root, String::new(), TOP) else {
            return Policy::default();
        };
        let timezone = self.word::<Zone>(&top, "timezone", &[]).unwrap_or_default();
        let unknown = self
            .word(&top, "unknown", Unknown::WORDS)
            .unwrap_or(Unknown::Cautious);
        let default = self
            .word(&top, "default", Otherwise::WORDS)
            .unwrap_or(Otherwise::Approve);
        let mut rules: Vec<Rule> = Vec::new();
        match top.table.get("rule") {
            None => {}
            Some(Node {
                content: Content::List(items),
                origin,
            }) => {
                if items.len() > MOST_RULES {
                    let message = format!("holds {} rules; {MOST_RULES} are the most", items.len());
                    self.problems.push(Problem::new(origin, "rule", message));
                }
                for (i, node) in items.iter().take(MOST_RULES).enumerate() {
                    let Some(rule) = self.rule(node, i + 1, timezone) else {
                        continue;
                    };
                    if rules.iter().any(|there| there.name == rule.name) {
                        let at = node.nearest(&["name"]);
                        self.add(
                            at,
                            &format!("rule {}.name", i + 1),
                            "is the name of another rule",
                        );
                    }
                    rules.push(rule);
                }
            }
            Some(node) => self.add(node, "rule", "must be a list: write [[rule]]"),
        }
        Policy::new(timezone, unknown, default, rules)
    }

    fn rule(&mut self, node: &Node, number: usize, zone: Zone) -> Option<Rule> {
        let told = self.problems.len();
        let s = self.section(node, format!("rule {number}"), RULE)?;
        let name = self.text(&s, "name", 64);
        if name.is_none() && !s.table.contains_key("name") {
            self.add(node, &s.key("name"), "every rule needs a name");
        }
        let scope = self
            .word(&s, "scope", Scope::WORDS)
            .unwrap_or(Scope::Global);
        let when = match s.table.get("when") {
            None => When::default(),
            Some(when) => self.when(when, s.key("when"), zone),
        };
        let action = self.word::<Action>(&s, "action", Action::WORDS);
        if action.is_none() && !s.table.contains_key("action") {
            let message = format!("every rule needs an action: {}", Action::WORDS.join(", "));
            self.add(node, &s.key("action"), message);
        }
        let reason = self.text(&s, "reason", 300);
        let unknown = self.word(&s, "unknown", Unknown::WORDS);
        let does = self.does(&s, action?, &when);
        self.subject(&s, scope, &when);
        (self.problems.len() == told).then_some(())?;
        Some(Rule {
            name: name?,
            scope,
            when,
            does: does?,
            reason,
            unknown,
        })
    }

    /// The action with its own keys; those of other actions are refused.
    fn does(&mut self, s: &Section<'_>, action: Action, when: &When) -> Option<Does> {
        let change = Modify {
            model: self.text(s, "model", 96),
            effort: self.word::<Effort>(s, "effort", Effort::WORDS),
            max_tokens: self.count(s, "max_tokens"),
            provider: self.word(s, "provider", &[]),
        };
        let wait = self.word::<Span>(s, "wait", &[]);
        for (key, owner) in [
            ("model", Action::Modify),
            ("effort", Action::Modify),
            ("max_tokens", Action::Modify),
            ("provider", Action::Modify),
            ("wait", Action::Delay),
        ] {
            if let Some(node) = s.table.get(key).filter(|_| action != owner) {
                let message = format!("belongs to `action = \"{owner}\"`");
                self.add(node, &s.key(key), message);
            }
        }
        Some(match action {
            Action::Approve => Does::Approve,
            Action::Warn => Does::Warn,
            Action::Deny => Does::Deny,
            Action::Modify => {
                let keys = ["model", "effort", "max_tokens", "provider"];
                if !keys.iter().any(|key| s.table.contains_key(*key)) {
                    let message = "changes nothing: give model, effort, max_tokens or provider";
                    self.add(s.node, &s.key("action"), message);
                }
                Does::Modify(change)
            }
            Action::Delay => {
                let Some(wait) = wait.filter(|w| !w.0.is_zero()) else {
                    let message = "needs `wait`, for example \"10m\": runs begin that far apart";
                    self.add(s.node, &s.key("wait"), message);
                    return None;
                };
                Does::Delay { wait }
            }
            Action::Defer => {
                let told = s.table.get("when").and_then(Node::as_table);
                let has_hours = told.is_some_and(|when| when.contains_key("hours"));
                if !when.passes() && !has_hours {
                    let message = "would wait for ever: name window_ratio, p_exhausted, seconds_to_reset, hours, days or budget_left in `when`, or deny";
                    self.add(s.node, &s.key("action"), message);
                }
                Does::Defer
            }
        })
    }

    /// A scope is that of something.
    fn subject(&mut self, s: &Section<'_>, scope: Scope, when: &When) {
        let is_named = match scope {
            Scope::Global => true,
            Scope::Provider => when.provider.is_some(),
            Scope::Repo => when.repo.is_some(),
            Scope::Convoy => when.convoy.is_some(),
            Scope::Bead => when.bead.is_some(),
        };
        if !is_named {
            let at = s.table.get("scope").unwrap_or(s.node);
            let message = format!("a rule of this scope names its {scope} in `when`");
            self.add(at, &s.key("scope"), message);
        }
    }

    fn when(&mut self, node: &Node, path: String, zone: Zone) -> When {
        let Some(s) = self.section(node, path, WHEN) else {
            return When::default();
        };
        let (hours, days) = (self.word::<Hours>(&s, "hours", &[]), self.days(&s));
        let zone_here = self.word::<Zone>(&s, "timezone", &[]);
        if let Some(at) = s.table.get("timezone")
            && !s.table.contains_key("hours")
            && !s.table.contains_key("days")
        {
            self.add(
                at,
                &s.key("timezone"),
                "is for `hours` and `days`, and neither is there",
            );
        }
        let when = When {
            provider: self.names(&s, "provider"),
            model: self.names(&s, "model"),
            task_type: self.words(&s, "task_type", TaskType::WORDS),
            priority: self.words(&s, "priority", Priority::WORDS),
            agent: self.names(&s, "agent"),
            convoy: self.names(&s, "convoy"),
            repo: self.names(&s, "repo"),
            bead: self.names(&s, "bead"),
            estimated_tokens: self.compare(&s, "estimated_tokens", Measure::Count),
            estimated_cost: self.compare(&s, "estimated_cost", Measure::Money),
            window: self.names(&s, "window"),
            window_ratio: self.compare(&s, "window_ratio", Measure::Share),
            p_exhausted: self.compare(&s, "p_exhausted", Measure::Share),
            seconds_to_reset: self.compare(&s, "seconds_to_reset", Measure::Time),
            time: (hours.is_some() || days.is_some()).then_some(Schedule {
                hours,
                days,
                zone: zone_here.unwrap_or(zone),
            }),
            budget_left: self.compare(&s, "budget_left", Measure::Share),
        };
        let has_figure = when.window_ratio.is_some()
            || when.p_exhausted.is_some()
            || when.seconds_to_reset.is_some();
        if let Some(at) = s.table.get("window").filter(|_| !has_figure) {
            let message =
                "says nothing by itself: add window_ratio, p_exhausted or seconds_to_reset";
            self.add(at, &s.key("window"), message);
        }
        when
    }
}
