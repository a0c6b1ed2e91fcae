//! Many beads at once: a few statements for hundreds of rows, where [`super::insert`] takes a
//! handful for each.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Sqlite};

use super::beads::{block_if_hopeless, due, earlier};
use super::{DepotError, Result};
use crate::core::{BeadId, BeadStatus, BlockCause, ConvoyId, EstimateSource, Timestamp};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::rank::rank;
use crate::depot::{Act, Arrival, Bead};

/// Rows of one statement: far below the 32766 values that SQLite takes.
const ROWS: usize = 250;

/// Stores beads that were made elsewhere, each with its event, in the caller's transaction. What
/// they depend on is in the store already or among them. A bead that waits for one that failed
/// or was cancelled is blocked at once.
///
/// # Errors
/// [`DepotError::Taken`] when an id is in the store already: nothing of the call is to be kept.
pub(crate) async fn insert_many(conn: &mut Conn, act: Act<'_>, arrivals: &[Arrival]) -> Result<()> {
    let mut dues: BTreeMap<&ConvoyId, Option<Timestamp>> = BTreeMap::new();
    for convoy in arrivals.iter().filter_map(|a| a.new.convoy_id.as_ref()) {
        if !dues.contains_key(convoy) {
            dues.insert(convoy, due(conn, Some(convoy)).await?);
        }
    }
    for chunk in arrivals.chunks(ROWS) {
        insert_rows(conn, act, chunk, &dues).await?;
    }
    let mut waiting = Vec::new();
    for chunk in arrivals.chunks(ROWS) {
        waiting.extend(link(conn, act, chunk).await?);
        let told = chunk.iter().map(|a| {
            NewEvent::new(EventType::BeadCreated, act.who)
                .bead(&a.id)
                .convoy(a.new.convoy_id.as_ref())
                .payload(json!({
                    "title": a.new.title,
                    "task_type": a.new.task_type,
                    "depends_on": a.new.depends_on,
                    "imported": a.status,
                }))
        });
        events::append_many(conn, act.ids, act.now, told.collect()).await?;
    }
    for id in count_open(conn, &waiting).await? {
        block_if_hopeless(conn, act, &id).await?;
    }
    Ok(())
}

async fn insert_rows(
    conn: &mut Conn,
    act: Act<'_>,
    chunk: &[Arrival],
    dues: &BTreeMap<&ConvoyId, Option<Timestamp>>,
) -> Result<()> {
    let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(
        "INSERT INTO beads (id, title, description, task_type, priority, status, block_cause, block_reason,
            complexity, permission, acceptance_criteria, files, labels, metadata, estimated_tokens,
            estimate_p80, estimate_p95, estimate_source, preferred_provider, preferred_model, convoy_id, rank,
            not_before, deadline, output, error, created_at, completed_at, updated_at) ",
    );
    sql.push_values(chunk, |mut row, a| {
        let new = &a.new;
        let tokens = |n: Option<u64>| i64::try_from(n.unwrap_or(0)).unwrap_or(i64::MAX);
        let convoys = new
            .convoy_id
            .as_ref()
            .and_then(|c| dues.get(c).copied().flatten());
        let deadline = earlier(new.deadline, convoys);
        let is_blocked = a.status == BeadStatus::Blocked;
        row.push_bind(&a.id)
            .push_bind(&new.title)
            .push_bind(&new.description)
            .push_bind(new.task_type)
            .push_bind(new.priority)
            .push_bind(a.status)
            .push_bind(is_blocked.then_some(BlockCause::Person))
            .push_bind(a.reason.as_deref().filter(|_| is_blocked))
            .push_bind(new.complexity)
            .push_bind(new.permission)
            .push_bind(Json(&new.acceptance_criteria))
            .push_bind(Json(&new.files))
            .push_bind(Json(&new.labels))
            .push_bind(Json(&new.metadata))
            .push_bind(tokens(new.estimate.map(|e| e.p50)))
            .push_bind(tokens(new.estimate.map(|e| e.p80)))
            .push_bind(tokens(new.estimate.map(|e| e.p95)))
            .push_bind(new.estimate.map_or(EstimateSource::Prior, |e| e.source))
            .push_bind(&new.preferred_provider)
            .push_bind(&new.preferred_model)
            .push_bind(&new.convoy_id)
            .push_bind(rank(new.priority, a.created_at, deadline))
            .push_bind(new.not_before)
            .push_bind(new.deadline)
            .push_bind(&a.output)
            .push_bind(a.reason.as_deref().filter(|_| !is_blocked))
            .push_bind(a.created_at)
            .push_bind(a.completed_at)
            .push_bind(act.now);
    });
    sql.push(" ON CONFLICT (id) DO NOTHING");
    let added = sql.build().execute(&mut *conn).await?.rows_affected();
    if added == chunk.len() as u64 {
        return Ok(());
    }
    Err(DepotError::Taken)
}

/// Writes the dependencies; gives the beads that have some.
async fn link(conn: &mut Conn, act: Act<'_>, chunk: &[Arrival]) -> Result<Vec<BeadId>> {
    let edges: Vec<(&BeadId, &BeadId)> = chunk
        .iter()
        .flat_map(|a| a.new.depends_on.iter().map(|on| (&a.id, on)))
        .collect();
    for edges in edges.chunks(ROWS) {
        let mut sql: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO dependencies (bead_id, depends_on_id, created_at) ");
        sql.push_values(edges, |mut row, (bead, on)| {
            row.push_bind(*bead).push_bind(*on).push_bind(act.now);
        });
        sql.push(" ON CONFLICT DO NOTHING");
        sql.build().execute(&mut *conn).await?;
    }
    let waiting = chunk.iter().filter(|a| !a.new.depends_on.is_empty());
    Ok(waiting.map(|a| a.id.clone()).collect())
}

/// Counts what each of them waits for; gives those that wait for something that will not come.
async fn count_open(conn: &mut Conn, waiting: &[BeadId]) -> Result<Vec<BeadId>> {
    let mut hopeless = Vec::new();
    for chunk in waiting.chunks(ROWS) {
        sqlx::query(
            "UPDATE beads SET open_deps = (
                 SELECT count(*) FROM dependencies d JOIN beads b ON b.id = d.depends_on_id
                 WHERE d.bead_id = beads.id AND b.status <> 'completed')
             WHERE id IN (SELECT value FROM json_each(?1))",
        )
        .bind(Json(chunk))
        .execute(&mut *conn)
        .await?;
        let dead: Vec<BeadId> = sqlx::query_scalar(
            "SELECT DISTINCT d.bead_id FROM json_each(?1) j
             JOIN dependencies d ON d.bead_id = j.value JOIN beads b ON b.id = d.depends_on_id
             WHERE b.status IN ('failed', 'cancelled', 'blocked') ORDER BY d.bead_id",
        )
        .bind(Json(chunk))
        .fetch_all(&mut *conn)
        .await?;
        hopeless.extend(dead);
    }
    Ok(hopeless)
}

/// Which of these ids are in the store, archived or not, and in which state.
pub(crate) async fn states_of(
    conn: &mut Conn,
    ids: &[BeadId],
) -> Result<BTreeMap<BeadId, BeadStatus>> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(ROWS) {
        let rows: Vec<(BeadId, BeadStatus)> = sqlx::query_as(
            "SELECT b.id, b.status FROM json_each(?1) j JOIN beads b ON b.id = j.value
             UNION ALL SELECT a.id, a.status FROM json_each(?1) j JOIN archived_beads a ON a.id = j.value",
        )
        .bind(Json(chunk))
        .fetch_all(&mut *conn)
        .await?;
        found.extend(rows);
    }
    Ok(found)
}

/// Beads in the order they were made, after the one with this creation time and row: pages of an
/// export. Gives the row of each, to go on from.
pub(crate) async fn page(
    conn: &mut Conn,
    after: Option<(&Bead, i64)>,
    limit: i64,
) -> Result<Vec<(i64, Bead)>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        at_row: i64,
        #[sqlx(flatten)]
        bead: Bead,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT rowid AS at_row, * FROM beads
         WHERE ?1 IS NULL OR created_at > ?1 OR (created_at = ?1 AND rowid > ?2)
         ORDER BY created_at, rowid LIMIT ?3",
    )
    .bind(after.map(|(bead, _)| bead.created_at))
    .bind(after.map(|(_, row)| row))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| (r.at_row, r.bead)).collect())
}
