//! The quality gate, as far as programs can judge: something was changed, the gates succeed,
//! protected files and tests were not weakened, the criteria hold. What only a reader can judge
//! is reported as unreviewed, never as passed; a gate that cannot run is no fault of the work.

mod commands;
mod criteria;
mod output;
mod weakened;

use std::path::Path;
use std::time::Duration;

use globset::GlobBuilder;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::config::env::Env;
use crate::core::text::one_line;
use crate::core::words::word_enum;
use crate::core::{Clock, Criterion, TaskType};

pub(crate) use criteria::pattern;

word_enum! {
    /// What the gate decides.
    pub(crate) enum GateResult as "gate result" {
        Pass = "pass",
        /// The work goes back, with feedback.
        NeedsRevision = "needs_revision",
        /// The gate itself could not judge: a person has to look at it.
        Error = "error",
    }
}

word_enum! {
    pub(crate) enum CheckStatus as "check status" {
        Passed = "passed",
        Failed = "failed",
        /// Could not be carried out.
        Error = "error",
        /// Nobody has judged it.
        Unreviewed = "unreviewed",
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub(crate) struct Check {
    /// A command as a person would type it, or the words of the criterion.
    pub(crate) name: String,
    pub(crate) status: CheckStatus,
    /// One line for a person.
    pub(crate) detail: String,
    /// For the agent, of a failed command: the lines that matter of its output.
    pub(crate) output: String,
    pub(crate) duration_ms: u64,
    /// Failed first, and succeeded when it was run again on the same files.
    pub(crate) flaky: bool,
}

impl Check {
    fn new(name: &str, status: CheckStatus, detail: impl AsRef<str>) -> Self {
        Self {
            name: one_line(name, 200),
            status,
            detail: one_line(detail.as_ref(), 400),
            output: String::new(),
            duration_ms: 0,
            flaky: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub(crate) struct Verdict {
    pub(crate) result: GateResult,
    pub(crate) checks: Vec<Check>,
    /// For the next attempt, bounded and cleaned; empty when nothing failed.
    pub(crate) feedback: String,
    /// Share of the judged checks that passed; none when nothing could be judged.
    pub(crate) score: Option<f64>,
}

/// How a file differs from the base. A rename is a deletion and an addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) kind: ChangeKind,
}

/// The work to be judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) worktree: &'a Path,
    pub(crate) task_type: TaskType,
    /// Since the bead's base commit.
    pub(crate) changes: &'a [Change],
    /// The same as a unified diff, of files that are not text too.
    pub(crate) diff: &'a str,
    /// Nothing was left out of the diff.
    pub(crate) is_whole: bool,
    pub(crate) criteria: &'a [Criterion],
    /// Commands that must succeed, from the user or detected, in order.
    pub(crate) gates: &'a [Vec<String>],
    /// Globs of files that must not be changed or deleted.
    pub(crate) protected: &'a [String],
}

/// What running commands takes.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) env: &'a Env,
    /// Marks what is started, so that it can be found and ended after a crash.
    pub(crate) marker: Option<&'a str>,
    /// Of one command.
    pub(crate) timeout: Duration,
    /// How often a command that failed is run again before it counts as failed.
    pub(crate) reruns: u32,
    pub(crate) clock: &'a Clock,
    pub(crate) stop: &'a CancellationToken,
}

/// The gate was told to stop; there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the quality gate was stopped")]
pub(crate) struct Stopped;

/// Longest feedback.
const MAX_FEEDBACK: usize = 10_000;

/// Judges work in a worktree.
pub(crate) async fn check(subject: &Subject<'_>, means: &Means<'_>) -> Result<Verdict, Stopped> {
    let mut checks = Vec::new();
    let due = subject.task_type.changes_files();
    if due && subject.changes.is_empty() {
        let detail = "nothing was changed in the worktree, but this task asks for changes";
        checks.push(Check::new("changes", CheckStatus::Failed, detail));
        // The base passes its own gates; running them would only prove that again.
        checks.extend(criteria::unrun(subject.criteria));
        return Ok(verdict(checks));
    }
    checks.extend(due.then(|| {
        let detail = crate::core::text::count(subject.changes.len(), "file", "files");
        Check::new("changes", CheckStatus::Passed, format!("{detail} changed"))
    }));
    checks.extend(protected(subject.changes, subject.protected));
    let looked = weakened::Looked {
        diff: subject.diff,
        is_whole: subject.is_whole,
        changes: subject.changes,
    };
    checks.extend(weakened::check(&looked, subject.task_type));
    checks.extend(criteria::check(subject.criteria, subject.worktree));
    let commands = commands::of(subject.gates, subject.criteria);
    checks.extend(commands::run(&commands, subject.worktree, means).await?);
    Ok(verdict(checks))
}

/// Runs the gates alone, on a tree whose parts were judged before.
pub(crate) async fn run_gates(
    gates: &[Vec<String>],
    dir: &Path,
    means: &Means<'_>,
) -> Result<Verdict, Stopped> {
    Ok(verdict(
        commands::run(&commands::of(gates, &[]), dir, means).await?,
    ))
}

/// Judges the answer of a bead without a repository.
pub(crate) fn check_text(answer: &str, criteria: &[Criterion]) -> Verdict {
    let answered = if answer.trim().is_empty() {
        Check::new("answer", CheckStatus::Failed, "the answer is empty")
    } else {
        Check::new("answer", CheckStatus::Passed, "there is an answer")
    };
    let mut checks = vec![answered];
    checks.extend(criteria::unrun(criteria));
    verdict(checks)
}

/// Files that match a protected glob may be added, not changed or deleted.
fn protected(changes: &[Change], globs: &[String]) -> Vec<Check> {
    let mut checks = Vec::new();
    for glob in globs {
        let name = format!("protected: {glob}");
        let matcher = match GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => {
                checks.push(Check::new(&name, CheckStatus::Error, error.to_string()));
                continue;
            }
        };
        let touched: Vec<&str> = changes
            .iter()
            .filter(|change| match change.kind {
                ChangeKind::Added => false,
                ChangeKind::Modified | ChangeKind::Deleted => matcher.is_match(&change.path),
            })
            .map(|change| change.path.as_str())
            .collect();
        checks.push(if touched.is_empty() {
            Check::new(&name, CheckStatus::Passed, "untouched")
        } else {
            let files = touched.join(", ");
            let detail = format!("these are protected and must be restored as they were: {files}");
            Check::new(&name, CheckStatus::Failed, detail)
        });
    }
    checks
}

/// A gate that could not run outweighs a failure: another try would meet it again.
fn verdict(checks: Vec<Check>) -> Verdict {
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (passed, failed, errors) = (
        count(CheckStatus::Passed),
        count(CheckStatus::Failed),
        count(CheckStatus::Error),
    );
    let judged = passed + failed;
    Verdict {
        result: if errors > 0 {
            GateResult::Error
        } else if failed > 0 {
            GateResult::NeedsRevision
        } else {
            GateResult::Pass
        },
        feedback: feedback(&checks),
        score: (judged > 0).then(|| passed as f64 / judged as f64),
        checks,
    }
}

fn feedback(checks: &[Check]) -> String {
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| check.status == CheckStatus::Failed)
        .map(|check| {
            let head = format!("{}: {}", check.name, check.detail);
            if check.output.is_empty() {
                head
            } else {
                format!("{head}\n{}", check.output)
            }
        })
        .collect();
    crate::core::text::middle_out(&failed.join("\n\n"), MAX_FEEDBACK)
}

#[cfg(test)]
mod tests;
