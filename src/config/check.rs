//! What a value must be beyond its type.

mod provider;

use std::path::Component;

use super::problem::Problem;
use super::settings::{Affinity, GateSettings, Settings};
use super::tree::{Content, Node};
use crate::core::redact::redact;
use crate::core::suggest::nearest;
use crate::core::text::one_line;
use crate::core::{LimitKind, Period};
use crate::core::{ProviderKind, ProviderName};

const LOG_LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// A limit of a day, week or month, or one counted in percent or runs needs no `kind`: there is
/// only one that fits.
pub(crate) fn shorthands(root: &mut Node) {
    let Some(providers) = root.get_mut(&["providers"]).and_then(Node::as_table_mut) else {
        return;
    };
    for provider in providers.values_mut() {
        let Some(limits) = provider.get_mut(&["limits"]) else {
            continue;
        };
        let Content::List(limits) = &mut limits.content else {
            continue;
        };
        for limit in limits.iter_mut().filter_map(Node::as_table_mut) {
            let word = |key| limit.get(key).and_then(Node::as_str);
            let is_period = word("window").is_some_and(|w| Period::WORDS.contains(&w));
            let (kind, key) = match word("unit") {
                _ if is_period => (LimitKind::Calendar, "window"),
                Some("percent") => (LimitKind::Percent, "unit"),
                Some("runs") => (LimitKind::Concurrency, "unit"),
                Some(_) | None => continue,
            };
            let origin = limit[key].origin.clone();
            limit
                .entry("kind".to_owned())
                .or_insert_with(|| Node::leaf(kind.as_str(), origin));
        }
    }
}

/// A type error in words for people who do not know Rust's types.
pub(crate) fn plain(message: &str) -> String {
    let first = one_line(&redact(message), 200);
    let Some((found, wanted)) = first.split_once(", expected ") else {
        return first;
    };
    let wanted = match wanted {
        "u32" | "u64" | "usize" | "i64" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" | "a borrowed string" => "text in quotes",
        "path string" => "a path in quotes",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    let found = found
        .trim_start_matches("invalid type: ")
        .trim_start_matches("invalid value: ")
        .replace("sequence", "a list")
        .replace("map", "a table");
    format!("is {found}, but must be {wanted}")
}

/// Collects problems with the place of the value they are about.
struct Checker<'a> {
    root: &'a Node,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn add(&mut self, path: &[&str], message: impl Into<String>, hint: Option<String>) {
        let origin = &self.root.nearest(path).origin;
        let mut problem = Problem::new(origin, &path.join("."), message);
        problem.hint = hint;
        self.problems.push(problem);
    }

    fn require(&mut self, holds: bool, path: &[&str], message: &str) {
        if !holds {
            self.add(path, message, None);
        }
    }

    fn ratio(&mut self, value: f64, path: &[&str]) {
        self.require(
            (0.0..=1.0).contains(&value),
            path,
            "must be a share between 0 and 1",
        );
    }
}

/// Every value that has its type but makes no sense.
pub(crate) fn check(settings: &Settings, root: &Node) -> Vec<Problem> {
    let mut c = Checker {
        root,
        problems: Vec::new(),
    };
    let general = &settings.general;
    if !LOG_LEVELS.contains(&general.log_level.as_str()) {
        let hint = match nearest(&general.log_level, LOG_LEVELS.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", LOG_LEVELS.join(", ")),
        };
        c.add(
            &["general", "log_level"],
            "is no level of logging",
            Some(hint),
        );
    }
    c.require(
        general.max_parallel > 0,
        &["general", "max_parallel"],
        "must be at least 1",
    );
    c.require(
        general
            .worktree_dir
            .as_ref()
            .is_none_or(|dir| dir.is_absolute()),
        &["general", "worktree_dir"],
        "must be an absolute path",
    );
    c.require(
        general
            .policy_file
            .as_ref()
            .is_none_or(|file| file.is_absolute()),
        &["general", "policy_file"],
        "must be an absolute path",
    );
    for (name, provider) in &settings.providers {
        provider::entry(&mut c, name.as_str(), provider);
    }
    routing(&mut c, settings);
    gate(&mut c, &settings.gate);
    for (path, span) in [
        (["assayer", "timeout"], settings.assayer.timeout),
        (["gate", "timeout"], settings.gate.timeout),
        (["foreman", "lease"], settings.foreman.lease),
    ] {
        c.require(!span.0.is_zero(), &path, "must be longer than 0");
    }
    if let Some(url) = &settings.assayer.base_url {
        provider::base_url(&mut c, &["assayer", "base_url"], url);
    }
    provider::base_url(
        &mut c,
        &["sources", "github_url"],
        &settings.sources.github_url,
    );
    provider::variable(
        &mut c,
        &["sources", "github_token_env"],
        settings.sources.github_token_env.as_deref(),
    );
    let taken = settings
        .providers
        .keys()
        .any(|name| name.as_str() == "github");
    c.require(
        !(settings.sources.github && taken),
        &["sources", "github"],
        "is a tank of the name of a provider; call the provider something else",
    );
    c.require(
        settings
            .foreman
            .max_load_per_core
            .is_none_or(|load| load.is_finite() && load > 0.0),
        &["foreman", "max_load_per_core"],
        "must be more than 0",
    );
    notify(&mut c, settings);
    budget(&mut c, settings);
    c.problems
}

fn notify(c: &mut Checker<'_>, settings: &Settings) {
    let notify = &settings.notify;
    if let Some(url) = &notify.webhook_url {
        provider::base_url(c, &["notify", "webhook_url"], url);
    }
    let path = ["notify", "webhook_secret_env"];
    provider::variable(c, &path, notify.webhook_secret_env.as_deref());
    let command = notify.webhook_secret_command.as_ref();
    c.require(
        command.is_none_or(|argv| argv.first().is_some_and(|program| !program.is_empty())),
        &["notify", "webhook_secret_command"],
        "must begin with a program",
    );
}

fn budget(c: &mut Checker<'_>, settings: &Settings) {
    let budget = &settings.budget;
    let amount = |c: &mut Checker<'_>, path: &[&str], usd: Option<f64>| {
        c.require(
            usd.is_none_or(|usd| usd.is_finite() && usd >= 0.0),
            path,
            "must be an amount of 0 or more",
        );
    };
    for (key, usd) in budget.dollars() {
        amount(c, &["budget", key], usd);
    }
    for (key, share) in budget.shares() {
        c.ratio(share.unwrap_or(1.0), &["budget", key]);
    }
    c.require(
        budget.envelope.is_finite() && budget.envelope >= 1.0,
        &["budget", "envelope"],
        "must be 1 or more",
    );
    c.require(
        budget.time_per_run.is_none_or(|span| !span.0.is_zero()),
        &["budget", "time_per_run"],
        "must be longer than 0",
    );
    for (name, provider) in &settings.providers {
        let path = |key| ["providers", name.as_str(), "budget", key];
        amount(c, &path("usd_per_day"), provider.budget.usd_per_day);
        c.ratio(
            provider.budget.window_share.unwrap_or(1.0),
            &path("window_share"),
        );
    }
}

fn affinity(c: &mut Checker<'_>, path: &[&str], affinity: &Affinity) {
    for (task, value) in affinity {
        let mut path = path.to_vec();
        path.push(task.as_str());
        c.ratio(*value, &path);
    }
}

fn routing(c: &mut Checker<'_>, settings: &Settings) {
    let known: Vec<&str> = settings
        .providers
        .keys()
        .map(ProviderName::as_str)
        .chain(ProviderKind::WORDS.iter().copied())
        .collect();
    let suggest = |name: &str| {
        let near = nearest(name, known.iter().copied())?;
        Some(format!("did you mean `{near}`?"))
    };
    for (i, name) in settings.routing.fallback_order.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            c.add(
                &["routing", "fallback_order", &i.to_string()],
                format!("there is no provider `{name}`"),
                suggest(name.as_str()),
            );
        }
    }
    c.ratio(settings.routing.explore, &["routing", "explore"]);
    for (name, table) in &settings.routing.affinity {
        let path = ["routing", "affinity", name];
        if !known.contains(&name.as_str()) {
            let shown = one_line(name, 70);
            c.add(
                &path,
                format!("there is no provider or kind `{shown}`"),
                suggest(name),
            );
        }
        affinity(c, &path, table);
    }
}

fn gate(c: &mut Checker<'_>, gate: &GateSettings) {
    let empty = |argv: &Vec<String>| argv.first().is_none_or(String::is_empty);
    c.require(
        !gate.commands.iter().flatten().any(empty),
        &["gate", "commands"],
        "holds a command without a program",
    );
    c.require(
        !gate.setup.iter().any(empty),
        &["gate", "setup"],
        "holds a command without a program",
    );
    let inside = |path: &std::path::PathBuf| {
        path.components().next().is_some()
            && path
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
    };
    c.require(
        gate.share.iter().all(inside),
        &["gate", "share"],
        "must hold paths inside the repository",
    );
    for (i, glob) in gate.protected.iter().enumerate() {
        if let Err(error) = globset::Glob::new(glob) {
            let path = ["gate", "protected", &i.to_string()];
            c.add(&path, one_line(&error.to_string(), 120), None);
        }
    }
    c.require(
        gate.max_attempts > 0,
        &["gate", "max_attempts"],
        "must be at least 1",
    );
    c.require(gate.reruns <= 5, &["gate", "reruns"], "must be at most 5");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_errors_are_told_without_the_names_of_types() {
        assert_eq!(
            plain("invalid type: string \"two\", expected u32"),
            "is string \"two\", but must be a whole number, 0 or more"
        );
        assert_eq!(plain("`5` is not a duration"), "`5` is not a duration");
    }
}
