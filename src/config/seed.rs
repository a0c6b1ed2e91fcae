//! Keys under which the settings were first known, turned into today's.

use toml::Value;

use super::origin::Origin;
use super::problem::Problem;
use super::tree::{Content, Node, Table};

/// Rewrites the old keys of `root` in place.
pub(crate) fn translate(root: &mut Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(sections) = root.as_table_mut() else {
        return problems;
    };
    if let Some(general) = sections.get_mut("general").and_then(Node::as_table_mut)
        && let Some(workspace) = general.remove("workspace")
    {
        problems.push(
            Problem::new(
                &workspace.origin,
                "general.workspace",
                "the home folder cannot be set in a file that stands inside it",
            )
            .hint("use --home DIR or RIGS_HOME"),
        );
    }
    if let Some(assayer) = sections.get_mut("assayer").and_then(Node::as_table_mut) {
        rename(assayer, "model", "planner_model", &mut problems);
        rename(assayer, "optimize_model", "optimizer_model", &mut problems);
    }
    if let Some(providers) = sections.get_mut("providers").and_then(Node::as_table_mut) {
        for (name, provider) in providers {
            if let Some(table) = provider.as_table_mut() {
                limits(name, table, &mut problems);
            }
        }
    }
    problems
}

fn rename(section: &mut Table, old: &str, new: &str, problems: &mut Vec<Problem>) {
    if let Some(node) = section.remove(old) {
        if section.contains_key(new) {
            problems.push(Problem::new(
                &node.origin,
                &format!("assayer.{old}"),
                format!("is the old name of `{new}`, which is given too"),
            ));
        } else {
            section.insert(new.to_owned(), node);
        }
    }
}

/// `tokens_per_window` and its companions become entries of `limits`.
fn limits(name: &str, provider: &mut Table, problems: &mut Vec<Problem>) {
    let hours = provider.remove("window_hours");
    let window = match hours.as_ref().map(|node| &node.content) {
        None => "5h".to_owned(),
        Some(Content::Leaf(Value::Integer(hours))) if *hours > 0 => format!("{hours}h"),
        Some(_) => {
            let origin = hours.as_ref().map_or(&Origin::BuiltIn, |node| &node.origin);
            let key = format!("providers.{name}.window_hours");
            problems.push(Problem::new(origin, &key, "must be a whole number above 0"));
            return;
        }
    };
    let mut made = Vec::new();
    for (old, window, kind, unit) in [
        ("tokens_per_window", window.as_str(), "anchored", "tokens"),
        ("requests_per_minute", "1m", "rolling", "requests"),
        ("daily_cap", "1d", "rolling", "tokens"),
        ("weekly_cap", "7d", "rolling", "tokens"),
    ] {
        let Some(amount) = provider.remove(old) else {
            continue;
        };
        let origin = amount.origin.clone();
        let text = |text: &str| Node::leaf(text, origin.clone());
        made.push(Node {
            content: Content::Table(Table::from([
                ("window".to_owned(), text(window)),
                ("kind".to_owned(), text(kind)),
                ("unit".to_owned(), text(unit)),
                ("amount".to_owned(), amount),
            ])),
            origin: origin.clone(),
        });
    }
    let Some(first) = made.first() else {
        return;
    };
    let origin = first.origin.clone();
    let there = provider.entry("limits".to_owned()).or_insert(Node {
        content: Content::List(Vec::new()),
        origin,
    });
    if let Content::List(items) = &mut there.content {
        items.extend(made);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::tree::parse;

    #[test]
    fn old_keys_become_todays() {
        let text = r#"
            [providers.claude]
            tokens_per_window = 35000
            weekly_cap = 500000
            [assayer]
            model = "deepseek-r1:7b"
            optimize_model = "qwen3:8b"
        "#;
        let mut tree = parse(&Arc::default(), text).unwrap();
        assert_eq!(translate(&mut tree), []);
        let want: Value = toml::from_str(
            r#"
            [providers.claude]
            limits = [
                { window = "5h", kind = "anchored", unit = "tokens", amount = 35000 },
                { window = "7d", kind = "rolling", unit = "tokens", amount = 500000 },
            ]
            [assayer]
            planner_model = "deepseek-r1:7b"
            optimizer_model = "qwen3:8b"
            "#,
        )
        .unwrap();
        assert_eq!(tree.to_value(), want);
    }

    #[test]
    fn the_workspace_key_names_its_successor() {
        let mut tree = parse(&Arc::default(), "[general]\nworkspace = \"~/.rigs\"").unwrap();
        let problems = translate(&mut tree);
        assert_eq!(
            problems[0].hint.as_deref(),
            Some("use --home DIR or RIGS_HOME")
        );
    }
}
