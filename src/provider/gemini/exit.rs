//! What Gemini CLI says in the end, by its exit code and by its sentences.

use serde_json::Value;

use super::super::reader::text;
use super::super::rule::class_of_text;
use super::super::signal::Class;
use super::table::TABLE;
use crate::process::Exit;

/// Its own exit codes, as words for the table.
pub(super) const LOGIN: &str = "exit_login";
pub(super) const INPUT: &str = "exit_input";
pub(super) const SETTINGS: &str = "exit_settings";
pub(super) const TURNS: &str = "exit_turns";
pub(super) const TRUST: &str = "exit_trust";

/// `[API Error: TEXT]` and advice behind it; TEXT may be the API's own JSON.
pub(super) fn sentence(said: &str) -> String {
    let inner = said
        .strip_prefix("[API Error: ")
        .and_then(|rest| rest.rsplit_once(']'))
        .map_or(said, |(inner, _)| inner);
    let json = inner.find('{').and_then(|at| {
        let mut values = serde_json::Deserializer::from_str(&inner[at..]).into_iter::<Value>();
        values.next()?.ok()
    });
    let Some(json) = json else {
        return inner.to_owned();
    };
    let error = &json["error"];
    let Some(message) = text(error, "message") else {
        return inner.to_owned();
    };
    match text(error, "status") {
        Some(status) => format!("{message} ({status})"),
        None => message.to_owned(),
    }
}

/// What a failed attempt means.
pub(super) fn class_of(status: Option<u16>, said: &str) -> Class {
    match status {
        Some(429) => Class::RateLimited,
        Some(401 | 403) => Class::Auth,
        Some(500..) => Class::Overloaded,
        Some(_) | None => class_of_text(TABLE, said).unwrap_or(Class::Network),
    }
}

/// The exit code: an HTTP status modulo 256, or one of its own.
pub(super) fn code(exit: Option<Exit>) -> (Option<u16>, Option<&'static str>) {
    let Some(Exit::Code(code)) = exit else {
        return (None, None);
    };
    match code {
        41 => (None, Some(LOGIN)),
        42 => (None, Some(INPUT)),
        44 | 52 => (None, Some(SETTINGS)),
        53 => (None, Some(TURNS)),
        55 => (None, Some(TRUST)),
        // 400 to 511. Those below are 130 for an interrupt, and signals as shells count them.
        144..=255 => (u16::try_from(code + 256).ok(), None),
        _ => (None, None),
    }
}
