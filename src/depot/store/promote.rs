//! Deferred beads that go on: their time has come, or what they wait for is open sooner.

use super::Result;
use super::steps::{Step, change, take};
use crate::core::{BeadEvent, BeadId, BeadStatus, ProviderName};
use crate::db::Conn;
use crate::depot::Act;

/// Brings back what was deferred until now or earlier; at most `limit` at a time.
pub(crate) async fn promote_due(conn: &mut Conn, act: Act<'_>, limit: i64) -> Result<Vec<BeadId>> {
    let due: Vec<BeadId> = sqlx::query_scalar(DUE)
        .bind(act.now)
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
    promote(conn, act, &due).await?;
    Ok(due)
}

/// Brings back what waits for a window of this provider, which turned out to be open: at most
/// `limit` at a time, those that waited for the nearest moment first.
pub(crate) async fn promote_waiting(
    conn: &mut Conn,
    act: Act<'_>,
    provider: &ProviderName,
    limit: i64,
) -> Result<Vec<BeadId>> {
    let waiting: Vec<BeadId> = sqlx::query_scalar(WAITING)
        .bind(provider)
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
    promote(conn, act, &waiting).await?;
    Ok(waiting)
}

pub(super) const WAITING: &str = "SELECT id FROM beads INDEXED BY beads_waiting_for
         WHERE status = 'deferred' AND json_extract(deferral, '$.provider') = ?1
         ORDER BY deferred_until, id LIMIT ?2";

pub(super) const DUE: &str = "SELECT id FROM beads INDEXED BY beads_deferred
         WHERE status = 'deferred' AND deferred_until <= ?1 ORDER BY deferred_until, id LIMIT ?2";

async fn promote(conn: &mut Conn, act: Act<'_>, beads: &[BeadId]) -> Result<()> {
    const SQL: &str = change!(", deferred_until = NULL, deferral = NULL");
    for id in beads {
        let step = Step::new(id, BeadStatus::Deferred, BeadEvent::Promote);
        take(conn, act, step, SQL, |query| query).await?;
    }
    Ok(())
}
