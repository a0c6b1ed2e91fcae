//! Settings from the environment: `RIGS_SECTION__KEY`, deeper levels joined by `__` too, for
//! example `RIGS_PROVIDERS__CLAUDE__MODEL`.

use super::env::Env;
use super::origin::Origin;
use super::problem::Problem;
use super::tree::{self, Content, Node};

/// The variables as a tree. `below` is what they will be laid over: a provider called
/// `my-agent` there is reached as `MY_AGENT`.
pub(crate) fn tree(env: &Env, below: &Node) -> (Node, Vec<Problem>) {
    let mut root = Node::table(Origin::BuiltIn);
    let mut problems = Vec::new();
    for (name, _) in env.iter() {
        let Some(rest) = name.strip_prefix("RIGS_").filter(|r| r.contains("__")) else {
            continue;
        };
        let Some(raw) = env.get(name) else {
            continue;
        };
        let origin = Origin::Env(name.to_owned());
        let path = path(rest, below);
        let misplaced = path.iter().any(String::is_empty)
            || !insert(&mut root, &path, tree::from_variable(name, raw), &origin);
        if misplaced {
            problems.push(
                Problem::new(&origin, "", "does not name a setting")
                    .hint("write RIGS_SECTION__KEY, for example RIGS_GENERAL__MAX_PARALLEL"),
            );
        }
    }
    (root, problems)
}

fn path(rest: &str, below: &Node) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    for part in rest.split("__") {
        let key = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            // Names of the child's own variables keep their case.
            ["providers", _, "env"] => part.to_owned(),
            ["providers"] => provider(&part.to_lowercase(), below),
            _ => part.to_lowercase(),
        };
        path.push(key);
    }
    path
}

/// The configured provider that `word` names; a variable's name cannot hold a `-`.
fn provider(word: &str, below: &Node) -> String {
    let names = below
        .nearest(&["providers"])
        .as_table()
        .into_iter()
        .flat_map(|table| table.keys());
    names
        .filter(|name| name.replace('-', "_") == word)
        .min_by_key(|name| *name != word)
        .map_or_else(|| word.to_owned(), Clone::clone)
}

/// False when a value already stands where a table would have to be, or the other way round.
fn insert(root: &mut Node, path: &[String], value: Node, origin: &Origin) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    let Content::Table(table) = &mut root.content else {
        return false;
    };
    if rest.is_empty() {
        return table.insert(first.clone(), value).is_none();
    }
    let child = table
        .entry(first.clone())
        .or_insert_with(|| Node::table(origin.clone()));
    insert(child, rest, value, origin)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars = vars.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Env::new(vars, PathBuf::from("/"))
    }

    #[test]
    fn variables_reach_every_level() {
        let below =
            tree::parse(&Arc::default(), "[providers.my-agent]\nkind = \"claude\"").unwrap();
        let (tree, problems) = super::tree(
            &env(&[
                ("RIGS_HOME", "/x"),
                ("RIGS_GENERAL__MAX_PARALLEL", "3"),
                ("RIGS_PROVIDERS__MY_AGENT__MODEL", "opus"),
                ("RIGS_PROVIDERS__MY_AGENT__ENV__Foo", "bar"),
                ("RIGS_GATE__COMMANDS", r#"[["make", "test"]]"#),
            ]),
            &below,
        );
        assert_eq!(problems, []);
        let want: toml::Value = toml::from_str(
            r#"
            general.max_parallel = 3
            providers.my-agent.model = "opus"
            providers.my-agent.env.Foo = "bar"
            gate.commands = [["make", "test"]]
            "#,
        )
        .unwrap();
        assert_eq!(tree.to_value(), want);
    }

    #[test]
    fn a_variable_that_names_nothing_is_a_problem() {
        let below = Node::table(Origin::BuiltIn);
        let (_, problems) = super::tree(&env(&[("RIGS_GATE__", "1")]), &below);
        assert_eq!(problems.len(), 1);
    }
}
