//! The shape of the program, as `docs/architecture.md` draws it: which module may use which,
//! how files are named and how long they get, who writes which table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// In reading order; a module may use only the ones listed for it. `testing` is for tests.
pub(crate) const MAY_USE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("config", &["core"]),
    ("db", &["core"]),
    ("process", &["core"]),
    ("git", &["core", "process"]),
    ("llm", &["core", "config", "process"]),
    ("provider", &["core", "config", "process", "llm"]),
    ("refinery", &["core", "config", "db", "provider"]),
    ("depot", &["core", "config", "db"]),
    ("policy", &["core", "config"]),
    (
        "dispatch",
        &["core", "config", "db", "refinery", "depot", "policy"],
    ),
    (
        "assayer",
        &["core", "config", "db", "llm", "git", "process", "depot"],
    ),
    (
        "foreman",
        &[
            "core", "config", "db", "process", "git", "llm", "provider", "refinery", "depot",
            "policy", "dispatch", "assayer",
        ],
    ),
    (
        "view",
        &[
            "core", "config", "db", "provider", "refinery", "depot", "policy", "dispatch",
            "assayer",
        ],
    ),
    (
        "cli",
        &[
            "core", "config", "db", "process", "git", "llm", "provider", "refinery", "depot",
            "policy", "dispatch", "assayer", "foreman", "view",
        ],
    ),
];

/// Files over 400 lines, each with its reason.
const LONG: &[(&str, &str)] = &[];

/// Which module writes which tables; everybody may read them.
const OWNERS: &[(&str, &[&str])] = &[
    ("db", &["events"]),
    (
        "depot",
        &[
            "convoys",
            "beads",
            "dependencies",
            "bead_counts",
            "attempts",
            "completions",
            "archived_beads",
            "archived_dependencies",
            "archived_counts",
            "archived_attempts",
            "archived_completions",
            "trusts",
            "conflicts",
            "halt",
        ],
    ),
    (
        "refinery",
        &[
            "usage",
            "reservations",
            "windows",
            "observations",
            "circuits",
            "anchors",
            "sources",
            "demand",
            "drift",
        ],
    ),
    ("assayer", &["optimization_traces"]),
    ("dispatch", &["affinity"]),
];

struct Source {
    /// Relative to `src`, such as `depot/store.rs`.
    path: String,
    text: String,
}

impl Source {
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// The text without what is compiled for tests only.
    fn code(&self) -> &str {
        if self.is_test() {
            ""
        } else {
            self.text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default()
        }
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs")
            || self.path.contains("/tests/")
            || self.module() == "testing"
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.push(Source {
                    path: name,
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 40, "the sources were not found");
    found
}

fn assert_none(bad: &[String]) {
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn modules_use_only_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut bad = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test()) {
        let Some(may_use) = allowed.get(source.module()) else {
            continue;
        };
        for used in crate_paths(source.code()) {
            let is_module = allowed.contains_key(used.as_str());
            if is_module && used != source.module() && !may_use.contains(&used.as_str()) {
                bad.push(format!(
                    "src/{}: `{}` must not use `{used}`",
                    source.path,
                    source.module()
                ));
            }
        }
    }
    assert_none(&bad);
}

#[test]
fn the_graph_has_no_circle() {
    let graph: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while done.len() < graph.len() {
        let next = graph
            .iter()
            .find(|(m, uses)| !done.contains(*m) && uses.iter().all(|u| done.contains(u)));
        let (module, _) = next.expect("these modules use each other in a circle");
        done.insert(module);
    }
}

#[test]
fn every_module_stands_in_the_table() {
    let known: BTreeSet<&str> = MAY_USE
        .iter()
        .map(|(m, _)| *m)
        .chain(["lib", "main", "testing", "bench"])
        .collect();
    let unknown: Vec<String> = sources()
        .iter()
        .filter(|s| !known.contains(s.module()))
        .map(|s| s.path.clone())
        .collect();
    assert_none(&unknown);
}

#[test]
fn no_file_is_called_mod() {
    let bad: Vec<String> = sources()
        .into_iter()
        .map(|s| s.path)
        .filter(|p| p.ends_with("mod.rs"))
        .collect();
    assert_none(&bad);
}

#[test]
fn files_stay_short_or_have_a_reason() {
    let mut bad = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        let reason = LONG.iter().find(|(path, _)| *path == source.path);
        if lines > 800 || lines > 400 && reason.is_none() {
            bad.push(format!("src/{}: {lines} lines", source.path));
        }
        if lines <= 400 && reason.is_some() {
            bad.push(format!(
                "src/{}: short again, take it off the list",
                source.path
            ));
        }
    }
    assert_none(&bad);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|s| !s.is_test() && s.path != "main.rs" && !s.text.starts_with("//!"))
        .map(|s| s.path)
        .collect();
    assert_none(&silent);
}

#[test]
fn each_table_is_written_by_its_owner_only() {
    let mut bad = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test()) {
        let code = source
            .code()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for (owner, tables) in OWNERS {
            for table in *tables {
                let writes = [
                    "INSERT INTO",
                    "INSERT OR IGNORE INTO",
                    "INSERT OR REPLACE INTO",
                    "UPDATE",
                    "DELETE FROM",
                    "REPLACE INTO",
                ]
                .iter()
                .any(|verb| code.contains(&format!("{verb} {table} ")));
                if writes && source.module() != *owner {
                    bad.push(format!("src/{}: `{table}` belongs to {owner}", source.path));
                }
            }
        }
    }
    assert_none(&bad);
}

#[test]
fn every_table_has_an_owner() {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let owned: BTreeSet<&str> = OWNERS
        .iter()
        .flat_map(|(_, tables)| tables.iter().copied())
        .collect();
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(migrations).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("-- Owner: "),
            "{} does not name its owner",
            path.display()
        );
        for rest in text.split("CREATE TABLE ").skip(1) {
            seen.insert(rest.split([' ', '(']).next().unwrap().to_owned());
        }
    }
    let seen: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(seen, owned);
}

/// First path segments after every `crate::`, also inside `crate::{a, b::c}`.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.extend(first_word(rest));
            continue;
        };
        let (mut depth, mut item) = (0, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => found.extend(first_word(&std::mem::take(&mut item))),
                c if depth == 0 => item.push(c),
                _ => {}
            }
        }
        found.extend(first_word(&item));
    }
    found
}

fn first_word(path: &str) -> Option<String> {
    let word: String = path
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

#[test]
fn the_reader_of_paths_understands_groups() {
    let found = crate_paths("use crate::{core::{A, B}, db};\nuse crate::cli::x;");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["cli", "core", "db"]);
}
