use std::fmt::Write;

use proptest::prelude::*;

use super::super::{at, now};
use crate::core::Timestamp;
use crate::policy::*;

/// A rule as it was made up.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) scope: usize,
    conditions: Vec<Asked>,
    action: usize,
    model: usize,
    unknown: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    Model(usize),
    NotModel(usize),
    Low,
    Tokens { above: u8 },
    Ratio { above: bool, percent: u8 },
    WeekRatio { above: bool, percent: u8 },
    Risk { above: u8 },
    Budget { below: u8 },
    Hours { from: u8 },
}

pub(super) const SCOPES: [&str; 5] = ["global", "provider", "repo", "convoy", "bead"];
pub(super) const ACTIONS: [&str; 6] = ["approve", "warn", "deny", "defer", "delay", "modify"];
pub(super) const MODELS: [&str; 3] = ["opus", "sonnet", "haiku"];
pub(super) const UNKNOWN: [&str; 3] = ["cautious", "act", "warn"];

pub(super) fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        (0..3usize).prop_map(Asked::Model),
        (0..3usize).prop_map(Asked::NotModel),
        Just(Asked::Low),
        (0..4u8).prop_map(|above| Asked::Tokens { above }),
        (any::<bool>(), 0..=10u8).prop_map(|(above, p)| Asked::Ratio {
            above,
            percent: p * 10
        }),
        (any::<bool>(), 0..=10u8).prop_map(|(above, p)| Asked::WeekRatio {
            above,
            percent: p * 10
        }),
        (0..10u8).prop_map(|p| Asked::Risk { above: p * 10 }),
        (1..=10u8).prop_map(|p| Asked::Budget { below: p * 10 }),
        (0..23u8).prop_map(|from| Asked::Hours { from }),
    ]
}

pub(super) fn made() -> impl Strategy<Value = Made> {
    (
        0..5usize,
        prop::collection::vec(asked(), 0..3),
        // Enough of those that deny.
        prop::sample::select(vec![0, 1, 2, 2, 2, 3, 4, 5, 5]),
        0..3usize,
        prop::option::of(0..3usize),
    )
        .prop_map(|(scope, conditions, action, model, unknown)| Made {
            scope,
            conditions,
            action,
            model,
            unknown,
        })
}

impl Made {
    pub(super) fn text(&self, i: usize) -> String {
        let mut when: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
        let sign = |above: bool| if above { ">" } else { "<" };
        let mut kept = Vec::new();
        for asked in &self.asked() {
            let (key, value) = match asked {
                Asked::Model(m) => ("model", MODELS[*m].to_owned()),
                Asked::NotModel(m) => ("model", format!("!{}", MODELS[*m])),
                Asked::Low => ("priority", "low".to_owned()),
                Asked::Tokens { above } => (
                    "estimated_tokens",
                    format!("> {}", u32::from(*above) * 1000),
                ),
                Asked::Ratio { above, percent } | Asked::WeekRatio { above, percent } => {
                    ("window_ratio", format!("{} {percent}%", sign(*above)))
                }
                Asked::Risk { above } => ("p_exhausted", format!("> {above}%")),
                Asked::Budget { below } => ("budget_left", format!("< {below}%")),
                Asked::Hours { from } => ("hours", format!("{from}-{}", from + 1)),
            };
            if matches!(asked, Asked::WeekRatio { .. }) {
                when.insert("window", "week".to_owned());
            }
            when.insert(key, value);
            kept.push(*asked);
        }
        if let Some(subject) = ["", "provider", "repo", "convoy", "bead"].get(self.scope)
            && !subject.is_empty()
        {
            when.insert(subject, "*".to_owned());
        }
        let mut text = format!(
            "[[rule]]\nname = \"r{i}\"\nscope = \"{}\"\n",
            SCOPES[self.scope]
        );
        for (key, value) in when {
            writeln!(text, "when.{key} = \"{value}\"").unwrap();
        }
        let action = ACTIONS[self.action()];
        writeln!(text, "action = \"{action}\"").unwrap();
        match action {
            "delay" => text.push_str("wait = \"1h\"\n"),
            "modify" => writeln!(text, "model = \"{}\"", MODELS[self.model]).unwrap(),
            _ => {}
        }
        if let Some(unknown) = self.unknown {
            writeln!(text, "unknown = \"{}\"", UNKNOWN[unknown]).unwrap();
        }
        text
    }

    /// One condition of a kind, and the ones about windows about the same windows.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let key = |a: &Asked| match a {
            Asked::Model(_) | Asked::NotModel(_) => 0,
            Asked::Low => 1,
            Asked::Tokens { .. } => 2,
            Asked::Ratio { .. } | Asked::WeekRatio { .. } | Asked::Risk { .. } => 3,
            Asked::Budget { .. } => 4,
            Asked::Hours { .. } => 5,
        };
        let mut kept: Vec<Asked> = Vec::new();
        for asked in &self.conditions {
            if kept.iter().all(|there| key(there) != key(asked)) {
                kept.push(*asked);
            }
        }
        kept
    }

    /// A deferral needs something that time changes.
    pub(super) fn action(&self) -> usize {
        let passes = self.asked().iter().any(|a| {
            !matches!(
                a,
                Asked::Model(_) | Asked::NotModel(_) | Asked::Low | Asked::Tokens { .. }
            )
        });
        if ACTIONS[self.action] == "defer" && !passes {
            2
        } else {
            self.action
        }
    }

    /// On facts that are all known.
    pub(super) fn holds(&self, f: &Known, now: Timestamp) -> bool {
        self.asked().iter().all(|asked| match *asked {
            Asked::Model(m) => f.model == MODELS[m],
            Asked::NotModel(m) => f.model != MODELS[m],
            Asked::Low => f.is_low,
            Asked::Tokens { above } => f.tokens > u64::from(above) * 1000,
            Asked::Ratio { above, percent } => compare(f.session.min(f.week), above, percent),
            Asked::WeekRatio { above, percent } => compare(f.week, above, percent),
            Asked::Risk { above } => compare(f.risk, true, above),
            Asked::Budget { below } => compare(f.budget, false, below),
            Asked::Hours { from } => {
                let hour = (now.millis() / 3_600_000).rem_euclid(24);
                hour == i64::from(from)
            }
        })
    }

    /// Yes, no, or it depends on what nobody knows.
    pub(super) fn matched(&self, all: &[Known], now: Timestamp) -> Option<bool> {
        let yes = all.iter().filter(|f| self.holds(f, now)).count();
        match yes {
            0 => Some(false),
            n if n == all.len() => Some(true),
            _ => None,
        }
    }

    pub(super) fn acts_unknown(&self) -> bool {
        self.unknown.is_none_or(|u| UNKNOWN[u] != "warn")
    }
}

pub(super) fn compare(share: f64, above: bool, percent: u8) -> bool {
    let bound = f64::from(percent) / 100.0;
    if above { share > bound } else { share < bound }
}

/// A state of which everything is known.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) model: &'static str,
    is_low: bool,
    tokens: u64,
    session: f64,
    week: f64,
    risk: f64,
    budget: f64,
}

/// What may not be known, as the program is told.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) model: Option<usize>,
    is_low: bool,
    tokens: Option<u64>,
    session: Option<f64>,
    week: Option<f64>,
    risk: Option<f64>,
    budget: Option<f64>,
    in_flight: u64,
    hour: i64,
}

pub(super) fn share() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        8 => (0..=20u8).prop_map(|n| Some(f64::from(n) / 20.0)),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
    ]
}

pub(super) fn state() -> impl Strategy<Value = State> {
    (
        (
            prop::option::weighted(0.8, 0..3usize),
            any::<bool>(),
            prop::option::weighted(0.8, 0..5000u64),
        ),
        (share(), share(), share(), share()),
        (0..2u64, 0..24i64),
    )
        .prop_map(
            |((model, is_low, tokens), (session, week, risk, budget), (in_flight, hour))| State {
                model,
                is_low,
                tokens,
                session,
                week,
                risk,
                budget,
                in_flight,
                hour,
            },
        )
}

impl State {
    pub(super) fn facts(&self) -> Facts {
        let reset = at("2026-11-20T12:00:00Z");
        let window = |name: &str, ratio| WindowFacts {
            name: name.into(),
            ratio,
            resets_at: Some(reset),
            p_exhausted: self.risk,
        };
        let priority = if self.is_low { "low" } else { "high" };
        Facts {
            agent: "rigs".into(),
            provider: Some("claude".parse().unwrap()),
            model: self.model.map(|m| MODELS[m].to_owned()),
            priority: priority.parse().ok(),
            bead: Some("gt-1".into()),
            convoy: vec!["cv-1".into()],
            repo: Some("/r".into()),
            estimated_tokens: self.tokens,
            windows: Some(vec![
                window("session", self.session),
                window("week", self.week),
            ]),
            in_flight: self.in_flight,
            budget_left: self.budget,
            ..Facts::default()
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(now().millis() / 86_400_000 * 86_400_000 + self.hour * 3_600_000)
    }

    /// Everything that it may be.
    pub(super) fn all(&self) -> Vec<Known> {
        let shares = |x: Option<f64>| match x.filter(|x| !x.is_nan()) {
            Some(x) => vec![x],
            // Between and on every bound that a rule can name.
            None => (0..=20).map(|n| f64::from(n) / 20.0).collect(),
        };
        let models: Vec<&str> = match self.model {
            Some(m) => vec![MODELS[m]],
            None => vec!["opus", "sonnet", "haiku", "another"],
        };
        let tokens = self
            .tokens
            .map_or_else(|| vec![0, 1000, 1001, 2001, 9999], |n| vec![n]);
        let mut all = Vec::new();
        for model in models {
            for tokens in &tokens {
                for session in shares(self.session) {
                    for week in shares(self.week) {
                        for risk in shares(self.risk) {
                            for budget in shares(self.budget) {
                                let (is_low, tokens) = (self.is_low, *tokens);
                                all.push(Known {
                                    model,
                                    is_low,
                                    tokens,
                                    session,
                                    week,
                                    risk,
                                    budget,
                                });
                            }
                        }
                    }
                }
            }
        }
        all
    }
}

/// Which rule, if any, forbids the run.
pub(super) fn forbids(made: &[Made], all: &[Known], now: Timestamp) -> Option<usize> {
    for scope in 0..SCOPES.len() {
        for (i, rule) in made.iter().enumerate().filter(|(_, r)| r.scope == scope) {
            let is_deny = ACTIONS[rule.action()] == "deny";
            match rule.matched(all, now) {
                Some(true) if is_deny => return Some(i),
                Some(true) => break,
                None if is_deny && rule.acts_unknown() => return Some(i),
                None | Some(false) => {}
            }
        }
    }
    None
}

pub(super) fn text(made: &[Made]) -> String {
    made.iter()
        .enumerate()
        .map(|(i, rule)| rule.text(i))
        .collect()
}
