//! Reading a run: its lines become signals, its end one outcome. What is common to all kinds
//! stands here; what the lines mean is in the file of each kind.

use std::time::Duration;

use serde_json::Value;

use super::signal::{Class, Observation, Outcome, Scope, Signal, WindowStatus};
use super::{claude, codex, command, gemini, opencode};
use crate::core::redact::Redactor;
use crate::core::text::{clean, middle_out, one_line};
use crate::core::{MicroUsd, ProviderKind, Timestamp, Usage, Zone};
use crate::process::Exit;

/// Why rigs itself ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Nothing came for too long.
    Silent,
    /// The whole run took too long.
    TimedOut,
    /// Not one line came.
    Startup,
    /// The result was there, the process stayed.
    AfterResult,
    /// It would have waited or gone round for ever.
    Hopeless,
    /// It used more than its envelope.
    Runaway,
    Shutdown,
    Cancel,
}

/// The end of a run, as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) exit: Option<Exit>,
    pub(crate) stopped: Option<StopReason>,
    /// The last lines of stderr.
    pub(crate) stderr_tail: String,
}

/// Reads one run of one program. Give it every line of stdout, then the log if there is one,
/// then ask for the outcome.
#[derive(Debug)]
pub(crate) enum Reader {
    Claude(claude::Reader),
    Codex(codex::Reader),
    Gemini(gemini::Reader),
    Opencode(opencode::Reader),
    Command(command::Reader),
}

impl Reader {
    /// `earlier` is all that earlier runs of the same session used: some programs count by
    /// session, and only what this run adds is reported. `None` for kinds without a program.
    /// `zone` is that of the machine, which programs mean by a time of day without one.
    pub(crate) fn new(
        kind: ProviderKind,
        earlier: Usage,
        redactor: Redactor,
        zone: Option<Zone>,
    ) -> Option<Self> {
        let words = Words { redactor, zone };
        match kind {
            ProviderKind::Claude => Some(Self::Claude(claude::Reader::new(earlier, words))),
            ProviderKind::Codex => Some(Self::Codex(codex::Reader::new(earlier, words))),
            ProviderKind::Gemini => Some(Self::Gemini(gemini::Reader::new(earlier, words))),
            ProviderKind::Opencode => Some(Self::Opencode(opencode::Reader::new(words))),
            ProviderKind::Command => Some(Self::Command(command::Reader::new(words))),
            ProviderKind::Ollama
            | ProviderKind::Openai
            | ProviderKind::Anthropic
            | ProviderKind::Google
            | ProviderKind::Embedded
            | ProviderKind::Sim => None,
        }
    }

    /// One line of stdout, without its newline. Anything may stand in it.
    pub(crate) fn line(&mut self, text: &str, now: Timestamp) -> Vec<Signal> {
        match self {
            Self::Claude(reader) => reader.line(text, now),
            Self::Codex(reader) => reader.line(text, now),
            Self::Gemini(reader) => reader.line(text, now),
            Self::Opencode(reader) => reader.line(text, now),
            Self::Command(reader) => reader.line(text, now),
        }
    }

    /// One line of stderr, in its place among those of stdout: some programs say only there that
    /// they wait.
    pub(crate) fn error_line(&mut self, text: &str, now: Timestamp) -> Vec<Signal> {
        match self {
            Self::Gemini(reader) => reader.error_line(text, now),
            Self::Opencode(reader) => reader.error_line(text, now),
            Self::Claude(_) | Self::Codex(_) | Self::Command(_) => Vec::new(),
        }
    }

    /// The file that [`super::log_after_run`] named, read after the run.
    pub(crate) fn log_file(&mut self, text: &str, now: Timestamp) -> Vec<Signal> {
        match self {
            Self::Codex(reader) => reader.log_file(text, now),
            Self::Gemini(reader) => reader.log_file(text),
            Self::Claude(_) | Self::Opencode(_) | Self::Command(_) => Vec::new(),
        }
    }

    pub(crate) fn finish(&self, end: &Ending, now: Timestamp) -> Outcome {
        match self {
            Self::Claude(reader) => reader.finish(end, now),
            Self::Codex(reader) => reader.finish(end, now),
            Self::Gemini(reader) => reader.finish(end, now),
            Self::Opencode(reader) => reader.finish(end, now),
            Self::Command(reader) => reader.finish(end, now),
        }
    }

    /// What the agent answered in the end, cleaned and redacted; empty when it did not.
    pub(crate) fn answer(&self) -> &str {
        match self {
            Self::Claude(reader) => reader.answer(),
            Self::Codex(reader) => reader.answer(),
            Self::Gemini(reader) => reader.answer(),
            Self::Opencode(reader) => reader.answer(),
            Self::Command(reader) => reader.answer(),
        }
    }

    /// What this run used as far as it is known.
    pub(crate) fn usage(&self) -> Usage {
        match self {
            Self::Claude(reader) => reader.usage(),
            Self::Codex(reader) => reader.usage(),
            Self::Gemini(reader) => reader.usage(),
            Self::Opencode(reader) => reader.usage(),
            Self::Command(reader) => reader.usage(),
        }
    }
}

/// Longest one-line message, in characters.
pub(super) const MESSAGE: usize = 300;
/// Longest text that is kept, in bytes; the middle of a longer one is left out.
pub(super) const TEXT: usize = 256 * 1024;

/// Makes what a program says safe to keep and to show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    redactor: Redactor,
    /// Of the machine; where it is not known, no time of day without a zone is understood.
    zone: Option<Zone>,
}

impl Words {
    /// One line for a person. Escapes go first, or they could split a key in two.
    pub(super) fn line(&self, text: &str) -> String {
        one_line(
            &self.redactor.apply(&clean(&middle_out(text, 16 * 1024))),
            MESSAGE,
        )
    }

    /// When the wall that a sentence speaks of falls.
    pub(super) fn reset(&self, said: &str, now: Timestamp) -> Option<Timestamp> {
        super::reset::from_local_text(said, now, self.zone)
    }

    /// Several lines.
    pub(super) fn text(&self, text: &str) -> String {
        self.redactor.apply(&clean(&middle_out(text, TEXT)))
    }
}

/// Keeps a run's usage from ever going back: a program may report less at the end (an aborted
/// turn counts nothing), but what was used stays used.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter(Usage);

impl Meter {
    /// The signal, when there is more than was known.
    pub(super) fn raise(&mut self, to: Usage) -> Option<Signal> {
        let was = self.0;
        self.0 = largest(was, to);
        (self.0 != was).then_some(Signal::UsageSoFar(self.0))
    }

    pub(super) fn usage(&self) -> Usage {
        self.0
    }
}

/// The larger of each counter.
pub(super) fn largest(a: Usage, b: Usage) -> Usage {
    Usage {
        input: a.input.max(b.input),
        output: a.output.max(b.output),
        cache_read: a.cache_read.max(b.cache_read),
        cache_write: a.cache_write.max(b.cache_write),
        requests: a.requests.max(b.requests),
        cost_micro_usd: a.cost_micro_usd.max(b.cost_micro_usd),
    }
}

/// A count in JSON: whole and not negative, else zero. Bounded, so that sums stay sane.
pub(super) fn count(of: &Value, key: &str) -> u64 {
    const MOST: u64 = 1 << 50;
    let value = &of[key];
    value.as_u64().map_or(0, |n| n.min(MOST))
}

/// Dollars in JSON; what is not a sensible amount is zero.
pub(super) fn dollars(value: &Value) -> MicroUsd {
    match value.as_f64() {
        Some(usd) if (0.0..1e9).contains(&usd) => MicroUsd::from_usd(usd),
        _ => MicroUsd::default(),
    }
}

/// A text in JSON.
pub(super) fn text<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    of[key].as_str().filter(|text| !text.is_empty())
}

/// What a person wants to see of a tool's input.
pub(super) fn detail(input: &Value) -> &str {
    [
        "command",
        "file_path",
        "filePath",
        "path",
        "dir_path",
        "pattern",
        "url",
        "query",
        "description",
    ]
    .iter()
    .find_map(|key| text(input, key))
    .unwrap_or_default()
}

/// A session id that can be given back to the program without being a flag, a path or a range.
pub(super) fn session_id(of: &Value, key: &str) -> Option<String> {
    let id = text(of, key)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let is_one = id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.len() <= 200
        && id.chars().all(plain)
        && !id.contains("..");
    is_one.then(|| id.to_owned())
}

/// The share used, where the number is one.
pub(super) fn fraction(value: &Value, full: f64) -> Option<f64> {
    value
        .as_f64()
        .map(|used| used / full)
        .filter(|share| (0.0..=100.0).contains(share))
}

/// A reset in JSON: seconds or milliseconds since 1970, or RFC 3339. `None` for what cannot be
/// one: a wall that stands for ever is a bug of somebody, and would stop all work.
pub(super) fn reset(value: &Value, now: Timestamp) -> Option<Timestamp> {
    let at = match value {
        Value::String(text) => text.parse().ok()?,
        value => {
            let number = value.as_f64()?;
            let seconds = if number > 1e11 {
                number / 1000.0
            } else {
                number
            };
            Timestamp::from_secs(seconds.ceil() as i64)
        }
    };
    super::reset::plausible(at, now)
}

/// The name of a limit at the provider, if it is a plain word.
pub(super) fn limit_name(name: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    ((1..=64).contains(&name.len()) && name.bytes().all(plain)).then(|| name.to_owned())
}

/// The reset and the scope of a wall: the latest reset of the closed windows (all of them must
/// open), and a model's scope only if nothing of the account is closed.
pub(super) fn wall<'a>(
    windows: impl Iterator<Item = &'a Observation>,
) -> Option<(Option<Timestamp>, Scope)> {
    let closed: Vec<&Observation> = windows
        .filter(|w| w.status == Some(WindowStatus::Rejected))
        .collect();
    let scope = closed
        .iter()
        .map(|w| &w.scope)
        .min()
        .cloned()
        .filter(|_| !closed.is_empty())?;
    let resets_at = closed.iter().filter_map(|w| w.resets_at).max();
    Some((resets_at, scope))
}

/// A wait of the program before it tries again.
pub(super) fn retrying(class: Class, delay: Duration, message: String) -> Signal {
    Signal::Retrying {
        class,
        delay,
        message,
    }
}

/// The line of stderr that most likely says what went wrong: the last one that is not a log line
/// or a hint.
fn last_words(stderr: &str) -> Option<&str> {
    let telling = |line: &&str| {
        let lower = line.to_ascii_lowercase();
        !line.is_empty()
            && !lower.starts_with("reading ")
            && !lower.starts_with("warning:")
            && !lower.starts_with("usage:")
            && !lower.starts_with("tip:")
            && !lower.starts_with("for more information")
            && !lower.starts_with('[')
    };
    let lines = || stderr.lines().map(str::trim).filter(telling);
    lines()
        .rev()
        .find(|line| line.to_ascii_lowercase().contains("error"))
        .or_else(|| lines().next_back())
}

/// What the program was waiting for before it would try again.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) class: Class,
    pub(super) message: String,
}

/// What to say of an ending that is no success: why we stopped it, else what the program said,
/// else the last words on its stderr.
pub(super) fn message(
    end: &Ending,
    words: &Words,
    said: Option<&str>,
    waiting: Option<&Waiting>,
) -> String {
    use StopReason::{AfterResult, Cancel, Hopeless, Runaway, Shutdown, Silent, Startup, TimedOut};
    let how = match end.exit {
        Some(Exit::Code(code)) => format!("exit code {code}"),
        Some(Exit::Signal(signal)) => format!("signal {signal}"),
        None => "no exit status".to_owned(),
    };
    let stopped = match end.stopped {
        Some(Silent) => Some("stopped: no output for too long"),
        Some(Startup) => Some("stopped: no first output"),
        Some(Hopeless) => Some("stopped: it would not have ended by itself"),
        Some(TimedOut) => Some("stopped: the run took too long"),
        Some(Runaway) => Some("stopped: it used more than it may"),
        Some(Shutdown) => Some("stopped: rigs is shutting down"),
        Some(Cancel) => Some("stopped: cancelled"),
        // It had come to its own end by then.
        Some(AfterResult) | None => None,
    };
    match (stopped, waiting) {
        (Some(stopped), Some(waiting)) => words.line(&format!(
            "{stopped}, while it waited to try again: {}",
            waiting.message
        )),
        (Some(stopped), None) => stopped.to_owned(),
        // What is empty once it is cleaned says nothing.
        (None, _) => [said, last_words(&end.stderr_tail)]
            .into_iter()
            .flatten()
            .map(|said| words.line(said))
            .find(|said| !said.is_empty())
            .unwrap_or_else(|| format!("ended without a result ({how})")),
    }
}
