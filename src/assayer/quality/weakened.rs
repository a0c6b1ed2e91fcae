//! Notices in a diff that checks were weakened: tests taken away, skipped or singled out, and
//! failures swallowed. Tests that only moved are not counted.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{Check, CheckStatus};
use crate::core::TaskType;
use crate::core::text::count;

/// What a diff did to the checks of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Weakened {
    /// Tests that are gone, net.
    pub(super) removed: usize,
    /// File and the line that was added to it.
    pub(super) silenced: Vec<(String, String)>,
}

/// Refactoring and removal may take tests away; a reader should know. Nothing else may.
pub(super) fn check(diff: &str, task_type: TaskType) -> Option<Check> {
    let found = find(diff);
    if found == Weakened::default() {
        return None;
    }
    let mut details: Vec<String> = Vec::new();
    if found.removed > 0 {
        let tests = count(found.removed, "test", "tests");
        details.push(format!("{tests} fewer than before"));
    }
    let silenced = found.silenced.iter().take(5);
    details.extend(silenced.map(|(file, line)| format!("{file} now has `{line}`")));
    let allowed = task_type == TaskType::Refactor && found.silenced.is_empty();
    let status = if allowed {
        CheckStatus::Unreviewed
    } else {
        CheckStatus::Failed
    };
    let detail = if allowed {
        details.join("; ")
    } else {
        format!("checks must not be weakened: {}", details.join("; "))
    };
    Some(Check::new("tests kept", status, detail))
}

pub(super) fn find(diff: &str) -> Weakened {
    let mut tests: i64 = 0;
    let mut marks: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut shown: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for line in lines(diff) {
        let sign = if line.added { 1 } else { -1 };
        let rules = rules(line.file);
        if rules.test.is_some_and(|test| test.is_match(line.text)) {
            tests += sign;
        }
        for mark in rules
            .silence
            .iter()
            .flat_map(|rule| rule.find_iter(line.text))
        {
            let key = (line.file, mark.as_str());
            *marks.entry(key).or_default() += sign;
            if line.added {
                shown.entry(key).or_insert(line.text.trim());
            }
        }
    }
    let silenced = marks
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .filter_map(|(key, _)| Some((key.0.to_owned(), (*shown.get(&key)?).to_owned())))
        .collect();
    Weakened {
        removed: usize::try_from(-tests).unwrap_or(0),
        silenced,
    }
}

struct Changed<'a> {
    file: &'a str,
    added: bool,
    text: &'a str,
}

/// Added and removed lines with their file. The counts of each hunk are followed, so that a
/// removed line that begins with `--` is not taken for a header.
fn lines(diff: &str) -> Vec<Changed<'_>> {
    let mut out = Vec::new();
    let mut old_file = "";
    let mut file = "";
    let (mut old_left, mut new_left) = (0u64, 0u64);
    for line in diff.lines() {
        if old_left + new_left > 0 {
            let (mark, text) = line.split_at_checked(1).unwrap_or((" ", ""));
            match mark {
                "+" => new_left = new_left.saturating_sub(1),
                "-" => old_left = old_left.saturating_sub(1),
                "\\" => {}
                _ => {
                    old_left = old_left.saturating_sub(1);
                    new_left = new_left.saturating_sub(1);
                }
            }
            if matches!(mark, "+" | "-") {
                let added = mark == "+";
                out.push(Changed { file, added, text });
            }
        } else if let Some(path) = line.strip_prefix("--- ") {
            old_file = path.strip_prefix("a/").unwrap_or(path);
        } else if let Some(path) = line.strip_prefix("+++ ") {
            let new_file = path.strip_prefix("b/").unwrap_or(path);
            file = if new_file == "/dev/null" {
                old_file
            } else {
                new_file
            };
        } else if let Some(found) = HUNK.captures(line) {
            let number = |at: usize| found.get(at).map_or(Ok(1), |m| m.as_str().parse());
            (old_left, new_left) = (number(1).unwrap_or(0), number(2).unwrap_or(0));
        }
    }
    out
}

static HUNK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@").expect("invariant: the pattern is valid")
});

/// What a test looks like in a file, and what takes a check out of force.
#[derive(Clone, Copy)]
struct Rules {
    test: Option<&'static Regex>,
    silence: Option<&'static Regex>,
}

macro_rules! patterns {
    ($($name:ident = $text:expr;)+) => {$(
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new($text).expect("invariant: the pattern is valid")
        });
    )+};
}

patterns! {
    RUST_TEST = r"^\s*#\[(?:\w+::)?test\b";
    RUST_SILENCE = r"#\[ignore\b|#\[cfg\(any\(\)\)\]";
    PYTHON_TEST = r"^\s*(?:async )?def test_\w+";
    PYTHON_SILENCE = r"@pytest\.mark\.(?:skip|skipif|xfail)\b|@unittest\.(?:skip|expectedFailure)\w*|\bpytest\.skip\(|\bself\.skipTest\(";
    JS_TEST = r#"^\s*(?:it|test)(?:\.each\(.*\))?\(\s*["'`]"#;
    JS_SILENCE = r"\b(?:it|test|describe|context|suite)\.(?:skip|only|todo)\(|\b(?:xit|xtest|xdescribe|fit|fdescribe)\(";
    GO_TEST = r"^func Test\w*\(";
    GO_SILENCE = r"\bt\.Skip(?:f|Now)?\(";
    JVM_TEST = r"^\s*@Test\b";
    JVM_SILENCE = r"@(?:Disabled|Ignore)\b";
    RUBY_TEST = r#"^\s*(?:it|specify|test)\s+["']|^\s*def test_"#;
    RUBY_SILENCE = r#"^\s*(?:xit|xdescribe|xcontext)\s+["']|^\s*skip\b"#;
    SCRIPT_SILENCE = r"\|\|\s*(?:true\b|:\s*$|exit 0\b)|continue-on-error:\s*true|--passWithNoTests|--no-verify";
}

fn rules(file: &str) -> Rules {
    let name = file.rsplit('/').next().unwrap_or(file);
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let of = |test: &'static LazyLock<Regex>, silence: &'static LazyLock<Regex>| Rules {
        test: Some(&**test),
        silence: Some(&**silence),
    };
    match end {
        "rs" => of(&RUST_TEST, &RUST_SILENCE),
        "py" => of(&PYTHON_TEST, &PYTHON_SILENCE),
        "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" => of(&JS_TEST, &JS_SILENCE),
        "go" => of(&GO_TEST, &GO_SILENCE),
        "java" | "kt" | "scala" | "groovy" => of(&JVM_TEST, &JVM_SILENCE),
        "rb" => of(&RUBY_TEST, &RUBY_SILENCE),
        "sh" | "bash" | "yml" | "yaml" | "json" | "toml" | "mk" | "just" | "ini" | "cfg" => Rules {
            test: None,
            silence: Some(&*SCRIPT_SILENCE),
        },
        _ => Rules {
            test: None,
            silence: matches!(
                name,
                "Makefile" | "makefile" | "GNUmakefile" | "justfile" | "Justfile"
            )
            .then(|| &*SCRIPT_SILENCE),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn diff(file: &str, removed: &[&str], added: &[&str]) -> String {
        let mut out = format!(
            "diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n@@ -1,{} +1,{} @@\n",
            removed.len(),
            added.len()
        );
        for line in removed {
            out = format!("{out}-{line}\n");
        }
        for line in added {
            out = format!("{out}+{line}\n");
        }
        out
    }

    #[test]
    fn each_way_to_silence_a_check_is_noticed() {
        for (file, line) in [
            ("src/a.rs", "    #[ignore]"),
            ("tests/test_a.py", "@pytest.mark.skip(reason=\"later\")"),
            ("a.test.ts", "it.skip('works', () => {"),
            ("a.spec.js", "describe.only('x', () => {"),
            ("a_test.go", "\tt.Skip(\"no\")"),
            ("ATest.java", "@Disabled"),
            (
                ".github/workflows/ci.yml",
                "      - run: cargo test || true",
            ),
            ("package.json", "  \"test\": \"jest || true\""),
            ("Makefile", "\tpytest || true"),
        ] {
            let found = find(&diff(file, &[], &[line]));
            assert_eq!(
                found.silenced,
                [(file.to_owned(), line.trim().to_owned())],
                "{file}"
            );
        }
    }

    #[test]
    fn ordinary_changes_are_not() {
        for (file, removed, added) in [
            ("src/a.rs", vec![], vec!["    xs.iter().skip(1)", "#[test]"]),
            ("README.md", vec!["#[test]"], vec!["cargo test || true"]),
            (
                "src/a.rs",
                vec!["#[ignore]", "#[test]"],
                vec!["#[ignore]", "#[test]"],
            ),
            ("q.sql", vec!["-- comment"], vec!["++ x"]),
        ] {
            assert_eq!(
                find(&diff(file, &removed, &added)),
                Weakened::default(),
                "{file}"
            );
        }
        assert_eq!(check("", TaskType::Debug), None);
    }

    #[test]
    fn moved_tests_are_not_missed_and_removed_ones_are() {
        let gone =
            "--- a/tests/a.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-def test_one():\n-    pass\n";
        let moved = diff("tests/b.py", &[], &["def test_one():"]);
        assert_eq!(find(gone).removed, 1);
        assert_eq!(find(&format!("{gone}{moved}")), Weakened::default());
        assert_eq!(
            check(gone, TaskType::Debug).unwrap().status,
            CheckStatus::Failed
        );
        assert_eq!(
            check(gone, TaskType::Refactor).unwrap().status,
            CheckStatus::Unreviewed
        );
    }

    #[test]
    fn a_removed_line_that_looks_like_a_header_is_content() {
        let text = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,1 @@\n--- a/y.md\n-def test_a():\n+x\n";
        assert_eq!(find(text).removed, 1);
    }
}
