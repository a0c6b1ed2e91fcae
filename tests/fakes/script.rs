//! The script of a fake agent: JSON, written by the test.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Which agent is played: its version line, and where its session id comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    Claude,
    Codex,
    #[default]
    Plain,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    #[serde(default)]
    pub(crate) shape: Shape,
    /// Answers to command lines that begin so (`auth status`); `--version` has one anyway. They
    /// take no run.
    #[serde(default)]
    probes: BTreeMap<String, Probe>,
    /// Whether the prompt is what stdin has; else it is the arguments, and stdin is left alone.
    #[serde(default = "yes")]
    pub(crate) reads_stdin: bool,
    pub(crate) runs: Vec<Run>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Probe {
    pub(crate) stdout: String,
    #[serde(default)]
    pub(crate) exit: u8,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    /// Only for prompts in which this pattern is found.
    pub(crate) when: Option<String>,
    /// How often this run may be taken; 0: always.
    #[serde(default = "once")]
    pub(crate) times: u64,
    pub(crate) steps: Vec<Step>,
}

fn once() -> u64 {
    1
}

/// One thing to do. Paths are relative to the working folder; those of `wait_for` and `signal`
/// to the folder of the script, which the test can reach.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// A line on stdout.
    Print(String),
    PrintError(String),
    /// Exactly these bytes on stdout.
    Bytes(Vec<u8>),
    /// So many bytes that are no text.
    Garbage(usize),
    /// A line of so many bytes.
    HugeLine(usize),
    Write {
        path: String,
        text: String,
    },
    Append {
        path: String,
        text: String,
    },
    Delete(String),
    /// A command that must succeed.
    Shell(String),
    WaitMs(u64),
    /// Until the test has made this file.
    WaitFor(String),
    /// Makes a file that the test waits for.
    Signal(String),
    IgnoreSigterm,
    CloseStdout,
    NeverEnd,
    Exit(u8),
    /// Sends itself a signal.
    Kill(i32),
    /// Starts a process that goes on for so long.
    Child(Child),
    /// From here to its end no other run may do this in a folder of this name: else it complains.
    Alone,
    /// A line that no other run writes, in a file named after the working folder; then it is told
    /// in the log.
    Token,
    /// The environment must have this variable, or must not.
    NeedEnv(String),
    NeedNoEnv(String),
    /// The arguments must have this one, or must not.
    NeedArg(String),
    NeedNoArg(String),
    /// The prompt must contain this.
    NeedPrompt(String),
    Claude(Event),
    Codex(Event),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Child {
    pub(crate) ms: u64,
    /// In a session of its own, as a daemon.
    pub(crate) session: bool,
    /// Keeps stdout and stderr open.
    pub(crate) holds_output: bool,
}

impl Default for Child {
    fn default() -> Self {
        Self {
            ms: 60_000,
            session: true,
            holds_output: false,
        }
    }
}

/// What an agent tells in its own format.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The first event: claude's `system/init`, codex's `thread.started` and `turn.started`.
    Start,
    Say(String),
    /// A tool call with its result.
    Tool {
        name: String,
        input: Value,
    },
    /// How full a window is.
    Window(Window),
    /// It will try again by itself (claude).
    Retry {
        status: u16,
        delay_ms: u64,
    },
    /// The end with a result; exit code 0.
    Done(Done),
    /// The end at the plan's limit; exit code 1.
    Limit(Window),
    /// The end with an error; exit code 1. `kind` is claude's `error` or codex's
    /// `codex_error_info`.
    Error {
        status: u16,
        kind: String,
        text: String,
    },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Window {
    /// `five_hour` or `seven_day`; codex's primary and secondary.
    pub(crate) name: String,
    /// 0 to 1.
    pub(crate) used: f64,
    pub(crate) reset_in_s: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            name: "five_hour".into(),
            used: 1.0,
            reset_in_s: 3600,
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Done {
    pub(crate) text: String,
    pub(crate) usage: Usage,
    pub(crate) cost_usd: f64,
}

/// The four disjoint kinds of tokens, of this run alone.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input: 1000,
            output: 100,
            cache_read: 0,
            cache_write: 0,
        }
    }
}

impl Script {
    pub(crate) fn probe(&self, args: &[String]) -> Option<Probe> {
        let line = args.join(" ");
        let scripted = self
            .probes
            .iter()
            .find(|(start, _)| line.starts_with(start.as_str()));
        if let Some((_, probe)) = scripted {
            return Some(probe.clone());
        }
        // Questions about limits, which the real ones answer without a model: nobody is logged in.
        let refusal = match self.shape {
            Shape::Codex if args.iter().any(|a| a == "app-server") => Some(
                r#"{"id":2,"error":{"code":-32600,"message":"chatgpt authentication required"}}"#,
            ),
            Shape::Claude if args.iter().any(|a| a == "--input-format") => Some(
                r#"{"type":"control_response","response":{"subtype":"error","request_id":"rigs-usage","error":"not logged in"}}"#,
            ),
            Shape::Claude if line == "auth status" => Some(r#"{"loggedIn":false}"#),
            Shape::Claude | Shape::Codex | Shape::Plain => None,
        };
        if let Some(line) = refusal {
            return Some(Probe {
                stdout: format!("{line}\n"),
                exit: 1,
            });
        }
        let version = match self.shape {
            Shape::Claude => "2.1.328 (Claude Code)\n",
            Shape::Codex => "codex-cli 0.169.0\n",
            Shape::Plain => "fake-agent 1.0.0\n",
        };
        (line == "--version").then(|| Probe {
            stdout: version.into(),
            exit: 0,
        })
    }
}
