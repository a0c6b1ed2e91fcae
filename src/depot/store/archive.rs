//! What is over and old, out of the way of the work: moved with its attempts, completions and
//! dependencies into tables of their own, where looking at a bead, counting and estimating still
//! find it. Events and the ledger stay as they are.

use serde_json::json;
use sqlx::types::Json;

use super::Result;
use crate::core::{BeadId, BeadStatus, Timestamp};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::{Act, Bead};

/// The states that can be archived.
const OVER: [BeadStatus; 3] = [
    BeadStatus::Completed,
    BeadStatus::Failed,
    BeadStatus::Cancelled,
];

/// Beads that are looked at, and at most moved, in one transaction.
const PAGE: i64 = 500;

/// Where a search for what can be archived is: every bead that is over is looked at once.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    /// What ended later stays.
    before: Timestamp,
    state: usize,
    after: Option<(Timestamp, i64)>,
}

impl Sweep {
    pub(crate) fn of(before: Timestamp) -> Self {
        Self {
            before,
            state: 0,
            after: None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state >= OVER.len()
    }

    /// The next beads that can go.
    pub(crate) async fn next(&mut self, conn: &mut Conn) -> Result<Vec<BeadId>> {
        let Some(status) = OVER.get(self.state) else {
            return Ok(Vec::new());
        };
        let rows: Vec<(BeadId, Timestamp, i64, bool)> = sqlx::query_as(NEXT)
            .bind(status)
            .bind(self.before)
            .bind(self.after.map(|(at, _)| at))
            .bind(self.after.map(|(_, row)| row))
            .bind(PAGE)
            .fetch_all(conn)
            .await?;
        match rows.last() {
            Some((_, at, row, _)) if rows.len() as i64 == PAGE => self.after = Some((*at, *row)),
            Some(_) | None => {
                self.state += 1;
                self.after = None;
            }
        }
        let free = rows.into_iter().filter(|(.., free)| *free);
        Ok(free.map(|(id, ..)| id).collect())
    }
}

// A bead goes with its convoy: when that is over as well, and landed where there is something to
// land. It stays as long as something younger, or not over, waited for it, and for as long as a
// conflict tells of it.
pub(super) const NEXT: &str = "SELECT b.id, b.created_at, b.rowid,
        coalesce(b.completed_at, b.updated_at) < ?2 AND b.lease_owner IS NULL
        AND (b.convoy_id IS NULL OR EXISTS (
            SELECT 1 FROM convoys c WHERE c.id = b.convoy_id AND c.completed_at < ?2
              AND (c.status IN ('failed', 'cancelled')
                   OR (c.status = 'completed' AND (c.repo IS NULL OR c.landed_at IS NOT NULL)))))
        AND NOT EXISTS (
            SELECT 1 FROM dependencies d JOIN beads w ON w.id = d.bead_id WHERE d.depends_on_id = b.id
              AND (w.status NOT IN ('completed', 'failed', 'cancelled')
                   OR coalesce(w.completed_at, w.updated_at) >= ?2))
        AND NOT EXISTS (SELECT 1 FROM conflicts x WHERE x.bead_id = b.id)
        AND NOT EXISTS (SELECT 1 FROM conflicts x WHERE x.original = b.id)
        AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.bead_id = b.id AND a.status = 'running')
     FROM beads b INDEXED BY beads_by_status
     WHERE b.status = ?1 AND b.created_at < ?2 AND (?3 IS NULL OR (b.created_at, b.rowid) > (?3, ?4))
     ORDER BY b.created_at, b.rowid LIMIT ?5";

/// In an order that never leaves a row without the one that it refers to; dependencies are deleted
/// with their beads.
const MOVE: [&str; 8] = [
    "INSERT INTO archived_dependencies SELECT * FROM dependencies
         WHERE bead_id IN (SELECT value FROM json_each(?1)) ON CONFLICT DO NOTHING",
    "INSERT INTO archived_dependencies SELECT * FROM dependencies
         WHERE depends_on_id IN (SELECT value FROM json_each(?1)) ON CONFLICT DO NOTHING",
    "INSERT INTO archived_completions SELECT * FROM completions
         WHERE bead_id IN (SELECT value FROM json_each(?1))",
    "INSERT INTO archived_attempts SELECT * FROM attempts
         WHERE bead_id IN (SELECT value FROM json_each(?1))",
    "INSERT INTO archived_beads SELECT *, ?2, rowid FROM beads
         WHERE id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM completions WHERE bead_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM attempts WHERE bead_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM beads WHERE id IN (SELECT value FROM json_each(?1))",
];

/// Moves these beads, with one event.
pub(crate) async fn archive(conn: &mut Conn, act: Act<'_>, beads: &[BeadId]) -> Result<()> {
    if beads.is_empty() {
        return Ok(());
    }
    for sql in MOVE {
        sqlx::query(sql)
            .bind(Json(beads))
            .bind(act.now)
            .execute(&mut *conn)
            .await?;
    }
    let event = NewEvent::new(EventType::BeadsArchived, act.who).payload(json!({ "beads": beads }));
    Ok(events::append(conn, act.ids, act.now, event).await?)
}

/// A bead that was archived.
pub(super) async fn archived(conn: &mut Conn, id: &BeadId) -> Result<Option<Bead>> {
    Ok(sqlx::query_as("SELECT * FROM archived_beads WHERE id = ?1")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// The state that a bead was archived in.
pub(super) async fn archived_state(conn: &mut Conn, id: &BeadId) -> Result<Option<BeadStatus>> {
    let state = sqlx::query_scalar("SELECT status FROM archived_beads WHERE id = ?1");
    Ok(state.bind(id).fetch_optional(conn).await?)
}

/// Notes that a bead waited for one that is archived.
pub(super) async fn link(
    conn: &mut Conn,
    now: Timestamp,
    bead: &BeadId,
    on: &BeadId,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO archived_dependencies (bead_id, depends_on_id, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
    )
    .bind(bead)
    .bind(on)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
