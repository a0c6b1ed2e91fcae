//! Recorded runs of the real programs, read back: what each line says, and how each run ended.
//! A transcript is one run: `out` a line of stdout, `err` of stderr, `log` of the program's own
//! log, `exit` or `signal` its end. Vendors' prompts and tool lists are trimmed.

mod accounts;
mod commands;
mod endings;
mod hostile;
mod pipes;

use std::fmt::Write as _;

use super::{Ending, Reader, Signal, StopReason};
use crate::core::redact::Redactor;
use crate::core::{MicroUsd, ProviderKind, Timestamp, Usage};
use crate::process::Exit;

/// In the hour in which the recordings were made.
fn now() -> Timestamp {
    "2026-11-20T05:30:00Z".parse().expect("a time")
}

fn reader(kind: ProviderKind) -> Reader {
    Reader::new(kind, Usage::default(), Redactor::default(), None).expect("a reader")
}

fn exit(code: i32, stderr: &str) -> Ending {
    Ending {
        exit: Some(Exit::Code(code)),
        stopped: None,
        stderr_tail: stderr.into(),
    }
}

/// Reads a transcript as the foreman reads a run.
fn replay(
    kind: ProviderKind,
    transcript: &str,
    earlier: Usage,
    stopped: Option<StopReason>,
) -> String {
    let mut reader = Reader::new(kind, earlier, Redactor::default(), None).expect("a reader");
    let mut report = String::new();
    let (mut stderr, mut log, mut exit) = (String::new(), String::new(), None);
    for line in transcript.lines() {
        match line.split_once(' ').expect("a tag and a text") {
            ("out", text) => show(&mut report, &reader.line(text, now())),
            ("err", text) => {
                show(&mut report, &reader.error_line(text, now()));
                writeln!(stderr, "{text}").expect("a string");
            }
            ("log", text) => writeln!(log, "{text}").expect("a string"),
            ("exit", code) => exit = Some(Exit::Code(code.parse().expect("a code"))),
            ("signal", number) => exit = Some(Exit::Signal(number.parse().expect("a number"))),
            (tag, _) => panic!("unknown tag {tag}"),
        }
    }
    if !log.is_empty() {
        report.push_str("  log\n");
        show(&mut report, &reader.log_file(&log, now()));
    }
    let end = Ending {
        exit,
        stopped,
        stderr_tail: stderr,
    };
    let outcome = reader.finish(&end, now());
    let resets = outcome
        .resets_at
        .map(|at| format!(", resets {at}"))
        .unwrap_or_default();
    let resume = if outcome.may_resume() {
        ""
    } else {
        ", never resumed"
    };
    writeln!(
        report,
        "=> {} by {}{resets}{resume} ({:?})\n   {}",
        outcome.class, outcome.rule, outcome.scope, outcome.message
    )
    .expect("a string");
    report
}

/// One short line per signal; a signal that repeats the last one is counted.
fn show(report: &mut String, signals: &[Signal]) {
    for signal in signals {
        let line = match signal {
            Signal::Session(id) => format!("session {id}"),
            Signal::Model(model) => format!("model {model}"),
            Signal::Text(text) => format!("text {text:?}"),
            Signal::Tool { name, detail } => format!("tool {name}: {detail}"),
            Signal::UsageSoFar(u) => format!(
                "usage in {} out {} read {} write {} requests {} {}",
                u.input, u.output, u.cache_read, u.cache_write, u.requests, u.cost_micro_usd
            ),
            Signal::Window(w) => format!(
                "window {} {:?} {}h {} used {:?} resets {}",
                w.limit_id,
                w.scope,
                w.duration.map_or(0, |d| d.as_secs() / 3600),
                w.status.map_or("-", super::WindowStatus::as_str),
                w.used_fraction,
                w.resets_at.map_or_else(|| "-".into(), |at| at.to_string()),
            ),
            Signal::Retrying {
                class,
                delay,
                message,
            } => {
                format!("retrying {class} in {}ms: {message}", delay.as_millis())
            }
            Signal::Hopeless => "hopeless".into(),
            Signal::Result { ok, text } => format!("result ok={ok} {text:?}"),
        };
        writeln!(report, "  {line}").expect("a string");
    }
}

fn cost(micro: i64) -> Usage {
    Usage {
        cost_micro_usd: MicroUsd(micro),
        ..Usage::default()
    }
}

macro_rules! transcripts {
    ($kind:literal: $($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("transcripts/", $kind, "/", $name, ".txt")))),+]
    };
}

#[test]
fn every_recorded_run_of_claude_ends_as_it_did() {
    let runs = transcripts!("claude":
        "ok-oauth", "warn-oauth", "ok-stream-json", "partial", "badsse", "truncate",
        "stdin-streamjson", "model-unknown", "fallback-529", "tool-multiblock", "tool-noperm",
        "tool-dontask", "midrun-resume-oauth", "resume-2", "197-ok-oauth", "197-warn-oauth",
        "429limit-oauth", "429limit-oauth-json", "429-ra2-oauth", "midrun-429limit-oauth",
        "197-429limit-oauth", "watchdog-429limit-oauth", "429limit-key", "429-ra61-key",
        "429-maxretries1-key", "429-nosub-oauth", "watchdog-429-key", "529-key", "500-key",
        "401-oauth", "401full-key", "403-key", "noauth", "400credit-key", "malformed",
        "hang-natural-apitimeout5s", "maxbudget", "maxturns1", "hang-SIGTERM", "hang-SIGINT",
        "tool-sleep-SIGINT", "tool-sleep-SIGTERM", "tool-sleep-SIGKILL", "resume-5bad",
        "sessionid-dup", "tool-skip-root", "badflag", "streamjson-noverbose", "noprompt",
    );
    let mut report = String::new();
    for (name, transcript) in runs {
        // What the session had cost before, and why the recorder ended the run.
        let earlier = match name {
            "midrun-resume-oauth" => cost(3070),
            "resume-2" => cost(6140),
            _ => Usage::default(),
        };
        let stopped = match name {
            "watchdog-429limit-oauth" | "watchdog-429-key" => Some(StopReason::Silent),
            "hang-SIGTERM" => Some(StopReason::Startup),
            "tool-sleep-SIGTERM" => Some(StopReason::Shutdown),
            "tool-sleep-SIGINT" => Some(StopReason::Cancel),
            _ => None,
        };
        let run = replay(ProviderKind::Claude, transcript, earlier, stopped);
        write!(report, "## {name}\n{run}\n").expect("a string");
    }
    insta::assert_snapshot!(report);
}

#[test]
fn every_recorded_run_of_codex_ends_as_it_did() {
    let runs = transcripts!("codex":
        "ok-json", "chatgpt-ok", "tool-ok", "resume-1", "resume-2", "resume-4stdin",
        "chatgpt-429limit", "429limit", "midrun-429limit", "resume-midrun-429limit", "quota", "429-ra2", "429-retry1",
        "sseerror", "503", "500", "401", "403", "chatgpt-401", "400", "truncate", "malformed",
        "disconnect", "hangstream-idle4s", "connrefused-bounded", "connrefused", "noauth",
        "hang-natural", "hang-SIGINT", "hang-SIGTERM", "tool-sleep-SIGTERM", "tool-sleep-SIGKILL",
        "resume-5bad", "badflag", "resume-flagsafter",
    );
    let turns = |n: u64| Usage {
        input: 400 * n,
        output: 34 * n,
        cache_read: 800 * n,
        requests: n,
        ..Usage::default()
    };
    let mut report = String::new();
    for (name, transcript) in runs {
        let earlier = match name {
            "resume-2" | "resume-midrun-429limit" => turns(1),
            "resume-4stdin" => turns(3),
            _ => Usage::default(),
        };
        let stopped = match name {
            "connrefused" | "noauth" | "hang-natural" => Some(StopReason::Silent),
            "hang-SIGTERM" => Some(StopReason::TimedOut),
            "tool-sleep-SIGTERM" => Some(StopReason::Runaway),
            _ => None,
        };
        let run = replay(ProviderKind::Codex, transcript, earlier, stopped);
        write!(report, "## {name}\n{run}\n").expect("a string");
    }
    insta::assert_snapshot!(report);
}

#[test]
fn every_recorded_run_of_gemini_ends_as_it_did() {
    let runs = transcripts!("gemini":
        "ok", "tool-ok", "tool-denied", "resume-1", "resume-2", "resume-unknown",
        "session-in-use", "429", "429-day", "midrun-429-day", "quota", "503", "500", "529", "401",
        "403", "400", "malformed", "badsse", "truncate", "disconnect", "sseerror",
        "hangstream-SIGTERM", "hang-SIGTERM", "tool-hang-SIGTERM", "connrefused", "no-key",
        "no-login", "untrusted", "badflag", "turns",
    );
    let mut report = String::new();
    for (name, transcript) in runs {
        let stopped = match name {
            "hang-SIGTERM" | "hangstream-SIGTERM" => Some(StopReason::Silent),
            "tool-hang-SIGTERM" => Some(StopReason::Shutdown),
            _ => None,
        };
        let run = replay(ProviderKind::Gemini, transcript, Usage::default(), stopped);
        write!(report, "## {name}\n{run}\n").expect("a string");
    }
    insta::assert_snapshot!(report);
}

#[test]
fn every_recorded_run_of_opencode_ends_as_it_did() {
    let runs = transcripts!("opencode":
        "ok", "resume-1", "resume-2", "resume-unknown", "tool-ok", "tool-denied", "bad-model",
        "badflag", "401", "403", "400", "429", "429-limit", "midrun-429-limit", "quota",
        "truncate", "malformed", "hang", "hangstream-SIGTERM", "connrefused",
        "sseerror", "disconnect", "500", "503",
    );
    let mut report = String::new();
    for (name, transcript) in runs {
        // Those that were ended by the recorder as the reader asks for it, and one in silence.
        let stopped = match name {
            "429-limit" | "midrun-429-limit" | "quota" | "truncate" | "malformed" => {
                Some(StopReason::Hopeless)
            }
            "hangstream-SIGTERM" => Some(StopReason::Silent),
            _ => None,
        };
        let run = replay(
            ProviderKind::Opencode,
            transcript,
            Usage::default(),
            stopped,
        );
        write!(report, "## {name}\n{run}\n").expect("a string");
    }
    insta::assert_snapshot!(report);
}
