//! Reads the JSON lines of `opencode run --format json`, and its log on stderr, where alone it
//! says that a request failed and that it waits. Unknown events are ignored.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::super::headers;
use super::super::reader::{
    Ending, Meter, Waiting, Words, count, detail, dollars, message, retrying, session_id, text,
};
use super::super::rule::{Facts, OURS, REST, class_of_text, first};
use super::super::signal::{Class, Outcome, Scope, Signal};
use super::table::TABLE;
use crate::core::text::count as counted;
use crate::core::{Timestamp, Usage};
use crate::llm::http::error_text;

/// Causes, for the table: it was answered and went on asking; it asked for a permission.
pub(super) const LOOPS: &str = "loops";
pub(super) const ASKED: &str = "asked";

/// Steps in a row without an end that a model gave. A server whose answers it does not
/// understand is asked again without a pause and without an end.
const MOST_UNKNOWN: u32 = 3;
/// How long it may try a request again. It tells a server's headers only when it gives up, which
/// it does after five more tries; but it waits as long as the server says, be it hours.
const LONGEST_RETRYING: Duration = Duration::from_secs(45);
/// Most parts that are remembered; a run that has more is not believed.
const MOST_PARTS: usize = 100_000;

/// `message="stream error" ... agent=build ... error.error="AI_APICallError: ..."`. Constant;
/// holds no state.
static STREAM_ERROR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"message="stream error".*? small=false .*?error\.error="(.*)"#)
        .expect("invariant: a valid pattern")
});

#[derive(Debug)]
pub(crate) struct Reader {
    words: Words,
    meter: Meter,
    session: Option<String>,
    parts: HashSet<String>,
    /// What the model said since its last tool.
    said: String,
    finished: Option<bool>,
    error: Option<Failure>,
    waiting: Option<Waiting>,
    /// When the request that is tried again failed first.
    failing_since: Option<Timestamp>,
    unknown_steps: u32,
    hopeless: bool,
    asked: bool,
    denied: usize,
}

/// What it says of the request that it gave up on.
#[derive(Debug, Clone)]
struct Failure {
    status: Option<u16>,
    /// For a person.
    said: String,
    /// All words that may say what it is, lower case.
    words: String,
    resets_at: Option<Timestamp>,
}

impl Reader {
    pub(crate) fn new(words: Words) -> Self {
        Self {
            words,
            meter: Meter::default(),
            session: None,
            parts: HashSet::new(),
            said: String::new(),
            finished: None,
            error: None,
            waiting: None,
            failing_since: None,
            unknown_steps: 0,
            hopeless: false,
            asked: false,
            denied: 0,
        }
    }

    pub(crate) fn line(&mut self, line: &str, now: Timestamp) -> Vec<Signal> {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return Vec::new();
        };
        let mut signals = Vec::new();
        let session = session_id(&event, "sessionID");
        if let Some(id) = session.filter(|id| self.session.as_ref() != Some(id)) {
            self.session = Some(id.clone());
            signals.push(Signal::Session(id));
        }
        let part = &event["part"];
        match event["type"].as_str() {
            Some("text") => {
                self.said = self.words.text(text(part, "text").unwrap_or_default());
                signals.push(Signal::Text(self.said.clone()));
            }
            Some("tool_use") => self.tool(part, &mut signals),
            Some("step_finish") => self.step(part, &mut signals),
            Some("error") => self.failed(&event, now, &mut signals),
            _ => {}
        }
        signals
    }

    fn tool(&mut self, part: &Value, signals: &mut Vec<Signal>) {
        let state = &part["state"];
        let name = self.words.line(text(part, "tool").unwrap_or("tool"));
        let said = text(state, "error").unwrap_or_default();
        let refused = state["status"] == "error"
            && (said.contains("rejected permission") || said.contains("prevents you from using"));
        let detail = if refused {
            self.denied += 1;
            self.asked |= said.contains("rejected permission");
            format!("denied: {}", self.words.line(detail(&state["input"])))
        } else {
            self.words.line(detail(&state["input"]))
        };
        signals.push(Signal::Tool { name, detail });
    }

    fn step(&mut self, part: &Value, signals: &mut Vec<Signal>) {
        let id: String = text(part, "id")
            .unwrap_or_default()
            .chars()
            .take(128)
            .collect();
        if id.is_empty() || self.parts.len() >= MOST_PARTS || !self.parts.insert(id) {
            return;
        }
        // What ends the run may overtake a step that was over before, on the other pipe.
        if !self.hopeless {
            self.waiting = None;
            self.failing_since = None;
        }
        let reason = part["reason"].as_str();
        let used = usage_of(part);
        // An answer that it did not understand was not free; its cost is unknown, not zero.
        if used.tokens() + used.cache_read > 0 {
            signals.extend(self.meter.raise(self.meter.usage() + used));
        }
        self.unknown_steps = match reason {
            Some("unknown" | "other") => self.unknown_steps + 1,
            Some(_) | None => 0,
        };
        if self.unknown_steps >= MOST_UNKNOWN && !self.hopeless {
            self.hopeless = true;
            signals.push(Signal::Hopeless);
        }
        match reason {
            Some("stop") => {
                self.finished = Some(true);
                signals.push(Signal::Result {
                    ok: true,
                    text: self.said.clone(),
                });
            }
            // It goes on from here.
            Some(_) | None => self.finished = None,
        }
    }

    fn failed(&mut self, event: &Value, now: Timestamp, signals: &mut Vec<Signal>) {
        let error = &event["error"];
        let data = &error["data"];
        let said = text(data, "message")
            .or(text(error, "name"))
            .or(text(event, "message"))
            .unwrap_or("error");
        let body = text(data, "responseBody").unwrap_or_default();
        let said_headers: Vec<(String, String)> = data["responseHeaders"]
            .as_object()
            .into_iter()
            .flatten()
            .take(200)
            .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
            .collect();
        let mut windows = headers::observations(&said_headers, None, now);
        windows.extend(headers::of_google_body(&error_text(body), None, now));
        let words = format!("{} {said} {body}", text(error, "name").unwrap_or_default());
        self.error = Some(Failure {
            status: data["statusCode"]
                .as_u64()
                .and_then(|s| u16::try_from(s).ok()),
            said: said.to_owned(),
            resets_at: headers::retry_after(&said_headers, now)
                .max(headers::closed_until(&windows))
                .or_else(|| headers::empty_until(&windows))
                .or_else(|| self.words.reset(&words, now)),
            words: words.to_lowercase(),
        });
        self.finished = Some(false);
        signals.extend(windows.into_iter().map(Signal::Window));
        signals.push(Signal::Result {
            ok: false,
            text: self.words.text(said),
        });
    }

    /// A line of its log. A wait for hours begins with the same words as one for seconds: a limit
    /// of a plan is not waited for, and nothing for long.
    pub(crate) fn error_line(&mut self, line: &str, now: Timestamp) -> Vec<Signal> {
        if line.contains("permission requested:") {
            self.asked = true;
        }
        let Some(found) = STREAM_ERROR.captures(line) else {
            return Vec::new();
        };
        let said = found[1].trim_end_matches('"');
        let said = said.split_once(": ").map_or(said, |(_, said)| said);
        let class = class_of_text(TABLE, said).unwrap_or(Class::Network);
        let message = self.words.line(said);
        self.waiting = Some(Waiting {
            class,
            message: message.clone(),
        });
        let since = *self.failing_since.get_or_insert(now);
        let mut signals = vec![retrying(class, Duration::ZERO, message)];
        let hopeless = matches!(class, Class::Limit | Class::OutOfCredit)
            || now.since(since) >= LONGEST_RETRYING;
        if hopeless && !self.hopeless {
            self.hopeless = true;
            signals.push(Signal::Hopeless);
        }
        signals
    }

    pub(crate) fn finish(&self, end: &Ending, now: Timestamp) -> Outcome {
        let loops = self.unknown_steps >= MOST_UNKNOWN;
        let failure = self.error.as_ref();
        let facts = Facts {
            finished: self.finished,
            status: failure.and_then(|f| f.status),
            causes: [(loops, LOOPS), (self.asked, ASKED)]
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, cause)| cause.to_owned())
                .collect(),
            text: failure.map(|f| f.words.clone()).unwrap_or_default(),
            waiting: self.waiting.as_ref().map(|w| w.class),
            ..Facts::ended(end)
        };
        // What it did without end is the reason that it was stopped for.
        let tables: &[&[_]] = if loops {
            &[TABLE, OURS, REST]
        } else {
            &[OURS, TABLE, REST]
        };
        let rule = first(tables, &facts).expect("invariant: the last rule applies");
        let waits = matches!(
            rule.class,
            Class::Limit | Class::RateLimited | Class::Overloaded
        );
        let said = self.waiting.as_ref().map(|w| w.message.as_str());
        Outcome {
            class: rule.class,
            rule: rule.name,
            message: self.message(end, rule.class, rule.name),
            resets_at: failure
                .and_then(|f| f.resets_at)
                .or_else(|| self.words.reset(said?, now))
                .filter(|_| waits),
            scope: Scope::Account,
        }
    }

    fn message(&self, end: &Ending, class: Class, rule: &str) -> String {
        if class == Class::Done {
            return match self.denied {
                0 => "finished".into(),
                n => format!(
                    "finished; {} denied by its permissions",
                    counted(n, "tool use was", "tool uses were")
                ),
            };
        }
        match rule {
            "answers_without_end" => {
                "stopped: it does not understand the server's answers and asks again without end"
                    .into()
            }
            "asked_a_person" => "it asked for a permission, which nobody could give".into(),
            _ => {
                let said = self.error.as_ref().map(|f| f.said.as_str());
                message(end, &self.words, said, self.waiting.as_ref())
            }
        }
    }

    pub(crate) fn answer(&self) -> &str {
        if self.finished == Some(true) {
            &self.said
        } else {
            ""
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.meter.usage()
    }
}

/// Of one step, that is one request. `input` is without what came from the cache; what the model
/// thought is counted by itself. The cost is what it makes of its own table of prices.
fn usage_of(part: &Value) -> Usage {
    let tokens = &part["tokens"];
    Usage {
        input: count(tokens, "input"),
        output: count(tokens, "output") + count(tokens, "reasoning"),
        cache_read: count(&tokens["cache"], "read"),
        cache_write: count(&tokens["cache"], "write"),
        requests: 1,
        cost_micro_usd: dollars(&part["cost"]),
    }
}
