//! Reads the stream-json output of Claude Code. Unknown events are ignored: new ones come with
//! every version.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::super::reader::{
    Ending, Meter, Waiting, Words, count, detail, dollars, largest, message, retrying, session_id,
    text, wall,
};
use super::super::rule::{Facts, OURS, REST, first};
use super::super::signal::{Class, Observation, Outcome, Scope, Signal};
use super::{limits, table::TABLE};
use crate::core::text::count as counted;
use crate::core::{MicroUsd, Timestamp, Usage};

/// Most message ids and windows that are remembered; a run that has more is not believed.
const MOST_MESSAGES: usize = 100_000;
const MOST_WINDOWS: usize = 32;

#[derive(Debug)]
pub(crate) struct Reader {
    words: Words,
    meter: Meter,
    session: Option<String>,
    model: Option<String>,
    /// Messages already counted: each content block is an event of its own, with the same usage.
    seen: HashSet<String>,
    /// Since the last result; output is not known before it.
    running: Usage,
    /// Of the results so far.
    settled: Usage,
    /// The session's cost before this run, then at the last result: the program counts cost by
    /// session.
    session_cost: MicroUsd,
    windows: BTreeMap<String, Observation>,
    waiting: Option<Waiting>,
    /// Of the message that the program itself writes in place of the model's on an API error.
    error: Option<String>,
    result: Option<Ended>,
}

/// The terminal event.
#[derive(Debug)]
struct Ended {
    ok: bool,
    status: Option<u16>,
    causes: Vec<String>,
    text: String,
    denied: usize,
}

impl Reader {
    pub(crate) fn new(earlier: Usage, words: Words) -> Self {
        Self {
            words,
            meter: Meter::default(),
            session: None,
            model: None,
            seen: HashSet::new(),
            running: Usage::default(),
            settled: Usage::default(),
            session_cost: earlier.cost_micro_usd,
            windows: BTreeMap::new(),
            waiting: None,
            error: None,
            result: None,
        }
    }

    pub(crate) fn line(&mut self, line: &str, now: Timestamp) -> Vec<Signal> {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return Vec::new();
        };
        let mut signals = Vec::new();
        match event["type"].as_str() {
            Some("system") => self.system(&event, &mut signals),
            Some("assistant") => self.assistant(&event, &mut signals),
            Some("rate_limit_event") => {
                self.rate_limit(&event["rate_limit_info"], now, &mut signals);
            }
            Some("result") => self.ended(&event, &mut signals),
            _ => {}
        }
        signals
    }

    fn system(&mut self, event: &Value, signals: &mut Vec<Signal>) {
        match event["subtype"].as_str() {
            Some("init") => {
                let session = session_id(event, "session_id");
                if let Some(id) = session.filter(|id| self.session.as_ref() != Some(id)) {
                    self.session = Some(id.clone());
                    signals.push(Signal::Session(id));
                }
                self.model_is(text(event, "model"), signals);
            }
            Some("model_fallback") => self.model_is(text(event, "fallback_model"), signals),
            Some("permission_denied") => signals.push(Signal::Tool {
                name: self.words.line(text(event, "tool_name").unwrap_or("tool")),
                detail: format!(
                    "denied: {}",
                    self.words.line(text(event, "message").unwrap_or_default())
                ),
            }),
            Some("api_retry") => {
                let class = self.retry_class(event);
                let delay = Duration::from_millis(count(event, "retry_delay_ms"));
                let status = event["error_status"].as_u64();
                let message = format!(
                    "{}{}, attempt {} of {}",
                    self.words.line(text(event, "error").unwrap_or("error")),
                    status.map(|s| format!(" ({s})")).unwrap_or_default(),
                    count(event, "attempt"),
                    count(event, "max_retries"),
                );
                self.waiting = Some(Waiting {
                    class,
                    message: message.clone(),
                });
                signals.push(retrying(class, delay, message));
            }
            _ => {}
        }
    }

    fn retry_class(&self, event: &Value) -> Class {
        let closed = || wall(self.windows.values()).is_some();
        match event["error"].as_str() {
            Some("rate_limit") if closed() => Class::Limit,
            Some("rate_limit") => Class::RateLimited,
            Some("overloaded" | "server_error") => Class::Overloaded,
            Some("authentication_failed") => Class::Auth,
            Some("billing_error") => Class::OutOfCredit,
            _ => Class::Network,
        }
    }

    fn model_is(&mut self, model: Option<&str>, signals: &mut Vec<Signal>) {
        let Some(model) = model.filter(|m| !m.starts_with('<')) else {
            return;
        };
        let model = self.words.line(model);
        if self.model.as_ref() != Some(&model) {
            self.model = Some(model.clone());
            signals.push(Signal::Model(model));
        }
    }

    fn assistant(&mut self, event: &Value, signals: &mut Vec<Signal>) {
        let message = &event["message"];
        if message["model"] == "<synthetic>" {
            self.error = text(event, "error").map(str::to_owned);
            return;
        }
        self.waiting = None;
        let of_main = event["parent_tool_use_id"].is_null();
        if of_main {
            self.model_is(text(message, "model"), signals);
        }
        if self.is_new(message) {
            let usage = &message["usage"];
            self.running += Usage {
                requests: 1,
                ..input_of(usage)
            };
            signals.extend(self.meter.raise(self.settled + self.running));
        }
        for block in message["content"].as_array().into_iter().flatten() {
            match (block["type"].as_str(), text(block, "text")) {
                (Some("text"), Some(said)) if of_main => {
                    signals.push(Signal::Text(self.words.text(said)));
                }
                (Some("tool_use"), _) => signals.push(Signal::Tool {
                    name: self.words.line(text(block, "name").unwrap_or("tool")),
                    detail: self.words.line(detail(&block["input"])),
                }),
                _ => {}
            }
        }
    }

    fn is_new(&mut self, message: &Value) -> bool {
        let id: String = text(message, "id")
            .unwrap_or_default()
            .chars()
            .take(128)
            .collect();
        !id.is_empty() && self.seen.len() < MOST_MESSAGES && self.seen.insert(id)
    }

    fn rate_limit(&mut self, info: &Value, now: Timestamp, signals: &mut Vec<Signal>) {
        for (id, window) in limits::windows(info, self.model.as_deref(), now) {
            if self.windows.len() < MOST_WINDOWS || self.windows.contains_key(&id) {
                self.windows.insert(id, window.clone());
                signals.push(Signal::Window(window));
            }
        }
    }

    fn ended(&mut self, event: &Value, signals: &mut Vec<Signal>) {
        self.settle(event);
        signals.extend(self.meter.raise(self.settled));
        let is_error = event["is_error"].as_bool();
        let ok = is_error == Some(false) && event["subtype"] == "success";
        let errors: Vec<&str> = event["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let said = text(event, "result").map_or_else(|| errors.join("; "), str::to_owned);
        let said = self.words.text(&said);
        let causes = ["subtype", "terminal_reason", "api_error_type", "api_error"]
            .iter()
            .filter_map(|key| text(event, key))
            .chain(self.error.as_deref())
            .map(str::to_owned)
            .collect();
        self.result = Some(Ended {
            ok,
            status: event["api_error_status"]
                .as_u64()
                .and_then(|s| u16::try_from(s).ok()),
            causes,
            text: said.clone(),
            denied: event["permission_denials"].as_array().map_or(0, Vec::len),
        });
        signals.push(Signal::Result { ok, text: said });
    }

    /// Adds a result to what is settled. `usage` is this run's, but leaves out what an aborted
    /// turn spent; the difference of the session's models has it, where the version reports it.
    fn settle(&mut self, event: &Value) {
        let usage = &event["usage"];
        let mut used = Usage {
            output: count(usage, "output_tokens"),
            requests: self.running.requests,
            ..input_of(usage)
        };
        let session_cost = dollars(&event["total_cost_usd"]);
        let models = event["model_usage_since_last_result"].as_object();
        if let Some(models) = models {
            let by_model: Usage = models.values().fold(Usage::default(), |sum, of| {
                sum + Usage {
                    input: count(of, "inputTokens"),
                    output: count(of, "outputTokens"),
                    cache_read: count(of, "cacheReadInputTokens"),
                    cache_write: count(of, "cacheCreationInputTokens"),
                    requests: 0,
                    cost_micro_usd: dollars(&of["costUSD"]),
                }
            });
            used = largest(used, by_model);
        } else {
            used.cost_micro_usd = MicroUsd((session_cost.0 - self.session_cost.0).max(0));
        }
        self.session_cost = session_cost.max(self.session_cost);
        used = largest(used, self.running);
        used.requests = used.requests.max(u64::from(used.tokens() > 0));
        self.settled += used;
        self.running = Usage::default();
    }

    pub(crate) fn finish(&self, end: &Ending, now: Timestamp) -> Outcome {
        let closed = wall(self.windows.values());
        let mut facts = Facts {
            finished: self.result.as_ref().map(|r| r.ok),
            waiting: self.waiting.as_ref().map(|w| w.class),
            wall: closed.is_some(),
            ..Facts::ended(end)
        };
        if let Some(result) = &self.result {
            facts.status = result.status;
            facts.causes.clone_from(&result.causes);
            facts.text = result.text.to_lowercase();
        }
        let rule = first(&[OURS, TABLE, REST], &facts).expect("invariant: the last rule applies");
        let message = self.message(end, rule.class);
        let (mut resets_at, mut scope) = (None, Scope::Account);
        if rule.class == Class::Limit {
            (resets_at, scope) = closed.unwrap_or((None, Scope::Account));
        }
        if matches!(
            rule.class,
            Class::Limit | Class::RateLimited | Class::OutOfCredit
        ) {
            resets_at = resets_at.or_else(|| self.words.reset(&message, now));
        }
        Outcome {
            class: rule.class,
            rule: rule.name,
            message,
            resets_at,
            scope,
        }
    }

    fn message(&self, end: &Ending, class: Class) -> String {
        let result = self.result.as_ref();
        match result.map_or(0, |r| r.denied) {
            0 if class == Class::Done => return "finished".into(),
            denied if class == Class::Done => {
                let uses = counted(denied, "tool use was", "tool uses were");
                return format!("finished; {uses} denied by its permissions");
            }
            _ => {}
        }
        // What an interrupted run says is a note to its makers.
        let said = result.map(|r| r.text.as_str()).map(|said| {
            if said.starts_with("[ede_diagnostic]") {
                "interrupted"
            } else {
                said
            }
        });
        message(end, &self.words, said, self.waiting.as_ref())
    }

    pub(crate) fn answer(&self) -> &str {
        self.result
            .as_ref()
            .filter(|r| r.ok)
            .map_or("", |r| &r.text)
    }

    pub(crate) fn usage(&self) -> Usage {
        self.meter.usage()
    }
}

/// The input side of a usage object: the same in messages and results.
fn input_of(usage: &Value) -> Usage {
    Usage {
        input: count(usage, "input_tokens"),
        cache_read: count(usage, "cache_read_input_tokens"),
        cache_write: count(usage, "cache_creation_input_tokens"),
        ..Usage::default()
    }
}
