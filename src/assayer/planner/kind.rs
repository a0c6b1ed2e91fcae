//! What kind of work a piece of a goal is, and how large, by its words.

use super::goal::without_politeness;
use super::words::{LARGE, SMALL, TRIVIAL, mentions, words};
use crate::core::{Complexity, TaskType};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Trivial,
    Feature,
    Bug,
    FailingTests,
    Refactor,
    Migration,
    /// Of a dependency or tool, to a newer version.
    Upgrade,
    Removal,
    Performance,
    /// A small thing set or changed.
    Change,
    Tests,
    Docs,
    Release,
    Design,
    Research,
    Review,
}

impl Kind {
    /// Whether files of the repository change.
    pub(super) fn changes(self) -> bool {
        !matches!(self, Self::Design | Self::Research | Self::Review)
    }

    pub(super) fn task_type(self) -> TaskType {
        match self {
            Self::Trivial
            | Self::Feature
            | Self::Migration
            | Self::Upgrade
            | Self::Change
            | Self::Release => TaskType::Implementation,
            Self::Bug | Self::FailingTests => TaskType::Debug,
            Self::Refactor | Self::Removal | Self::Performance => TaskType::Refactor,
            Self::Tests => TaskType::Test,
            Self::Docs => TaskType::Documentation,
            Self::Design => TaskType::Design,
            Self::Research => TaskType::Research,
            Self::Review => TaskType::Review,
        }
    }
}

/// The kind of a piece of work. What it is called first decides; then what it speaks about.
pub(super) fn classify(text: &str) -> Kind {
    let text = without_politeness(text);
    let all = words(text);
    let first = all.first().map_or("", String::as_str);
    let has = |phrases: &[&str]| mentions(text, phrases);
    if is_failing_tests(text) {
        return Kind::FailingTests;
    }
    if is_trivial(text, &all, first) {
        return Kind::Trivial;
    }
    match first {
        "fix" | "repair" | "debug" | "resolve" | "correct" | "solve" | "prevent" | "stop" => {
            Kind::Bug
        }
        "document" | "describe" => Kind::Docs,
        "test" | "cover" => Kind::Tests,
        "refactor" | "restructure" | "reorganise" | "reorganize" | "simplify" | "extract"
        | "split" | "decouple" | "deduplicate" | "clean" | "rename" | "move" | "modularise"
        | "modularize" | "tidy" | "merge" => Kind::Refactor,
        "migrate" | "port" | "convert" | "rewrite" | "switch" | "replace" => Kind::Migration,
        "upgrade" | "bump" => Kind::Upgrade,
        "release" | "publish" | "ship" | "tag" => Kind::Release,
        "cut" | "prepare" | "make" if has(&["release"]) => Kind::Release,
        "review" | "audit" => Kind::Review,
        "design" | "plan" | "propose" | "sketch" | "architect" => Kind::Design,
        "remove" | "delete" | "drop" | "deprecate" => Kind::Removal,
        "optimise" | "optimize" | "speed" | "profile" => Kind::Performance,
        "explain" | "research" | "investigate" | "compare" | "evaluate" | "analyse" | "analyze"
        | "summarise" | "summarize" | "find" | "list" | "recommend" | "how" | "what" | "why"
        | "which" | "where" | "who" | "when" | "should" | "is" | "are" | "does" | "do" | "did"
        | "tell" | "show" | "identify" => Kind::Research,
        "update" | "improve" | "extend" | "translate" | "write" | "add" | "create" | "generate"
        | "increase" | "improving" | "draft" | "put" | "complete" => by_object(text, first),
        "change" | "set" | "configure" | "disable" | "adjust" | "use" | "reduce" => {
            if has(&["performance", "latency", "memory usage", "startup time"]) {
                Kind::Performance
            } else {
                Kind::Change
            }
        }
        "make" if has(&["faster", "quicker", "performance"]) => Kind::Performance,
        _ => by_topic(text),
    }
}

fn by_object(text: &str, first: &str) -> Kind {
    let object = text.split_once(' ').map_or("", |(_, rest)| rest);
    // What follows "for", "with", "to" is about the thing, not the thing itself.
    let head: String = words(object)
        .into_iter()
        .take_while(|word| !matches!(word.as_str(), "for" | "with" | "to" | "that" | "which"))
        .collect::<Vec<_>>()
        .join(" ");
    let head_has = |phrases: &[&str]| mentions(&head, phrases);
    if head_has(&[
        "test",
        "tests",
        "coverage",
        "test coverage",
        "regression test",
        "unit tests",
        "e2e",
        "benchmarks",
    ]) && !head_has(&["test command", "test runner"])
    {
        return Kind::Tests;
    }
    if head_has(&[
        "design doc",
        "design document",
        "rfc",
        "adr",
        "proposal",
        "architecture",
    ]) && matches!(first, "write" | "draft" | "create")
    {
        return Kind::Design;
    }
    if head_has(&[
        "docs",
        "documentation",
        "readme",
        "readme.md",
        "changelog",
        "changelog.md",
        "tutorial",
        "guide",
        "docstrings",
        "manual",
        "contributing.md",
        "contributing",
        "faq",
        "man page",
        "comments",
        "quickstart",
        "examples",
    ]) {
        return Kind::Docs;
    }
    match first {
        "update" if head_has(&["dependency", "dependencies", "deps", "version", "toolchain"]) => {
            Kind::Upgrade
        }
        "improve" | "increase" | "improving"
            if head_has(&["performance", "speed", "throughput", "latency", "startup"]) =>
        {
            Kind::Performance
        }
        "improve" => Kind::Refactor,
        "update" | "increase" => Kind::Change,
        _ => Kind::Feature,
    }
}

/// No verb that we know in front: a report, a question, a wish.
fn by_topic(text: &str) -> Kind {
    let has = |phrases: &[&str]| mentions(text, phrases);
    if has(&[
        "bug",
        "bugs",
        "crash",
        "crashes",
        "crashed",
        "broken",
        "fails",
        "failing",
        "leak",
        "leaks",
        "error",
        "errors",
        "exception",
        "panic",
        "panics",
        "wrong",
        "regression",
        "doesn't work",
        "does not work",
        "hangs",
        "freezes",
        "deadlock",
        "incorrect",
        "not working",
        "race condition",
    ]) {
        return Kind::Bug;
    }
    if text.trim_end().ends_with('?') {
        return Kind::Research;
    }
    if has(&["slow", "slower", "too slow", "performance", "faster"]) {
        return Kind::Performance;
    }
    if has(&["upgrade", "migration"]) {
        return Kind::Migration;
    }
    if has(&["documentation", "docs", "readme"]) {
        return Kind::Docs;
    }
    Kind::Feature
}

/// "Make the failing tests pass", "get CI green", "fix the test suite".
fn is_failing_tests(text: &str) -> bool {
    let has = |phrases: &[&str]| mentions(text, phrases);
    let tests = has(&[
        "tests",
        "test suite",
        "suite",
        "test",
        "ci",
        "build",
        "unit tests",
    ]);
    let broken = has(&["failing", "broken", "red", "fail", "fails", "failed"]);
    let mended = has(&["pass", "passing", "green", "passes", "succeed"]);
    let repair = words(text)
        .first()
        .is_some_and(|w| matches!(w.as_str(), "fix" | "repair" | "make" | "get"));
    tests && repair && (broken || mended)
        || has(&[
            "fix the tests",
            "fix tests",
            "fix the test suite",
            "fix the build",
            "fix ci",
        ])
}

fn is_trivial(text: &str, all: &[String], first: &str) -> bool {
    if all.len() > 20 || matches!(first, "how" | "what" | "why" | "where" | "which") {
        return false;
    }
    let trifle = mentions(text, TRIVIAL)
        && matches!(
            first,
            "fix" | "correct" | "remove" | "update" | "delete" | "change" | "add" | "clean"
        )
        && !mentions(
            text,
            &[
                "all", "every", "endpoint", "page", "section", "system", "feature",
            ],
        );
    let rename = first == "rename" && all.len() <= 12 && !mentions(text, &["all", "every"]);
    let version = matches!(first, "bump" | "set" | "change" | "update")
        && mentions(text, &["version", "version number"])
        && all.len() <= 10;
    trifle || rename || version
}

/// How much work it is: by its words, its length and the size of the code it happens in.
pub(super) fn size(text: &str, kind: Kind, code_files: usize) -> Complexity {
    let length = words(text).len();
    let large = mentions(text, LARGE);
    let level: i32 = match kind {
        Kind::Trivial => return Complexity::Trivial,
        Kind::Migration => 2 + i32::from(large || code_files > 40),
        Kind::Feature | Kind::Refactor => 2 + i32::from(large),
        Kind::Bug | Kind::FailingTests | Kind::Performance | Kind::Tests => 2,
        Kind::Upgrade
        | Kind::Removal
        | Kind::Docs
        | Kind::Design
        | Kind::Review
        | Kind::Research => 1 + i32::from(large),
        Kind::Change | Kind::Release => 1,
    };
    let small = !large && length <= 10 && (mentions(text, SMALL) || code_files <= 15);
    let long = i32::from(length > 120);
    match level + long - i32::from(small) {
        ..=1 => Complexity::Small,
        2 => Complexity::Medium,
        3.. => Complexity::Large,
    }
}
