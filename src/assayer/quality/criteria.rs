//! The criteria that need no program: a file that must exist, a pattern that must match. Paths
//! stay inside the worktree, links included.

use std::path::Path;

use regex::{Regex, RegexBuilder};

use super::{Check, CheckStatus};
use crate::assayer::inside;
use crate::core::Criterion;
use crate::core::text::one_line;

/// Largest file that a pattern is looked for in.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// Largest compiled pattern; the engine itself takes linear time.
const MAX_PATTERN: usize = 1 << 20;

/// A pattern of a criterion, or what is wrong with it. `^` and `$` match at lines.
pub(crate) fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .multi_line(true)
        .size_limit(MAX_PATTERN)
        .build()
        .map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or(&error);
            format!(
                "`{}` is no usable pattern: {}",
                one_line(text, 80),
                one_line(last, 200)
            )
        })
}

/// Checks files and patterns; prose is reported as unreviewed. Commands and gates are not here.
pub(super) fn check(criteria: &[Criterion], worktree: &Path) -> Vec<Check> {
    criteria
        .iter()
        .filter_map(|criterion| match criterion {
            Criterion::Text { .. } => Some(unreviewed(criterion)),
            Criterion::File { text, path } => Some(if inside::is_file(worktree, path) {
                Check::new(text, CheckStatus::Passed, format!("{path} is there"))
            } else {
                Check::new(text, CheckStatus::Failed, format!("{path} is not there"))
            }),
            Criterion::Regex {
                text,
                path,
                pattern,
            } => Some(matches(text, worktree, path, pattern)),
            Criterion::Command { .. } | Criterion::Gate { .. } => None,
        })
        .collect()
}

/// The same criteria where nothing could be looked at.
pub(super) fn unrun(criteria: &[Criterion]) -> Vec<Check> {
    criteria.iter().map(unreviewed).collect()
}

fn unreviewed(criterion: &Criterion) -> Check {
    Check::new(
        criterion.words(),
        CheckStatus::Unreviewed,
        "not checked by a program",
    )
}

fn matches(name: &str, worktree: &Path, path: &str, text: &str) -> Check {
    let regex = match pattern(text) {
        Ok(regex) => regex,
        Err(problem) => return Check::new(name, CheckStatus::Error, problem),
    };
    match inside::read(worktree, path, MAX_FILE) {
        None => Check::new(name, CheckStatus::Failed, format!("{path} is not there")),
        Some(content) if regex.is_match(&content) => {
            Check::new(name, CheckStatus::Passed, format!("{path} matches"))
        }
        Some(_) => Check::new(
            name,
            CheckStatus::Failed,
            format!("nothing in {path} matches `{text}`"),
        ),
    }
}
