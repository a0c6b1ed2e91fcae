//! `tank set`: what a person says about a window.

use std::time::Duration;

use serde_json::json;

use super::windows::take_in;
use crate::config::{LimitKind, LimitUnit};
use crate::core::time::Span;
use crate::core::{Ids, ProviderName, Timestamp};
use crate::db::{Conn, DbError, EventType, NewEvent, events};
use crate::provider::Scope;
use crate::refinery::frame::short;
use crate::refinery::stored::{Evidence, Key, Target, WALL, scope_text};
use crate::refinery::tank::Tank;
use crate::refinery::window::Window;

/// What is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SetOrder {
    /// By its id or its length (`5h`); the shortest window when not given.
    pub(crate) window: Option<String>,
    /// The size, in the window's unit; of a percent window in tokens.
    pub(crate) limit: Option<u64>,
    /// Share used, 0 to 1 and above.
    pub(crate) used: Option<f64>,
    pub(crate) resets_at: Option<Timestamp>,
}

/// There is no such window, and a new one needs a length and a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{provider} has no window `{window}` (it has: {known})")]
pub(crate) struct NoWindow {
    pub(crate) provider: ProviderName,
    pub(crate) window: String,
    pub(crate) known: String,
}

/// Applies it, and says to which window.
pub(crate) async fn set(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    tank: &Tank,
    order: &SetOrder,
) -> Result<Result<String, NoWindow>, DbError> {
    let window = match target(tank, order) {
        Ok(window) => window,
        Err(none) => return Ok(Err(none)),
    };
    let id = window.key.limit_id.clone();
    let scope = scope_text(&window.key.scope);
    let evidence = Evidence::Set {
        window,
        limit: order.limit,
        share: order.used.filter(|u| u.is_finite()).map(|u| u.max(0.0)),
        resets_at: order.resets_at,
        at: now,
    };
    take_in(tx, &tank.provider, None, &evidence).await?;
    let event = NewEvent::new(EventType::WindowSet, "user")
        .provider(Some(&tank.provider))
        .payload(json!({
            "window": id,
            "scope": scope,
            "limit": order.limit,
            "used_fraction": order.used,
            "resets_at": order.resets_at,
        }));
    events::append(tx, ids, now, event).await?;
    Ok(Ok(id))
}

/// The window of that name, id or length; the shortest when none is named. With `walls` also one
/// that stands for a whole scope, by the name `wall`.
pub(super) fn find_window<'a>(
    tank: &'a Tank,
    window: Option<&str>,
    walls: bool,
) -> Result<&'a Window, NoWindow> {
    let quotas = || {
        tank.windows
            .iter()
            .filter(|w| w.kind != LimitKind::Concurrency)
            .filter(|w| walls || w.key.limit_id != WALL)
    };
    let length = window.and_then(|w| w.parse::<Span>().ok());
    let found = match (window, length) {
        (None, _) => quotas().min_by_key(|w| (w.key.duration.is_none(), w.key.duration)),
        (Some(name), length) => quotas()
            .find(|w| w.name == *name || w.key.limit_id == *name)
            .or_else(|| {
                quotas()
                    .filter(|w| length.is_some_and(|Span(d)| w.key.duration == Some(d)))
                    .min_by_key(|w| w.key.scope.clone())
            }),
    };
    found.ok_or_else(|| NoWindow {
        provider: tank.provider.clone(),
        window: window.unwrap_or_default().to_owned(),
        known: match quotas().map(|w| w.name.as_str()).collect::<Vec<_>>() {
            known if known.is_empty() => "none yet".into(),
            known => known.join(", "),
        },
    })
}

fn target(tank: &Tank, order: &SetOrder) -> Result<Target, NoWindow> {
    let none = match find_window(tank, order.window.as_deref(), false) {
        Ok(w) => {
            return Ok(Target {
                key: w.key.clone(),
                kind: w.kind,
                unit: w.unit,
            });
        }
        Err(none) => none,
    };
    // A window nobody knew of: so long, so many tokens.
    let length = order.window.as_deref().map(str::parse::<Span>);
    let Span(duration) = match (length, order.limit) {
        (None, Some(_)) => Span(Duration::from_hours(5)),
        (Some(Ok(span)), Some(_)) => span,
        (None | Some(_), _) => return Err(none),
    };
    Ok(Target {
        key: Key {
            scope: Scope::Account,
            limit_id: format!("{}_tokens", short(Span(duration))),
            duration: Some(duration),
        },
        kind: LimitKind::Anchored,
        unit: LimitUnit::Tokens,
    })
}
