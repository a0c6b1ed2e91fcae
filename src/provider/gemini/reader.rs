//! Reads the stream-json output of Gemini CLI and its stderr, where alone it says that it waits;
//! and afterwards its log of the session. Unknown events are ignored.

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::super::headers::midnight_pacific;
use super::super::reader::{
    Ending, Meter, TEXT, Waiting, Words, count, detail, message, retrying, session_id, text,
};
use super::super::rule::{Facts, OURS, REST, class_of_text, first};
use super::super::signal::{Class, Observation, Outcome, Scope, Signal, WindowStatus};
use super::exit::{class_of, code, sentence};
use super::{chat, table::TABLE};
use crate::core::text::count as counted;
use crate::core::{LimitKind, LimitUnit, Timestamp, Usage};

/// A cause: the server took requests and did not answer.
pub(super) const NO_ANSWER: &str = "no_answer";
/// It gives up on a server after 60 s, and says of that what it says of one that is not there.
/// Between two attempts on the latter it waits less than this.
const UNANSWERED: Duration = Duration::from_secs(20);

/// The quota that is used up until the next day, as the API names it.
const PER_DAY: &str = "requests_per_day";
const DAY: Duration = Duration::from_hours(24);

/// Constant patterns; they hold no state.
static ATTEMPT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^Attempt (\d+) failed(?: with status (\d{3}))?[:.]?\s*(.*)")
        .expect("invariant: a valid pattern")
});
static DELAY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"Retrying after (\d{1,9})ms").expect("invariant: a valid pattern")
});

#[derive(Debug)]
pub(crate) struct Reader {
    words: Words,
    meter: Meter,
    session: Option<String>,
    /// Whether that session can be gone on with: it is kept once an answer came to its end.
    is_kept: bool,
    model: Option<String>,
    refused: Option<String>,
    /// What the model has said since it last used a tool.
    said: String,
    finished: Option<bool>,
    /// What the API or the program said of its failure.
    error: Option<String>,
    waiting: Option<Waiting>,
    denied: usize,
    /// When it was last heard of, and whether it then waited in vain for an answer.
    heard_at: Option<Timestamp>,
    unanswered: bool,
}

impl Reader {
    pub(crate) fn new(earlier: Usage, words: Words) -> Self {
        Self {
            words,
            is_kept: !earlier.is_zero(),
            meter: Meter::default(),
            session: None,
            model: None,
            refused: None,
            said: String::new(),
            finished: None,
            error: None,
            waiting: None,
            denied: 0,
            heard_at: None,
            unanswered: false,
        }
    }

    pub(crate) fn line(&mut self, line: &str, now: Timestamp) -> Vec<Signal> {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return Vec::new();
        };
        let mut signals = Vec::new();
        self.heard_at = Some(now);
        match event["type"].as_str() {
            Some("init") => {
                let session = session_id(&event, "session_id");
                if let Some(id) = session.filter(|id| self.session.as_ref() != Some(id)) {
                    self.session = Some(id.clone());
                    signals.extend(self.is_kept.then_some(Signal::Session(id)));
                }
                self.model_is(text(&event, "model"), &mut signals);
            }
            Some("message") if event["role"] == "assistant" => {
                self.waiting = None;
                self.hear(&event);
            }
            Some("tool_use") => {
                self.waiting = None;
                self.answered(&mut signals);
                self.flush(&mut signals);
                signals.push(Signal::Tool {
                    name: self.words.line(text(&event, "tool_name").unwrap_or("tool")),
                    detail: self.words.line(detail(&event["parameters"])),
                });
            }
            Some("tool_result") => self.tool_result(&event, &mut signals),
            Some("error") if event["severity"] != "warning" => {
                self.error = text(&event, "message").map(str::to_owned);
            }
            Some("result") => self.ended(&event, now, &mut signals),
            _ => {}
        }
        signals
    }

    fn model_is(&mut self, model: Option<&str>, signals: &mut Vec<Signal>) {
        let Some(model) = model.map(|model| self.words.line(model)) else {
            return;
        };
        if self.model.as_ref() != Some(&model) {
            self.model = Some(model.clone());
            signals.push(Signal::Model(model));
        }
    }

    fn answered(&mut self, signals: &mut Vec<Signal>) {
        if !self.is_kept {
            self.is_kept = true;
            signals.extend(self.session.clone().map(Signal::Session));
        }
    }

    /// The answer comes in pieces, which become one text when it is over.
    fn hear(&mut self, event: &Value) {
        let piece = text(event, "content").unwrap_or_default();
        if event["delta"] != true {
            self.said.clear();
        }
        if self.said.len() + piece.len() <= TEXT {
            self.said.push_str(piece);
        }
    }

    fn flush(&mut self, signals: &mut Vec<Signal>) {
        let said = std::mem::take(&mut self.said);
        if !said.trim().is_empty() {
            signals.push(Signal::Text(self.words.text(&said)));
        }
    }

    fn tool_result(&mut self, event: &Value, signals: &mut Vec<Signal>) {
        let said = text(&event["error"], "message").unwrap_or_default();
        let refused = event["error"]["type"] == "policy_violation"
            || said.contains("requires user confirmation");
        if refused {
            self.denied += 1;
            let name = text(event, "tool_id").unwrap_or("tool");
            signals.push(Signal::Tool {
                name: self.words.line(name.split("__").next().unwrap_or(name)),
                detail: format!("denied: {}", self.words.line(said)),
            });
        }
    }

    fn ended(&mut self, event: &Value, now: Timestamp, signals: &mut Vec<Signal>) {
        let ok = event["status"] == "success";
        self.finished = Some(ok);
        let stats = &event["stats"];
        let models = || stats["models"].as_object().into_iter().flatten();
        let most = models()
            .filter(|(_, of)| count(of, "total_tokens") > 0)
            .max_by_key(|(_, of)| count(of, "total_tokens"));
        self.model_is(most.map(|(name, _)| name.as_str()), signals);
        // The one that was asked in vain, by its full name.
        let refused = models().find(|(_, of)| count(of, "total_tokens") == 0);
        self.refused = refused.map(|(name, _)| self.words.line(name));
        signals.extend(self.meter.raise(usage_of(stats)));
        if ok {
            self.answered(signals);
            let text = self.words.text(self.said.trim());
            self.said.clone_from(&text);
            if !text.is_empty() {
                signals.push(Signal::Text(text.clone()));
            }
            signals.push(Signal::Result { ok, text });
            return;
        }
        let error = &event["error"];
        let said = text(error, "message").map(sentence);
        self.error = said.or_else(|| self.error.take());
        let said = self.error.clone().unwrap_or_default();
        if self.is_daily() {
            signals.push(Signal::Window(self.day(now)));
        }
        signals.push(Signal::Result {
            ok,
            text: self.words.text(&said),
        });
    }

    fn is_daily(&self) -> bool {
        let said = self.error.as_deref().unwrap_or_default();
        class_of_text(TABLE, said) == Some(Class::Limit)
    }

    fn scope(&self) -> Scope {
        let model = self.refused.as_ref().or(self.model.as_ref());
        model.map_or(Scope::Account, |model| Scope::Model(model.clone()))
    }

    /// When the quota of the day begins anew, said or not.
    fn next_day(&self, now: Timestamp) -> Option<Timestamp> {
        let said = self.error.as_deref().unwrap_or_default();
        self.words
            .reset(said, now)
            .or_else(|| midnight_pacific(now))
    }

    /// The quota of the day, which the API counts by model.
    fn day(&self, now: Timestamp) -> Observation {
        Observation {
            scope: self.scope(),
            duration: Some(DAY),
            status: Some(WindowStatus::Rejected),
            used_fraction: Some(1.0),
            resets_at: self.next_day(now),
            kind: Some(LimitKind::Calendar),
            unit: Some(LimitUnit::Requests),
            ..Observation::new(PER_DAY, "text", now)
        }
    }

    /// A line of stderr: `Attempt 1 failed: ...`, whose end may stand on the next line.
    pub(crate) fn error_line(&mut self, line: &str, now: Timestamp) -> Vec<Signal> {
        if let Some(found) = ATTEMPT.captures(line) {
            let before = self.heard_at.replace(now);
            self.unanswered |= before.is_some_and(|before| now.since(before) >= UNANSWERED);
            let status = found.get(2).and_then(|s| s.as_str().parse().ok());
            let said = found.get(3).map_or("", |m| m.as_str());
            let class = class_of(status, said);
            let status = status.map(|s| format!(" ({s})")).unwrap_or_default();
            let message = self.words.line(&format!(
                "attempt {}{status}: {}",
                &found[1],
                sentence(said)
            ));
            self.waiting = Some(Waiting { class, message });
        }
        let delay = DELAY.captures(line).and_then(|found| found[1].parse().ok());
        let delay = match delay {
            Some(ms) => Duration::from_millis(ms),
            None if line.contains("Retrying with backoff") => Duration::ZERO,
            None => return Vec::new(),
        };
        match &self.waiting {
            Some(waiting) => vec![retrying(waiting.class, delay, waiting.message.clone())],
            None => Vec::new(),
        }
    }

    pub(crate) fn log_file(&mut self, log: &str) -> Vec<Signal> {
        let Some(session) = &self.session else {
            return Vec::new();
        };
        let used = chat::used(log, session);
        self.meter.raise(used).into_iter().collect()
    }

    pub(crate) fn finish(&self, end: &Ending, now: Timestamp) -> Outcome {
        let error = self.error.clone().unwrap_or_default();
        let (status, cause) = code(end.exit);
        let facts = Facts {
            finished: self.finished,
            status,
            causes: cause
                .into_iter()
                .chain(self.unanswered.then_some(NO_ANSWER))
                .map(str::to_owned)
                .collect(),
            text: error.to_lowercase(),
            waiting: self.waiting.as_ref().map(|w| w.class),
            wall: self.is_daily(),
            ..Facts::ended(end)
        };
        let rule = first(&[OURS, TABLE, REST], &facts).expect("invariant: the last rule applies");
        let waits = matches!(
            rule.class,
            Class::Limit | Class::RateLimited | Class::Overloaded
        );
        Outcome {
            class: rule.class,
            rule: rule.name,
            message: self.message(end, &error, rule.class, rule.name),
            resets_at: match rule.class {
                Class::Limit => self.next_day(now),
                _ if waits => self.words.reset(&error, now),
                _ => None,
            },
            // Quotas and models are by model; logins and money are not.
            scope: if waits || rule.class == Class::BadModel {
                self.scope()
            } else {
                Scope::Account
            },
        }
    }

    fn message(&self, end: &Ending, error: &str, class: Class, rule: &str) -> String {
        if class == Class::Done {
            return match self.denied {
                0 => "finished".into(),
                n => format!(
                    "finished; {} denied by its permissions",
                    counted(n, "tool use was", "tool uses were")
                ),
            };
        }
        let said = message(end, &self.words, Some(error), self.waiting.as_ref());
        match rule {
            "folder_not_trusted" => {
                "its settings must hold {\"security\":{\"folderTrust\":{\"enabled\":false}}}: in config_home, file .gemini/settings.json".into()
            }
            "not_logged_in" => {
                "it has no key and no login: set its api_key_env, or log in with `GEMINI_CLI_HOME=DIR gemini` and set config_home = \"DIR\"".into()
            }
            "not_in_this_plan" => format!("{said}; set another `model`, or enable billing for the key's project"),
            _ => said,
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

/// Of the whole run. `input_tokens` includes `cached`; what the model thought, and what tools
/// brought into the prompt, is in the total only. How many requests it took is not said.
fn usage_of(stats: &Value) -> Usage {
    let cache_read = count(stats, "cached");
    let (input, output) = (count(stats, "input_tokens"), count(stats, "output_tokens"));
    let total = count(stats, "total_tokens");
    let rest = total.saturating_sub(input).saturating_sub(output);
    Usage {
        input: input.saturating_sub(cache_read),
        output: output + rest,
        cache_read,
        requests: u64::from(total > 0),
        ..Usage::default()
    }
}
