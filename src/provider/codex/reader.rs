//! Reads the JSON lines of `codex exec --json`, and the rollout afterwards. Unknown events are
//! ignored.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::super::reader::{
    Ending, Meter, Waiting, Words, count, message, retrying, session_id, text, wall,
};
use super::super::reset;
use super::super::rule::{Facts, OURS, REST, class_of_text, first};
use super::super::signal::{Class, Observation, Outcome, Scope, Signal};
use super::rollout::{self, Failure};
use super::table::TABLE;
use crate::core::{Timestamp, Usage};

/// `unexpected status 401 Unauthorized`, `last status: 429`. Constant; holds no state.
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:unexpected|last) status:? (\d{3})\b").expect("invariant: a valid pattern")
});

/// What tools print where the host cannot confine them.
const NO_SANDBOX: &[&str] = &["landlock", "seccomp", "bwrap:", "sandbox-exec:"];

#[derive(Debug)]
pub(crate) struct Reader {
    words: Words,
    meter: Meter,
    /// What the thread had used before this run: it counts by thread.
    earlier: Usage,
    session: Option<String>,
    /// The last thing the agent said.
    said: String,
    finished: Option<bool>,
    error: Option<String>,
    failure: Option<Failure>,
    aborted: bool,
    waiting: Option<Waiting>,
    windows: Vec<Observation>,
    sandbox_failed: bool,
}

impl Reader {
    pub(crate) fn new(earlier: Usage, words: Words) -> Self {
        Self {
            words,
            meter: Meter::default(),
            earlier,
            session: None,
            said: String::new(),
            finished: None,
            error: None,
            failure: None,
            aborted: false,
            waiting: None,
            windows: Vec::new(),
            sandbox_failed: false,
        }
    }

    pub(crate) fn line(&mut self, line: &str, _now: Timestamp) -> Vec<Signal> {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return Vec::new();
        };
        let mut signals = Vec::new();
        match event["type"].as_str() {
            Some("thread.started") => {
                let session = session_id(&event, "thread_id");
                if let Some(id) = session.filter(|id| self.session.as_ref() != Some(id)) {
                    self.session = Some(id.clone());
                    signals.push(Signal::Session(id));
                }
            }
            Some(step @ ("item.started" | "item.completed")) => {
                self.item(&event["item"], step == "item.completed", &mut signals);
            }
            Some("turn.completed") => {
                let mut total = usage_of(&event["usage"]);
                total.requests = self.earlier.requests + 1;
                signals.extend(self.used(total));
                self.finished = Some(true);
                let text = self.said.clone();
                signals.push(Signal::Result { ok: true, text });
            }
            Some("error") => {
                let said = text(&event, "message").unwrap_or("error").to_owned();
                if said.starts_with("Reconnecting...") {
                    let class = class_of(&said).unwrap_or(Class::Network);
                    let message = self.words.line(&said);
                    self.waiting = Some(Waiting {
                        class,
                        message: message.clone(),
                    });
                    signals.push(retrying(class, reset::delay(&said), message));
                } else {
                    self.error = Some(said);
                }
            }
            Some("turn.failed") => {
                let said = text(&event["error"], "message").map(str::to_owned);
                self.error = said.or(self.error.take());
                self.finished = Some(false);
                let text = self.words.text(self.error.as_deref().unwrap_or_default());
                signals.push(Signal::Result { ok: false, text });
            }
            _ => {}
        }
        signals
    }

    fn item(&mut self, item: &Value, completed: bool, signals: &mut Vec<Signal>) {
        let mut tool = |name: &str, detail: &str| {
            signals.push(Signal::Tool {
                name: self.words.line(name),
                detail: self.words.line(detail),
            });
        };
        match (item["type"].as_str(), completed) {
            (Some("agent_message"), true) => {
                self.waiting = None;
                self.said = self.words.text(text(item, "text").unwrap_or_default());
                signals.push(Signal::Text(self.said.clone()));
            }
            (Some("command_execution"), false) => {
                self.waiting = None;
                tool("command", text(item, "command").unwrap_or_default());
            }
            (Some("command_execution"), true) => {
                let output = text(item, "aggregated_output").unwrap_or_default();
                let output = output[..output.floor_char_boundary(2000)].to_lowercase();
                let failed = item["exit_code"].as_i64().is_some_and(|code| code != 0);
                self.sandbox_failed |=
                    failed && NO_SANDBOX.iter().any(|word| output.contains(word));
            }
            (Some("mcp_tool_call"), false) => tool(
                text(item, "tool").unwrap_or("mcp"),
                text(item, "server").unwrap_or_default(),
            ),
            (Some("web_search"), true) => tool("search", text(item, "query").unwrap_or_default()),
            (Some("file_change"), true) => {
                for change in item["changes"].as_array().into_iter().flatten().take(50) {
                    tool(
                        text(change, "kind").unwrap_or("edit"),
                        text(change, "path").unwrap_or_default(),
                    );
                }
            }
            _ => {}
        }
    }

    /// The thread's total, less what it had used before.
    fn used(&mut self, total: Usage) -> Option<Signal> {
        self.meter.raise(total.beyond(&self.earlier))
    }

    pub(crate) fn log_file(&mut self, log: &str, now: Timestamp) -> Vec<Signal> {
        let rollout = rollout::parse(log, now);
        self.failure = rollout.error;
        self.aborted = rollout.aborted;
        self.windows.clone_from(&rollout.windows);
        let mut signals: Vec<Signal> = rollout
            .total
            .and_then(|t| self.used(t))
            .into_iter()
            .collect();
        signals.extend(rollout.windows.into_iter().map(Signal::Window));
        signals
    }

    pub(crate) fn finish(&self, end: &Ending, now: Timestamp) -> Outcome {
        let closed = wall(self.windows.iter());
        // A final error without `turn.failed` still ended the turn.
        let finished = self.finished.or(self.error.as_ref().map(|_| false));
        let error = self.error.clone().unwrap_or_default();
        let mut facts = Facts {
            finished,
            waiting: self.waiting.as_ref().map(|w| w.class),
            wall: closed.is_some(),
            status: status_of(&error),
            text: error.to_lowercase(),
            ..Facts::ended(end)
        };
        // The log's last failure may be that of an earlier turn, if this run never began one.
        let failure = self
            .failure
            .as_ref()
            .filter(|f| error.is_empty() || f.message == error);
        if let Some(failure) = failure.filter(|_| finished != Some(true)) {
            facts.status = failure.status.or(facts.status);
            facts.causes.extend(failure.cause.clone());
        }
        if self.aborted {
            facts.causes.push("turn_aborted".into());
        }
        let rule = first(&[OURS, TABLE, REST], &facts).expect("invariant: the last rule applies");
        let message = self.message(end, &error, rule.class);
        let (mut resets_at, mut scope) = (None, Scope::Account);
        if rule.class == Class::Limit {
            (resets_at, scope) = closed.unwrap_or((None, Scope::Account));
        }
        if matches!(rule.class, Class::Limit | Class::RateLimited) {
            resets_at = resets_at.or_else(|| self.words.reset(&error, now));
        }
        Outcome {
            class: rule.class,
            rule: rule.name,
            message,
            resets_at,
            scope,
        }
    }

    fn message(&self, end: &Ending, error: &str, class: Class) -> String {
        let said = if class == Class::Done {
            "finished".into()
        } else {
            message(end, &self.words, Some(error), self.waiting.as_ref())
        };
        if self.sandbox_failed {
            format!(
                "{said}; its sandbox does not work on this host (it needs Landlock and seccomp)"
            )
        } else {
            said
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

/// Codex counts cached tokens into `input_tokens`, and reasoning into `output_tokens`.
pub(super) fn usage_of(usage: &Value) -> Usage {
    let cache_read = count(usage, "cached_input_tokens");
    let cache_write = count(usage, "cache_write_input_tokens");
    Usage {
        input: count(usage, "input_tokens")
            .saturating_sub(cache_read)
            .saturating_sub(cache_write),
        output: count(usage, "output_tokens"),
        cache_read,
        cache_write,
        ..Usage::default()
    }
}

fn status_of(text: &str) -> Option<u16> {
    STATUS.captures(text)?[1].parse().ok()
}

/// The class of an error sentence.
fn class_of(said: &str) -> Option<Class> {
    match status_of(said) {
        Some(429) => Some(Class::RateLimited),
        Some(401 | 403) => Some(Class::Auth),
        Some(500..) => Some(Class::Overloaded),
        Some(_) | None => class_of_text(TABLE, said),
    }
}
