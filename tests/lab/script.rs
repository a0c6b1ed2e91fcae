//! What the lab answers: rules, each a list of steps that model calls take one by one.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::limits::Window;

/// Said when a script has nothing more to say.
pub(super) const FINAL_TEXT: &str = "All done.";

/// The rules, first match first.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    pub(crate) rules: Vec<Rule>,
}

impl Script {
    pub(crate) fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            rules: rules.into_iter().collect(),
        }
    }

    /// One rule for every call.
    pub(crate) fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::new([Rule::new(steps)])
    }
}

/// Steps for the calls of one tag whose prompt matches.
///
/// Calls that match share one place in the list, unless the pattern has a group: then each text
/// that the group matches has a place of its own (`bead (gt-\w+)`: each bead starts at the first
/// step).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) tag: Option<String>,
    #[serde(deserialize_with = "pattern")]
    pub(crate) when: Option<Regex>,
    pub(crate) steps: Vec<Step>,
    /// Starts again at the first step after the last one.
    pub(crate) repeat: bool,
}

impl Rule {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Only for calls with this tag.
    pub(crate) fn tag(mut self, tag: &str) -> Self {
        self.tag = Some(tag.to_owned());
        self
    }

    /// Only for calls in whose user messages this pattern is found.
    pub(crate) fn when(mut self, pattern: &str) -> Self {
        self.when = Some(Regex::new(pattern).expect("a pattern of the test"));
        self
    }

    pub(crate) fn repeat(mut self) -> Self {
        self.repeat = true;
        self
    }
}

fn pattern<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Regex>, D::Error> {
    let text = String::deserialize(d)?;
    Regex::new(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

/// The answer to one model call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Step {
    #[serde(flatten)]
    pub(crate) act: Act,
    /// Reported to the client, and counted, when the answer was sent to its end.
    pub(crate) usage: Option<Usage>,
    /// Waits before it answers until the test releases this name.
    pub(crate) hold: Option<String>,
    /// Between two parts of a stream.
    #[serde(default)]
    pub(crate) pace_ms: u64,
    /// Added to the response.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
}

/// What a step does. Paths are relative to the agent's working folder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// Ends the turn with these words.
    Text(String),
    /// Runs a command by whichever shell tool the request offers.
    Shell(String),
    /// Writes a file: by the tool for it, read first as such tools want it, else by the shell.
    Write {
        path: String,
        text: String,
    },
    /// Replaces a text that is there once, in the same ways.
    Edit {
        path: String,
        old: String,
        new: String,
    },
    /// Calls any tool.
    Call {
        name: String,
        input: Value,
    },
    /// The plan's limit is reached: this and every later call of the tag is refused until the
    /// reset, which the answers state.
    Limit {
        reset_in_ms: u64,
        window: Window,
    },
    Fail(Failure),
    /// The way of the answer is broken, not the answer.
    Break(Fault),
}

/// An error as the provider words it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failure {
    /// 429: too much for the moment.
    RateLimited { retry_after_s: Option<u64> },
    /// 529 of Anthropic, 503 elsewhere.
    Overloaded,
    /// 500.
    Internal,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// No credit: 400 of Anthropic, 429 `insufficient_quota` of OpenAI.
    NoCredit,
    /// 404: no such model.
    NoModel,
    /// 400: the conversation is too long.
    TooLong,
    /// 400: the request is not understood.
    BadRequest,
}

/// Where an answer breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// Nothing is said until the client leaves.
    Hang,
    /// A part is said, then nothing.
    HangInStream,
    /// A part is said, then the stream ends as if it were whole.
    Truncate,
    /// A part is said, then the connection is gone.
    Cut,
    /// The body is half a JSON document, with its end.
    Malformed,
    /// One event of the stream is not JSON.
    BadEvent,
    /// The stream tells of an error and ends.
    ErrorEvent,
}

/// Tokens; the four kinds are disjoint, as in rigs' own ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    /// OpenAI's protocols have no name for it; there it is reported as input.
    pub(crate) cache_write: u64,
}

impl Usage {
    /// What a step reports that does not say.
    pub(super) const USUAL: Self = Self {
        input: 1200,
        output: 34,
        cache_read: 800,
        cache_write: 100,
    };
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
    }
}

impl From<Act> for Step {
    fn from(act: Act) -> Self {
        Self {
            act,
            usage: None,
            hold: None,
            pace_ms: 0,
            headers: BTreeMap::new(),
        }
    }
}

impl Step {
    pub(crate) fn text(text: &str) -> Self {
        Act::Text(text.to_owned()).into()
    }

    pub(crate) fn shell(command: &str) -> Self {
        Act::Shell(command.to_owned()).into()
    }

    pub(crate) fn write(path: &str, text: &str) -> Self {
        Act::Write {
            path: path.to_owned(),
            text: text.to_owned(),
        }
        .into()
    }

    pub(crate) fn edit(path: &str, old: &str, new: &str) -> Self {
        Act::Edit {
            path: path.to_owned(),
            old: old.to_owned(),
            new: new.to_owned(),
        }
        .into()
    }

    pub(crate) fn call(name: &str, input: Value) -> Self {
        Act::Call {
            name: name.to_owned(),
            input,
        }
        .into()
    }

    /// The plan's short window (five hours, primary) is used up.
    pub(crate) fn limit(reset_in: Duration) -> Self {
        Self::limit_of(Window::FiveHour, reset_in)
    }

    pub(crate) fn limit_of(window: Window, reset_in: Duration) -> Self {
        Act::Limit {
            reset_in_ms: reset_in.as_millis() as u64,
            window,
        }
        .into()
    }

    pub(crate) fn fail(failure: Failure) -> Self {
        Act::Fail(failure).into()
    }

    pub(crate) fn breaks(fault: Fault) -> Self {
        Act::Break(fault).into()
    }

    pub(crate) fn usage(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Waits before it answers for [`super::Upstream::release`] of this name.
    pub(crate) fn hold(mut self, name: &str) -> Self {
        self.hold = Some(name.to_owned());
        self
    }

    /// Slow: so long between two parts of a stream.
    pub(crate) fn pace(mut self, pace: Duration) -> Self {
        self.pace_ms = pace.as_millis() as u64;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }
}
