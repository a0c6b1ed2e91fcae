//! Runs gate commands and command criteria in the worktree: argv, never a shell of ours; a
//! scrubbed environment; bounded in time and output.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Check, CheckStatus, Means, Stopped, output};
use crate::assayer::{gates, inside};
use crate::core::Criterion;
use crate::core::time::Span;
use crate::process::{self, Limits, Output, ProcessError, Spec, Stdin};

/// Most bytes kept of each stream.
const MAX_OUTPUT: usize = 512 * 1024;

/// One command to run, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) argv: Vec<String>,
    /// A gate that the table does not have.
    pub(super) unknown_gate: Option<String>,
}

impl Command {
    fn name(&self) -> String {
        match &self.unknown_gate {
            Some(gate) => gate.clone(),
            None => self.argv.join(" "),
        }
    }
}

/// The commands of gates and criteria, each once.
pub(super) fn of(gates: &[Vec<String>], criteria: &[Criterion]) -> Vec<Command> {
    let known = |argv: Vec<String>| Command {
        argv,
        unknown_gate: None,
    };
    let mut commands: Vec<Command> = gates.iter().cloned().map(known).collect();
    commands.extend(criteria.iter().filter_map(|criterion| match criterion {
        Criterion::Command { argv, .. } => Some(known(argv.clone())),
        Criterion::Gate { gate, .. } => Some(match gates::find(gate) {
            Some(gate) => known(gate.argv()),
            None => Command {
                argv: Vec::new(),
                unknown_gate: Some(gate.clone()),
            },
        }),
        Criterion::Text { .. } | Criterion::File { .. } | Criterion::Regex { .. } => None,
    }));
    let mut seen: Vec<Command> = Vec::new();
    for command in commands {
        if !seen.contains(&command) {
            seen.push(command);
        }
    }
    seen
}

/// Runs them one after the other; a failure does not spare the rest, so that the feedback is whole.
/// What failed is run again, as often as `means` says: tests that pass then are flaky, which is
/// said and is no fault of the work.
pub(super) async fn run(
    commands: &[Command],
    worktree: &Path,
    means: &Means<'_>,
) -> Result<Vec<Check>, Stopped> {
    let mut checks = Vec::new();
    for command in commands {
        let first = one(command, worktree, means).await?;
        checks.push(again(first, command, worktree, means).await?);
    }
    Ok(checks)
}

async fn again(
    first: Check,
    command: &Command,
    worktree: &Path,
    means: &Means<'_>,
) -> Result<Check, Stopped> {
    let mut last = first;
    for run in 2..=means.reruns.saturating_add(1) {
        if last.status != CheckStatus::Failed {
            break;
        }
        let mut next = one(command, worktree, means).await?;
        next.duration_ms = next.duration_ms.saturating_add(last.duration_ms);
        match next.status {
            CheckStatus::Passed => {
                next.flaky = true;
                next.detail = format!(
                    "flaky: {} at first, then {} (run {run})",
                    last.detail, next.detail
                );
                // Which test it was is worth knowing.
                next.output = last.output;
            }
            CheckStatus::Failed => next.detail = format!("{}, {run} times", next.detail),
            CheckStatus::Error | CheckStatus::Unreviewed => {}
        }
        last = next;
    }
    Ok(last)
}

async fn one(command: &Command, worktree: &Path, means: &Means<'_>) -> Result<Check, Stopped> {
    let name = command.name();
    let error = |detail: String| Ok(Check::new(&name, CheckStatus::Error, detail));
    if command.unknown_gate.is_some() {
        return error("this rigs knows no gate of that name".into());
    }
    let Some((first, args)) = command
        .argv
        .split_first()
        .filter(|(p, _)| !p.trim().is_empty())
    else {
        return error("the command is empty".into());
    };
    let Some(program) = program(first, worktree, means) else {
        return error(format!(
            "`{first}` was not found; install it, or set other commands under [gate]"
        ));
    };
    let mut env = means.env.child();
    // Test runners otherwise wait for keys or redraw their screen.
    env.insert("CI".into(), "1".into());
    env.insert("NO_COLOR".into(), "1".into());
    if let Some(marker) = means.marker {
        env.insert(process::MARKER.into(), marker.into());
    }
    let spec = Spec {
        program,
        args: args.iter().map(Into::into).collect(),
        env,
        cwd: worktree.to_owned(),
        stdin: Stdin::Null,
    };
    let limits = Limits {
        time: means.timeout,
        output: MAX_OUTPUT,
    };
    match process::run(&spec, limits, means.clock, means.stop).await {
        Ok(output) => Ok(judged(&name, &command.argv, &output, means.timeout)),
        Err(ProcessError::Stopped) => Err(Stopped),
        Err(
            problem @ (ProcessError::NotFound { .. }
            | ProcessError::NotExecutable { .. }
            | ProcessError::NoFolder { .. }
            | ProcessError::TooBig { .. }
            | ProcessError::Spawn { .. }),
        ) => error(problem.to_string()),
    }
}

/// Absolute, in the worktree when it has a slash, else by PATH.
fn program(name: &str, worktree: &Path, means: &Means<'_>) -> Option<PathBuf> {
    if name.starts_with('/') || !name.contains('/') {
        means.env.find_tool(name)
    } else {
        inside::locate(worktree, name)
    }
}

fn judged(name: &str, argv: &[String], out: &Output, timeout: Duration) -> Check {
    let took = Span(Duration::from_secs(out.duration.as_secs().max(1)));
    let mut check = if out.timed_out {
        let limit = Span(timeout);
        let detail = format!("not finished after {limit}; raise [gate] timeout if it needs more");
        Check::new(name, CheckStatus::Error, detail)
    } else if out.exit.success() {
        Check::new(name, CheckStatus::Passed, format!("succeeded in {took}"))
    } else if let Some(detail) = missing(argv, out) {
        Check::new(name, CheckStatus::Error, detail)
    } else {
        let code = out.exit.code();
        Check::new(
            name,
            CheckStatus::Failed,
            format!("exit code {code} after {took}"),
        )
    };
    if check.status != CheckStatus::Passed {
        check.output = output::summary(&out.stdout, &out.stderr);
    }
    check.duration_ms = u64::try_from(out.duration.as_millis()).unwrap_or(u64::MAX);
    check
}

/// Why a failure is one of the machine: the gate's tool is not installed, or what it starts is
/// not. 127 is what shells and npm answer for a program that they do not find.
fn missing(argv: &[String], out: &Output) -> Option<String> {
    let gate = gates::GATES.iter().find(|gate| gate.argv() == argv);
    let marks = gate.map_or(&[][..], |gate| gate.missing);
    let says = |mark: &&&str| out.stderr.contains(**mark) || out.stdout.contains(**mark);
    if let Some(mark) = marks.iter().find(says) {
        return Some(format!(
            "{mark}; install it, or set other commands under [gate]"
        ));
    }
    (out.exit.code() == 127).then(|| {
        "it could not find a program that it needs (exit code 127); prepare worktrees with [gate] setup or share".into()
    })
}
