//! Beads as lines of JSON: those of `rigs bead export`, and issues as `bd export` and `br`
//! write them (Gas Town). Pure: text in, a bead or the reason why it is none out.

mod issue;
mod order;
mod own;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub(crate) use order::order;

use super::Arrival;
use crate::core::{BeadId, ConvoyId, Timestamp, text};

/// The longest line that is read, in bytes.
pub(crate) const LONGEST: usize = 4 << 20;
/// The longest description, as on the command line.
const MAX_TEXT: usize = 1 << 20;

/// What a line of an import holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    Bead(Box<Incoming>),
    /// Nothing that can be worked on, and why.
    Skipped(&'static str),
}

/// A bead as its line tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incoming {
    /// The id that other lines may name it by; `None`: it has none and gets a new one.
    pub(crate) key: Option<String>,
    /// Of the beads that it waits for, as the line has them.
    pub(crate) waits_for: Vec<String>,
    pub(crate) convoy: Option<ConvoyId>,
    /// Complete but for its id (a placeholder where there is no key), dependencies and convoy.
    pub(crate) arrival: Arrival,
}

/// Reads a line. Errors say what is wrong with it, not where.
pub(crate) fn read(line: &str, now: Timestamp) -> Result<Line, String> {
    if line.len() > LONGEST {
        return Err(format!("the line is longer than {} MiB", LONGEST >> 20));
    }
    let value: Value =
        serde_json::from_str(line).map_err(|e| format!("it is not JSON: {}", said(&e)))?;
    let Value::Object(object) = value else {
        return Err("it is not a JSON object".into());
    };
    if is_issue(&object) {
        issue::read(object, now)
    } else {
        own::read(object, now).map(|incoming| Line::Bead(Box::new(incoming)))
    }
}

fn said(error: &serde_json::Error) -> String {
    text::one_line(&error.to_string(), 200)
}

/// Issues have a type, and a number where beads have a word for the priority.
fn is_issue(object: &Map<String, Value>) -> bool {
    object.contains_key("_type")
        || object.contains_key("issue_type")
        || object.get("priority").is_some_and(Value::is_number)
}

/// The bead's id: its own where it looks like one of ours, else one that is made of it, the same
/// each time.
pub(crate) fn id_of(key: &str) -> BeadId {
    key.parse()
        .unwrap_or_else(|_| BeadId::standing_for(&Sha256::digest(key.as_bytes())))
}

/// Title and description, cleaned; either stands in for the other.
fn words(title: Option<String>, description: Option<String>) -> Result<(String, String), String> {
    let clean = |given: Option<String>| {
        let text = given.map(|t| text::clean(&t).trim().to_owned());
        text.filter(|t| !t.is_empty())
    };
    let (title, description) = (clean(title), clean(description));
    let Some(body) = description.clone().or_else(|| title.clone()) else {
        return Err("it has neither a title nor a description".into());
    };
    if body.len() > MAX_TEXT {
        return Err("its description is longer than 1 MiB".into());
    }
    let first = title.unwrap_or_else(|| {
        let line = body.lines().find(|l| !l.trim().is_empty());
        line.unwrap_or_default().to_owned()
    });
    Ok((text::one_line(&first, 200), body))
}

fn cleaned(list: &[String], longest: usize) -> Vec<String> {
    let words = list.iter().map(|word| text::one_line(word, longest));
    words.filter(|word| !word.is_empty()).collect()
}
