//! Reads a history of token use: a first line with the windows, then one use a line.
//!
//! ```text
//! {"windows": [{"id": "5h", "kind": "anchored", "length_s": 18000, "limit_tokens": 1500000}]}
//! {"at": "2026-09-07T02:31:52.550Z", "tokens": 17332}
//! [132155, 35629]
//! ```
//!
//! The short form is milliseconds after the use before, and tokens.

use std::time::Duration;

use serde::Deserialize;

use super::history::Use;
use crate::core::Timestamp;
use crate::core::text::one_line;

/// More uses, or a longer time, than anyone wants to wait for.
const MOST_USES: usize = 1_000_000;
const LONGEST: Duration = Duration::from_hours(400 * 24);
const MOST_WINDOWS: usize = 16;

/// A window whose stretches are to be forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tested {
    pub(crate) id: String,
    pub(crate) length: Duration,
    /// In tokens; not 0.
    pub(crate) limit: u64,
}

/// A history that cannot be read. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("it is empty")]
    Empty,
    #[error(
        "the first line: {0}; it must be \
         {{\"windows\": [{{\"id\", \"kind\", \"length_s\", \"limit_tokens\"}}]}}"
    )]
    Head(String),
    #[error(
        "line {line}: {what}; it must be {{\"at\": TIME, \"tokens\": N}}, or [MS, N] with the \
         milliseconds after the use before"
    )]
    Line { line: usize, what: String },
    #[error("it has more than {MOST_USES} uses")]
    TooMany,
    #[error("its uses are more than 400 days apart")]
    TooLong,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    windows: Vec<HeadWindow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadWindow {
    id: String,
    kind: String,
    length_s: u64,
    limit_tokens: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: Timestamp,
    tokens: u64,
}

pub(crate) fn parse(text: &str) -> Result<(Vec<Tested>, Vec<Use>), FileError> {
    let mut lines = text.lines().enumerate();
    let (_, head) = lines
        .by_ref()
        .find(|(_, line)| !line.trim().is_empty())
        .ok_or(FileError::Empty)?;
    let windows = windows(head)?;
    let mut uses: Vec<Use> = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        if uses.len() == MOST_USES {
            return Err(FileError::TooMany);
        }
        uses.push(one(line, uses.last()).map_err(|what| FileError::Line {
            line: number + 1,
            what: one_line(&what, 120),
        })?);
    }
    let first = uses.iter().map(|u| u.at).min();
    let last = uses.iter().map(|u| u.at).max();
    match (first, last) {
        (Some(first), Some(last)) if last.since(first) > LONGEST => Err(FileError::TooLong),
        (Some(_) | None, _) => Ok((windows, uses)),
    }
}

fn one(line: &str, before: Option<&Use>) -> Result<Use, String> {
    if line.trim_start().starts_with('[') {
        let (after, tokens): (u64, u64) = serde_json::from_str(line).map_err(|e| why(&e))?;
        let before = before.ok_or("there is no use before it")?;
        return Ok(Use {
            at: before.at + Duration::from_millis(after),
            tokens,
        });
    }
    let Line { at, tokens } = serde_json::from_str(line).map_err(|e| why(&e))?;
    Ok(Use { at, tokens })
}

/// Each line is read on its own; its number is told by us.
fn why(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column", " at column")
}

fn windows(head: &str) -> Result<Vec<Tested>, FileError> {
    let bad = |what: String| FileError::Head(one_line(&what, 120));
    let head: Head = serde_json::from_str(head).map_err(|e| bad(why(&e)))?;
    if head.windows.is_empty() || head.windows.len() > MOST_WINDOWS {
        return Err(bad(format!("1 to {MOST_WINDOWS} windows are needed")));
    }
    head.windows
        .into_iter()
        .map(|w| {
            let id = one_line(&w.id, 64);
            if w.kind != "anchored" {
                let kind = one_line(&w.kind, 32);
                return Err(bad(format!(
                    "window `{id}` is `{kind}`, only `anchored` windows can be tested"
                )));
            }
            if !(600..=31 * 86_400).contains(&w.length_s) || w.limit_tokens == 0 {
                return Err(bad(format!(
                    "window `{id}` needs a length of 10 minutes to 31 days and a limit above 0"
                )));
            }
            Ok(Tested {
                id,
                length: Duration::from_secs(w.length_s),
                limit: w.limit_tokens,
            })
        })
        .collect()
}
