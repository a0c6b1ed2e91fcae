//! Reads any program's output: text, or the JSON lines of `docs/command-provider.md`. Which of
//! the two is decided by the first line that is not blank. Nothing in it can break anything.

use serde_json::Value;

use super::super::reader::{
    Ending, Meter, TEXT, Words, count, dollars, fraction, limit_name, message, reset, session_id,
    text,
};
use super::super::rule::{Facts, OURS, REST, Rule, first, rule};
use super::super::signal::{Class, Observation, Outcome, Scope, Signal, WindowStatus};
use crate::core::time::Span;
use crate::core::{Timestamp, Usage};
use crate::process::Exit;

/// `EX_TEMPFAIL`: come back later.
const WALL: i32 = 75;

/// Exit codes and the protocol's own lines decide; no sentence of an unknown program does.
const TABLE: &[Rule] = &[
    rule("wall_exit", Class::Limit, |f| {
        f.exit == Some(Exit::Code(WALL))
    }),
    rule("wall_reported", Class::Limit, |f| {
        f.wall && (f.failed() || !f.exit.is_some_and(Exit::success))
    }),
    rule(
        "failed_exit",
        Class::Failed,
        |f| matches!(f.exit, Some(Exit::Code(code)) if code != 0),
    ),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Nothing was read yet.
    Unknown,
    Text,
    Json,
}

#[derive(Debug)]
pub(crate) struct Reader {
    words: Words,
    meter: Meter,
    format: Format,
    /// The answer so far: all of stdout, or the texts of the protocol.
    said: String,
    /// The protocol's result: whether it went well, and its text.
    result: Option<(bool, Option<String>)>,
    /// The protocol said that a limit is reached, and perhaps until when.
    wall: bool,
    resets_at: Option<Timestamp>,
}

impl Reader {
    pub(crate) fn new(words: Words) -> Self {
        Self {
            words,
            meter: Meter::default(),
            format: Format::Unknown,
            said: String::new(),
            result: None,
            wall: false,
            resets_at: None,
        }
    }

    pub(crate) fn line(&mut self, line: &str, now: Timestamp) -> Vec<Signal> {
        let event = serde_json::from_str::<Value>(line)
            .ok()
            .filter(|event| is_known(event["type"].as_str()));
        if self.format == Format::Unknown && !line.trim().is_empty() {
            self.format = match event {
                Some(_) => Format::Json,
                None => Format::Text,
            };
        }
        match (self.format, event) {
            (Format::Json, Some(event)) => self.event(&event, now).into_iter().collect(),
            // Blank lines before anything, and lines between the protocol's: seen, not kept.
            (Format::Unknown | Format::Json, _) if line.trim().is_empty() => Vec::new(),
            (Format::Json, None) => vec![Signal::Text(self.words.line(line))],
            (Format::Unknown | Format::Text, _) => {
                let said = self.words.text(line);
                self.keep(&said);
                vec![Signal::Text(said)]
            }
        }
    }

    fn keep(&mut self, said: &str) {
        if self.said.len() + said.len() < TEXT {
            if !self.said.is_empty() {
                self.said.push('\n');
            }
            self.said.push_str(said);
        }
    }

    fn event(&mut self, event: &Value, now: Timestamp) -> Option<Signal> {
        match event["type"].as_str()? {
            "session" => session_id(event, "id").map(Signal::Session),
            "usage" => self.meter.raise(Usage {
                input: count(event, "input"),
                output: count(event, "output"),
                cache_read: count(event, "cache_read"),
                cache_write: count(event, "cache_write"),
                requests: count(event, "requests"),
                cost_micro_usd: dollars(&event["cost_usd"]),
            }),
            "limit" => {
                let resets_at = reset(&event["resets_at"], now);
                self.wall = true;
                self.resets_at = self.resets_at.max(resets_at);
                let window = text(event, "window").unwrap_or("limit");
                Some(Signal::Window(Observation {
                    duration: window.parse::<Span>().ok().map(|span| span.0),
                    status: Some(WindowStatus::Rejected),
                    used_fraction: fraction(&event["used"], 1.0),
                    resets_at,
                    ..Observation::new(&limit_name(window)?, "event", now)
                }))
            }
            "text" => {
                let said = self.words.text(text(event, "text")?);
                self.keep(&said);
                Some(Signal::Text(said))
            }
            "result" => {
                let ok = event["ok"].as_bool()?;
                let said = text(event, "text").map(|said| self.words.text(said));
                self.result = Some((ok, said));
                let text = self.final_text().to_owned();
                Some(Signal::Result { ok, text })
            }
            _ => None,
        }
    }

    fn final_text(&self) -> &str {
        match &self.result {
            Some((_, Some(text))) => text,
            Some((_, None)) | None => &self.said,
        }
    }

    pub(crate) fn finish(&self, end: &Ending, now: Timestamp) -> Outcome {
        let exited_well = end.stopped.is_none() && end.exit.is_some_and(Exit::success);
        let facts = Facts {
            // Without a result line, the exit code is the result.
            finished: match &self.result {
                Some((ok, _)) => Some(*ok),
                None => exited_well.then_some(true),
            },
            wall: self.wall,
            waiting: self.wall.then_some(Class::Limit),
            ..Facts::ended(end)
        };
        let rule = first(&[OURS, TABLE, REST], &facts).expect("invariant: the last rule applies");
        Outcome {
            class: rule.class,
            rule: rule.name,
            message: self.message(end, rule.class),
            resets_at: self
                .resets_at
                .filter(|at| rule.class == Class::Limit && *at > now),
            scope: Scope::Account,
        }
    }

    fn message(&self, end: &Ending, class: Class) -> String {
        if class == Class::Done {
            return "finished".into();
        }
        let said = match &self.result {
            Some((false, Some(text))) => Some(text.as_str()),
            Some(_) | None => None,
        };
        message(end, &self.words, said, None)
    }

    pub(crate) fn answer(&self) -> &str {
        match &self.result {
            Some((false, _)) => "",
            Some((true, _)) | None => self.final_text(),
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.meter.usage()
    }
}

fn is_known(kind: Option<&str>) -> bool {
    matches!(
        kind,
        Some("session" | "usage" | "limit" | "text" | "result")
    )
}
