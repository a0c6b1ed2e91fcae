//! What the headers of an answer say about limits, one file per family; pure. Every family is
//! looked for in every answer, also a good one: gateways pass on the headers of the servers that
//! they stand before.

mod anthropic;
mod codex;
mod google;
mod openai;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::DateTime;

use super::reset;
use super::signal::{Observation, Scope, WindowStatus};
use crate::core::{LimitKind, LimitUnit, Timestamp};

pub(super) use google::midnight_pacific;
pub(super) use google::observations as of_google_body;

/// Headers with lower-case names.
pub(super) type Headers<'a> = &'a [(String, String)];

/// The windows in the headers of an answer. `model` is the one that was asked: vendors count by
/// model, or by family of models.
pub(crate) fn observations(
    headers: Headers<'_>,
    model: Option<&str>,
    now: Timestamp,
) -> Vec<Observation> {
    let mut seen = anthropic::unified(headers, model, now);
    seen.extend(anthropic::classic(headers, model, now));
    seen.extend(codex::observations(headers, now));
    seen.extend(openai::observations(headers, model, now));
    seen
}

/// When the server wants to be asked again.
pub(super) fn retry_after(headers: Headers<'_>, now: Timestamp) -> Option<Timestamp> {
    let millis = get(headers, "retry-after-ms").and_then(|ms| ms.parse::<u32>().ok());
    match millis {
        Some(ms) => Some(now + Duration::from_millis(ms.into())),
        None => moment(get(headers, "retry-after")?, now),
    }
}

/// When the last of the windows that are said to be closed opens: all of them must.
pub(super) fn closed_until(windows: &[Observation]) -> Option<Timestamp> {
    let closed = |w: &&Observation| w.status == Some(WindowStatus::Rejected);
    windows
        .iter()
        .filter(closed)
        .filter_map(|w| w.resets_at)
        .max()
}

/// When the last of the buckets that are empty is full; it gives something before that, so that
/// this is the answer only where the server names no other.
pub(super) fn empty_until(windows: &[Observation]) -> Option<Timestamp> {
    let empty = |w: &&Observation| w.remaining_amount == Some(0);
    windows
        .iter()
        .filter(empty)
        .filter_map(|w| w.resets_at)
        .max()
}

fn get<'a>(headers: Headers<'a>, name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(n, _)| n == name)?;
    Some(value.trim())
}

/// A window that a limit and what remains of it are told of. Some servers say -1, or 0 of 0,
/// where they do not count.
fn counted(
    limit: Option<&str>,
    remaining: Option<&str>,
    of: Observation,
    unit: LimitUnit,
    kind: LimitKind,
) -> Option<Observation> {
    let amount = |text: Option<&str>| text.and_then(|v| v.parse::<u64>().ok());
    let limit = amount(limit).filter(|limit| *limit > 0)?;
    let remaining = amount(remaining).map(|left| left.min(limit));
    Some(Observation {
        used_fraction: remaining.map(|left| (limit - left) as f64 / limit as f64),
        limit_amount: Some(limit),
        remaining_amount: remaining,
        kind: Some(kind),
        unit: Some(unit),
        ..of
    })
}

fn of_model(model: Option<&str>) -> Scope {
    model.map_or(Scope::Account, |model| Scope::Model(model.to_owned()))
}

/// A point in time as headers write it: seconds or `1h2m3.5s` from now, seconds or milliseconds
/// since 1970, RFC 3339, or an HTTP date. Nonsense and minus one are nothing.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let at = if let Ok(number) = text.parse::<f64>() {
        if !number.is_finite() || number < 0.0 {
            return None;
        }
        match number {
            // A year of seconds is more than any window; 1e11 seconds are the year 5138.
            n if n < 40e6 => now + Duration::try_from_secs_f64(n).ok()?,
            n if n < 1e11 => Timestamp::from_millis((n * 1e3) as i64),
            n => Timestamp::from_millis(n as i64),
        }
    } else if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        Timestamp::from_millis(date.timestamp_millis())
    } else if text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['s', 'm', 'h', 'd'])
    {
        now + reset::span(text)
    } else {
        return None;
    };
    reset::plausible(at, now)
}
