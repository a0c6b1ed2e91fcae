//! Answers by knobs instead of a script: for runs whose only handle on the lab is its address.
//!
//! `http://HOST/__m/429,retry_after=2,fail_n=1,tag=t/v1/messages`: the first word is the mode, the
//! rest are knobs; values are percent-decoded. `POST /__control` sets the same for every request,
//! the address outranks it. The knobs and their defaults:
//!
//! | knob | default | meaning |
//! | --- | --- | --- |
//! | `mode` | ok | ok warn slow tool, 429 429limit quota 529 503 500 401 403 404 400, hang hangstream malformed badsse truncate disconnect sseerror |
//! | `tag` | | whose call it is: counts and records are kept by it |
//! | `fail_n` | -1 | only the first so many calls of the tag are so, the others `ok`; -1: all |
//! | `after_n`, `after` | -1, ok | after so many calls the mode is `after` |
//! | `retry_after` | 2 | seconds, stated by 429; `none`: not stated |
//! | `reset_in` | 7200 | seconds to the reset that 429limit and the headers of limits state |
//! | `util5h`, `util7d` | 0.42, 0.17 | how full the subscription's windows are said to be |
//! | `sub` | 1 | 0: no headers of a subscription |
//! | `text`, `cmd`, `delay` | | the words; the command of `tool`; seconds between parts of `slow` |
//! | `h-NAME` | | a further header of refusals |

use std::collections::BTreeMap;
use std::time::Duration;

use super::dialect::{Answer, Conversation, Dialect};
use super::limits::{Limits, Quota, Share, Wall, Window, reset_at};
use super::route::{self, Plan};
use super::script::{Act, Failure, Fault, Step};
use super::{gemini, tools};

const DEFAULTS: [(&str, &str); 13] = [
    ("mode", "ok"),
    ("retry_after", "2"),
    ("reset_in", "7200"),
    ("fail_n", "-1"),
    ("after_n", "-1"),
    ("after", "ok"),
    ("text", "pong from the lab"),
    ("delay", "0.5"),
    ("util5h", "0.42"),
    ("util7d", "0.17"),
    ("cmd", "echo tool-ran"),
    ("tag", ""),
    ("sub", "1"),
];

/// Words that are modes; any other word in an address is the tag of a script.
const MODES: [&str; 21] = [
    "ok",
    "warn",
    "slow",
    "tool",
    "429",
    "429limit",
    "quota",
    "529",
    "503",
    "500",
    "401",
    "403",
    "404",
    "400",
    "hang",
    "hangstream",
    "malformed",
    "badsse",
    "truncate",
    "disconnect",
    "sseerror",
];

/// To the reset of the longer window; nothing here waits for it.
const SEVEN_DAY_LEFT: Duration = Duration::from_hours(96);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Knobs(BTreeMap<String, String>);

/// What an address says before the path of the protocol: a tag, or knobs with theirs.
pub(super) fn split(
    control: &BTreeMap<String, String>,
    path: &str,
) -> (String, Option<Knobs>, String) {
    let prefixed = path.strip_prefix("/__m/");
    let (word, path) = match prefixed {
        Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
        None => ("", path.strip_prefix('/').unwrap_or(path)),
    };
    let path = format!("/{path}");
    let is_knobs = word.contains([',', '=']) || (!word.is_empty() && MODES.contains(&word));
    if !is_knobs && (!word.is_empty() || control.is_empty()) {
        return (word.to_owned(), None, path);
    }
    let mut knobs = Knobs::with(control);
    for part in word.split(',').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or(("mode", part));
        knobs.0.insert(name.to_owned(), percent_decoded(value));
    }
    (knobs.text("tag").to_owned(), Some(knobs), path)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Knobs {
    /// The defaults, and what is set for every request.
    pub(super) fn with(control: &BTreeMap<String, String>) -> Self {
        let defaults = DEFAULTS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut values = BTreeMap::from(defaults);
        values.extend(control.clone());
        Self(values)
    }

    pub(super) fn values(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.text(name)
            .parse()
            .ok()
            .filter(|n: &f64| n.is_finite() && *n >= 0.0)
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::try_from_secs_f64(self.number(name).unwrap_or(0.0)).unwrap_or(Duration::MAX / 2)
    }

    /// The mode of the nth call of its tag, from 1.
    pub(super) fn mode(&self, n: u64) -> &str {
        let beyond = |name: &str| self.number(name).is_some_and(|most| n as f64 > most);
        if beyond("after_n") {
            self.text("after")
        } else if beyond("fail_n") {
            "ok"
        } else {
            self.text("mode")
        }
    }

    /// What is said about limits with every answer.
    pub(super) fn limits(&self, dialect: Dialect, mode: &str) -> Limits {
        let is_hit = mode == "429";
        let wait = self.number("retry_after").map_or(0, |s| s.ceil() as u64);
        let quota = |limit: u64, remaining: u64| Quota {
            limit,
            remaining: if is_hit { 0 } else { remaining },
            reset_in_s: if is_hit { wait } else { 30 },
        };
        let (requests, tokens) = match dialect {
            Dialect::Messages => (quota(50, 49), quota(80_000, 71_000)),
            Dialect::Responses | Dialect::Chat | Dialect::Gemini | Dialect::Ollama => {
                (quota(500, 499), quota(30_000, 28_000))
            }
        };
        let used = |name: &str| self.number(name).unwrap_or(0.0);
        let short = if mode == "warn" {
            used("util5h").max(0.91)
        } else {
            used("util5h")
        };
        let share = |used, left| (self.text("sub") != "0").then(|| Share::new(used, left));
        Limits {
            five_hour: share(short, self.seconds("reset_in")),
            seven_day: share(used("util7d"), SEVEN_DAY_LEFT),
            requests: Some(requests),
            tokens: Some(tokens),
        }
    }

    /// Answers a call of this mode.
    pub(super) fn play(&self, plan: &mut Plan, dialect: Dialect, said: &Conversation, mode: &str) {
        let limits = self.limits(dialect, mode);
        let text = || Answer::Text(self.text("text").to_owned());
        let step = Step::text("");
        let wall = |window| Wall {
            window,
            until: reset_at(self.seconds("reset_in")),
        };
        let fault = match mode {
            "hang" => Some(Fault::Hang),
            "malformed" => Some(Fault::Malformed),
            // These are of streams: asked again without one, the server answers.
            _ if !said.stream => None,
            "hangstream" => Some(Fault::HangInStream),
            "badsse" => Some(Fault::BadEvent),
            "truncate" => Some(Fault::Truncate),
            "disconnect" => Some(Fault::Cut),
            "sseerror" => Some(Fault::ErrorEvent),
            _ => None,
        };
        let is_answered = MODES.contains(&mode) && !mode.contains(char::is_numeric);
        if is_answered && mode != "quota" {
            let answer = match mode {
                "tool" if said.calls.is_empty() => self.tool(plan, said),
                _ => text(),
            };
            route::answer(plan, dialect, said, answer, &step);
            plan.how = if said.stream { "sse" } else { "" };
            if mode == "slow" {
                plan.pace_ms = self.seconds("delay").as_millis() as u64;
            }
            if let Some(fault) = fault {
                route::break_off(plan, dialect, fault);
                plan.how = match fault {
                    Fault::Hang => "hang",
                    Fault::Malformed => "malformed",
                    _ => "sse",
                };
            }
            return route::with_headers(plan, dialect.limit_headers(&limits, None));
        }
        plan.how = "mode";
        let stated = match (mode, dialect) {
            ("429limit", _) | ("quota", Dialect::Gemini) => Some(wall(Window::FiveHour)),
            _ => None,
        };
        plan.reply = match stated {
            Some(wall) => dialect.limit(wall),
            None => dialect.failure(&self.failure(dialect, mode)),
        };
        if (mode, dialect) == ("400", Dialect::Gemini) {
            plan.reply = gemini::bad_key();
        }
        let limits = stated.map_or(limits, |wall| limits.behind(wall));
        let stated = stated.filter(|_| self.text("sub") != "0");
        route::with_headers(plan, dialect.limit_headers(&limits, stated));
        let further = self
            .0
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("h-")?.to_owned(), value.clone())));
        route::with_headers(plan, further);
    }

    fn tool(&self, plan: &Plan, said: &Conversation) -> Answer {
        let act = Act::Shell(self.text("cmd").to_owned());
        let id = format!("call_lab_{:06}", plan.serial);
        match tools::choose(&act, said, &id) {
            Ok((answer, _)) => answer,
            // Side calls offer no tools; they are answered in words.
            Err(_) => Answer::Text(self.text("text").to_owned()),
        }
    }

    fn failure(&self, dialect: Dialect, mode: &str) -> Failure {
        match mode {
            "429" => Failure::RateLimited {
                retry_after_s: self.number("retry_after").map(|s| s.ceil() as u64),
            },
            "529" | "503" => Failure::Overloaded,
            "401" => Failure::Unauthorized,
            "403" => Failure::Forbidden,
            "404" => Failure::NoModel,
            "quota" => Failure::NoCredit,
            // Anthropic's way of saying so.
            "400" if dialect == Dialect::Messages => Failure::NoCredit,
            "400" => Failure::BadRequest,
            _ => Failure::Internal,
        }
    }
}
