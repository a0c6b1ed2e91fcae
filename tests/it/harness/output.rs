//! What a command printed, and the same with everything replaced that differs from run to run.

use std::fmt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use regex::{Captures, Regex};

/// The end of a command. Its `Display` is made for inline snapshots: stdout, stderr and exit
/// status, normalised.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// As printed, lossy UTF-8.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The exit code; 128 and the signal for a killed process, as shells count.
    pub(crate) code: i32,
    pub(crate) duration: Duration,
    pub(super) normalised: String,
}

impl Output {
    /// The whole of it, when the exit code is this one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{self}");
        self
    }

    /// The whole of it, when the exit code is 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.exits(0)
    }

    /// Stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("not JSON: {e}\n{self}"))
    }

    /// Stdout as JSON lines.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Stdout without the end of its line: what `id=$(rigs ...)` gets.
    pub(crate) fn line(&self) -> &str {
        self.stdout.trim_end()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalised)
    }
}

pub(super) fn layout(stdout: &str, stderr: &str, code: i32) -> String {
    let mut text = String::from(stdout);
    let end_line = |text: &mut String| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str("[no newline]\n");
        }
    };
    end_line(&mut text);
    if !stderr.is_empty() {
        text.push_str("------- stderr -------\n");
        text.push_str(stderr);
        end_line(&mut text);
    }
    text + &format!("[exit status: {code}]")
}

/// Replaces what differs from run to run. Bead and convoy ids keep their length (tables stay
/// aligned) and become numbers in the order in which they were first seen.
pub(super) struct Names {
    paths: Vec<(String, &'static str)>,
    ids: Vec<String>,
}

impl Names {
    pub(super) fn new(root: &Path) -> Self {
        let mut paths = Vec::new();
        let mut add = |path: &Path, name| {
            paths.push((path.display().to_string(), name));
            if let Ok(real) = path.canonicalize() {
                paths.push((real.display().to_string(), name));
            }
        };
        add(root, "$ROOT");
        add(Path::new(env!("CARGO_MANIFEST_DIR")), "$SOURCE");
        // Longest first, so that no path is cut in the middle by its own parent.
        paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self {
            paths,
            ids: Vec::new(),
        }
    }

    pub(super) fn normalise(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, name) in &self.paths {
            text = text.replace(path, name);
        }
        for (pattern, name) in PATTERNS.iter() {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        let text = COMMIT.replace_all(&text, |found: &Captures| {
            let hex = &found[0];
            let mixed = hex.bytes().any(|b| b.is_ascii_digit())
                && hex.bytes().any(|b| b.is_ascii_alphabetic());
            if mixed {
                "[commit]".to_owned()
            } else {
                hex.to_owned()
            }
        });
        let number = |found: &Captures| self.number(&found[1], &found[2]);
        ID.replace_all(&text, number).into_owned()
    }

    /// The number of an id, written as wide as the id was.
    fn number(&mut self, prefix: &str, tail: &str) -> String {
        let id = format!("{prefix}-{tail}");
        if tail == EXAMPLE {
            return id;
        }
        let at = self
            .ids
            .iter()
            .position(|seen| *seen == id)
            .unwrap_or_else(|| {
                self.ids.push(id);
                self.ids.len() - 1
            });
        format!("{prefix}-{:0width$}", at + 1, width = tail.len())
    }
}

/// The tail of the id that help and errors show as an example.
const EXAMPLE: &str = "a1b2c";

static ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(gt|cv)-([0-9a-z]{3,12})\b"));
static COMMIT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:[0-9a-f]{40}|[0-9a-f]{7,12})\b"));

/// In this order: a time holds what looks like a duration, and so on.
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "[uuid]"),
        (
            r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
            "[time]",
        ),
        // Whole hours, days and minutes are settings or told by the fixed clock: they stay.
        (r"\b(?:\d+m ?)?\d+(?:\.\d+)? ?(?:ms|s)\b", "[duration]"),
        (r"\b127\.0\.0\.1:\d+\b", "127.0.0.1:[port]"),
        (r"\bpid \d+\b", "pid [pid]"),
    ]
    .map(|(text, name)| (pattern(text), name))
    .into()
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}
