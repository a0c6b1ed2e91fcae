//! The emergency stop of the whole store: set and lifted by a person, kept until then.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::Result;
use crate::core::Timestamp;
use crate::db::{Act, Conn, EventType, NewEvent, events};

/// Nothing is started since then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub(crate) struct Halted {
    pub(crate) since: Timestamp,
    /// What the person said about it.
    pub(crate) reason: Option<String>,
}

/// Whether, and since when, nothing may be started.
pub(crate) async fn halted(conn: &mut Conn) -> Result<Option<Halted>> {
    Ok(sqlx::query_as("SELECT since, reason FROM halt")
        .fetch_optional(conn)
        .await?)
}

/// Nothing is started from now on. A stop that holds already stays as it is.
pub(crate) async fn halt(conn: &mut Conn, act: Act<'_>, reason: Option<&str>) -> Result<Halted> {
    if let Some(held) = halted(conn).await? {
        return Ok(held);
    }
    sqlx::query("INSERT INTO halt (id, since, reason) VALUES (1, ?1, ?2)")
        .bind(act.now)
        .bind(reason)
        .execute(&mut *conn)
        .await?;
    let event =
        NewEvent::new(EventType::DispatchHalted, act.who).payload(json!({ "reason": reason }));
    events::append(conn, act.ids, act.now, event).await?;
    Ok(Halted {
        since: act.now,
        reason: reason.map(str::to_owned),
    })
}

/// Beads are started again; what held until now, when anything did.
pub(crate) async fn thaw(conn: &mut Conn, act: Act<'_>) -> Result<Option<Halted>> {
    let Some(held) = halted(conn).await? else {
        return Ok(None);
    };
    sqlx::query("DELETE FROM halt").execute(&mut *conn).await?;
    let event =
        NewEvent::new(EventType::DispatchThawed, act.who).payload(json!({ "since": held.since }));
    events::append(conn, act.ids, act.now, event).await?;
    Ok(Some(held))
}
