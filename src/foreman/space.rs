//! A disk that is full is no reason to end: what ran is ended, and everything goes on once the
//! store can grow again.

use serde_json::json;

use super::{Context, ForemanError};
use crate::core::Timestamp;
use crate::db::{EventType, NewEvent, events};

/// Tries to write down how long there was no space; false while there still is none.
pub(crate) async fn is_back(ctx: &Context, since: Timestamp) -> Result<bool, ForemanError> {
    match note(ctx, since).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_full() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn note(ctx: &Context, since: Timestamp) -> Result<(), ForemanError> {
    let act = ctx.act();
    let event = NewEvent::new(EventType::ForemanWaited, act.who).payload(json!({ "since": since }));
    let mut tx = ctx.db.write().await?;
    events::append(&mut tx, act.ids, act.now, event).await?;
    Ok(tx.commit().await?)
}
