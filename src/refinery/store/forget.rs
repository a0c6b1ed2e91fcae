//! `tank reset --window`: one window starts afresh, and no other.

use serde_json::json;

use super::set::{NoWindow, find_window};
use super::windows::take_in;
use crate::core::{Ids, Timestamp};
use crate::db::{Conn, DbError, EventType, NewEvent, events};
use crate::refinery::stored::{Evidence, scope_text};
use crate::refinery::tank::Tank;

/// Forgets what closes or fills the window of this name or length, and says which it was. What
/// the ledger counts in it stays.
pub(crate) async fn forget(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    tank: &Tank,
    window: &str,
) -> Result<Result<String, NoWindow>, DbError> {
    let found = match find_window(tank, Some(window), true) {
        Ok(found) => found,
        Err(none) => return Ok(Err(none)),
    };
    let key = found.key.clone();
    let evidence = Evidence::Opened {
        window: key.clone(),
        at: now,
        forget: true,
    };
    take_in(tx, &tank.provider, None, &evidence).await?;
    let event = NewEvent::new(EventType::WindowSet, "user")
        .provider(Some(&tank.provider))
        .payload(json!({ "opened": [key.limit_id], "scope": scope_text(&key.scope) }));
    events::append(tx, ids, now, event).await?;
    Ok(Ok(found.name.clone()))
}
