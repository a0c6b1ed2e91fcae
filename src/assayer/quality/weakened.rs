//! Notices in a diff that checks were weakened: tests taken away, skipped or singled out, and
//! failures swallowed. Tests that only moved are not counted. What a reader has to judge (fewer
//! assertions, files of tests deleted, a diff too large to look through) is said and left open.

mod rules;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use self::rules::{is_assertion, is_of_tests, rules};
use super::{Change, ChangeKind, Check, CheckStatus};
use crate::core::TaskType;
use crate::core::text::count;

/// What a diff did to the checks of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Weakened {
    /// Tests that are gone, net.
    pub(super) removed: usize,
    /// File and the line that was added to it.
    pub(super) silenced: Vec<(String, String)>,
    /// Assertions in files of tests that are gone, net, though no test is.
    pub(super) assertions: usize,
}

/// A diff as it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked<'a> {
    pub(super) diff: &'a str,
    /// Nothing of it was left out.
    pub(super) is_whole: bool,
    pub(super) changes: &'a [Change],
}

/// Everything that there is to say about the tests of the project.
pub(super) fn check(looked: &Looked<'_>, task_type: TaskType) -> Vec<Check> {
    let found = find(looked.diff);
    let mut checks: Vec<Check> = kept(&found, task_type).into_iter().collect();
    let unreviewed = |detail: &str| Check::new("tests kept", CheckStatus::Unreviewed, detail);
    if found.assertions > 0 {
        let fewer = count(found.assertions, "assertion", "assertions");
        checks.push(unreviewed(&format!("{fewer} fewer in files of tests")));
    }
    // Of a language with rules the tests in it were counted.
    let gone: Vec<&str> = looked
        .changes
        .iter()
        .filter(|c| c.kind == ChangeKind::Deleted && is_of_tests(&c.path))
        .map(|c| c.path.as_str())
        .filter(|path| rules(path).test.is_none())
        .collect();
    if !gone.is_empty() {
        let files = gone.join(", ");
        checks.push(unreviewed(&format!("deleted beside the tests: {files}")));
    }
    if !looked.is_whole {
        let detail = "the work is too large to look through for tests that were weakened";
        checks.push(Check::new("tests kept", CheckStatus::Error, detail));
    }
    checks
}

/// Refactoring and removal may take tests away; a reader should know. Nothing else may.
fn kept(found: &Weakened, task_type: TaskType) -> Option<Check> {
    if found.removed == 0 && found.silenced.is_empty() {
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
    let mut assertions: i64 = 0;
    let mut marks: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut shown: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for line in lines(diff) {
        let sign = if line.added { 1 } else { -1 };
        let rules = rules(line.file);
        if rules.test.is_some_and(|test| test.is_match(line.text)) {
            tests += sign;
        }
        if is_of_tests(line.file) && is_assertion(line.text) {
            assertions += sign;
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
        // Tests that went took theirs along.
        assertions: if tests < 0 {
            0
        } else {
            usize::try_from(-assertions).unwrap_or(0)
        },
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

    fn statuses(diff: &str, task_type: TaskType) -> Vec<CheckStatus> {
        let looked = Looked {
            diff,
            is_whole: true,
            changes: &[],
        };
        let checks = check(&looked, task_type);
        checks.iter().map(|check| check.status).collect()
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
            ("Makefile", "\t-cargo test"),
            ("tests/a.rs", "    assert!(true);"),
            ("tests/test_a.py", "    assert True"),
            ("tests/test_a.py", "    pytest.importorskip(\"x\")"),
            ("tests/conftest.py", "collect_ignore = [\"test_a.py\"]"),
            ("a.test.ts", "  expect(true).toBe(true);"),
            ("a.test.ts", "test.failing('x', () => {"),
            ("b_test.go", "//go:build ignore"),
            ("ATests.cs", "[Fact(Skip = \"later\")]"),
            ("ATest.php", "        $this->markTestSkipped('no');"),
            ("ATests.swift", "        throw XCTSkip(\"no\")"),
            ("a_test.exs", "  @tag :skip"),
            ("a_test.cc", "  GTEST_SKIP();"),
            ("a_test.dart", "  }, skip: true);"),
            ("spec/a_spec.rb", "  pending 'later'"),
            (".gitlab-ci.yml", "  allow_failure: true"),
            (
                "pyproject.toml",
                "addopts = \"--deselect tests/test_a.py::test_b\"",
            ),
            ("ci.sh", "cargo test -- --skip slow"),
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
        assert_eq!(statuses("", TaskType::Debug), []);
    }

    #[test]
    fn moved_tests_are_not_missed_and_removed_ones_are() {
        let gone =
            "--- a/tests/a.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-def test_one():\n-    pass\n";
        let moved = diff("tests/b.py", &[], &["def test_one():"]);
        assert_eq!(find(gone).removed, 1);
        assert_eq!(find(&format!("{gone}{moved}")), Weakened::default());
        assert_eq!(statuses(gone, TaskType::Debug), [CheckStatus::Failed]);
        assert_eq!(
            statuses(gone, TaskType::Refactor),
            [CheckStatus::Unreviewed]
        );
    }

    #[test]
    fn a_removed_line_that_looks_like_a_header_is_content() {
        let text = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,1 @@\n--- a/y.md\n-def test_a():\n+x\n";
        assert_eq!(find(text).removed, 1);
    }

    #[test]
    fn tests_of_each_language_are_counted() {
        for (file, line) in [
            ("a.rs", "    #[tokio::test(flavor = \"multi_thread\")]"),
            ("a.rs", "#[rstest]"),
            ("test_a.py", "    async def test_a(self):"),
            ("a.test.tsx", "  it(\"works\", async () => {"),
            ("a_test.go", "func TestA(t *testing.T) {"),
            ("ATest.kt", "    @ParameterizedTest"),
            ("a_spec.rb", "  it 'works' do"),
            ("ATests.cs", "    [TestMethod]"),
            ("ATest.php", "    public function testWorks(): void"),
            ("ATests.swift", "    func testWorks() throws {"),
            ("a_test.exs", "  test \"works\" do"),
            ("a_test.cc", "TEST_F(A, Works) {"),
            ("a_test.dart", "  test('works', () {"),
        ] {
            assert_eq!(find(&diff(file, &[line], &[])).removed, 1, "{file}: {line}");
            assert_eq!(
                find(&diff(file, &[], &[line])),
                Weakened::default(),
                "{line}"
            );
        }
    }

    #[test]
    fn fewer_assertions_and_deleted_files_of_tests_are_left_to_a_reader() {
        let open = [CheckStatus::Unreviewed];
        let fewer = diff(
            "tests/a.rs",
            &["    assert_eq!(a, 1);", "    assert!(b);"],
            &["    assert!(a > 0);"],
        );
        assert_eq!(find(&fewer).assertions, 1);
        assert_eq!(statuses(&fewer, TaskType::Implementation), open);
        // In the program itself an assertion is no test.
        assert_eq!(find(&fewer.replace("tests/a.rs", "src/a.rs")).assertions, 0);
        let deleted = |path: &str| Change {
            path: path.into(),
            kind: ChangeKind::Deleted,
        };
        for (path, want) in [
            ("tests/data/a.json", &open[..]),
            ("t/spec/a.lua", &open[..]),
            ("tests/a.rs", &[]),
            ("src/latest/a.json", &[]),
        ] {
            let looked = Looked {
                diff: "",
                is_whole: true,
                changes: &[deleted(path)],
            };
            let checks = check(&looked, TaskType::Implementation);
            let statuses: Vec<CheckStatus> = checks.iter().map(|c| c.status).collect();
            assert_eq!(statuses, want, "{path}");
        }
    }

    #[test]
    fn a_diff_that_was_not_read_to_its_end_is_not_passed() {
        let looked = Looked {
            diff: "",
            is_whole: false,
            changes: &[],
        };
        let checks = check(&looked, TaskType::Refactor);
        assert_eq!(checks[0].status, CheckStatus::Error);
    }
}
