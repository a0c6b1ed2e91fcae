//! Creating and reading beads and their dependencies.

use serde_json::json;

use super::archive::{self, archived, archived_state};
use super::{DepotError, Result};
use crate::core::{BeadId, BeadStatus, BlockCause, ConvoyId, EstimateSource, Timestamp};
use crate::db::events::joint::{bind_event, with_event};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::rank::rank;
use crate::depot::{Act, Bead, BeadFilter, NewBead};

/// Lengths of an id's base36 part that are tried, shortest first. At a million beads five
/// characters (60 million ids) collide in 2 % of the draws, and a longer one ends that.
const ID_LENGTHS: [usize; 6] = [5, 5, 5, 6, 7, 8];

/// Creates a bead in state `pending` with its dependencies. A dependency that failed or was
/// cancelled blocks it at once.
pub(crate) async fn insert(conn: &mut Conn, act: Act<'_>, new: NewBead) -> Result<Bead> {
    let estimate = new.estimate;
    let rank = rank_of(conn, act.now, &new).await?;
    for len in ID_LENGTHS {
        let id = act.ids.bead(len);
        let event = NewEvent::new(EventType::BeadCreated, act.who)
            .bead(&id)
            .convoy(new.convoy_id.as_ref())
            .payload(json!({ "title": new.title, "task_type": new.task_type, "depends_on": new.depends_on }));
        let inserted: Vec<Bead> = bind_event!(sqlx::query_as(INSERT), act.ids, act.now, event)
            .bind(&new.title)
            .bind(&new.description)
            .bind(new.task_type)
            .bind(new.priority)
            .bind(new.complexity)
            .bind(new.permission)
            .bind(sqlx::types::Json(&new.acceptance_criteria))
            .bind(sqlx::types::Json(&new.files))
            .bind(sqlx::types::Json(&new.labels))
            .bind(sqlx::types::Json(&new.metadata))
            .bind(estimate.map_or(0, |e| e.p50 as i64))
            .bind(estimate.map_or(0, |e| e.p80 as i64))
            .bind(estimate.map_or(0, |e| e.p95 as i64))
            .bind(estimate.map_or(EstimateSource::Prior, |e| e.source))
            .bind(&new.preferred_provider)
            .bind(&new.preferred_model)
            .bind(rank)
            .bind(new.not_before)
            .bind(new.deadline)
            .fetch_all(&mut *conn)
            .await?;
        let Some(bead) = inserted.into_iter().next() else {
            continue;
        };
        if new.depends_on.is_empty() {
            return Ok(bead);
        }
        for dep in &new.depends_on {
            link(conn, act.now, &id, dep).await?;
        }
        block_if_hopeless(conn, act, &id).await?;
        return get(conn, &id).await?.ok_or(DepotError::NoBead(id));
    }
    Err(DepotError::Db(crate::db::DbError::Sqlx(
        sqlx::Error::Protocol("no free bead id found in six draws".into()),
    )))
}

const INSERT: &str = with_event!(
    "INSERT INTO beads (id, title, description, task_type, priority, complexity, permission,
        acceptance_criteria, files, labels, metadata, estimated_tokens, estimate_p80, estimate_p95,
        estimate_source, preferred_provider, preferred_model, convoy_id, rank, not_before, deadline,
        created_at, updated_at)
     SELECT ?5, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?6,
        ?26, ?27, ?28, ?2, ?2 WHERE NOT EXISTS (SELECT 1 FROM archived_beads WHERE id = ?5)
     ON CONFLICT (id) DO NOTHING RETURNING *"
);

/// The place of a bead among the ready ones.
async fn rank_of(conn: &mut Conn, created_at: Timestamp, new: &NewBead) -> Result<i64> {
    let convoys = due(conn, new.convoy_id.as_ref()).await?;
    let deadline = earlier(new.deadline, convoys);
    Ok(rank(new.priority, created_at, deadline))
}

/// When a convoy is due.
pub(super) async fn due(conn: &mut Conn, convoy: Option<&ConvoyId>) -> Result<Option<Timestamp>> {
    let Some(convoy) = convoy else {
        return Ok(None);
    };
    let due: Option<Option<Timestamp>> =
        sqlx::query_scalar("SELECT deadline FROM convoys WHERE id = ?1")
            .bind(convoy)
            .fetch_optional(conn)
            .await?;
    Ok(due.flatten())
}

pub(super) fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

/// The beads of a convoy that are being worked on, with the files each is expected to touch.
pub(crate) async fn touched(
    conn: &mut Conn,
    convoy: &ConvoyId,
) -> Result<Vec<(BeadId, Vec<String>)>> {
    let rows: Vec<(BeadId, sqlx::types::Json<Vec<String>>)> = sqlx::query_as(
        "SELECT id, files FROM beads INDEXED BY beads_by_convoy
         WHERE convoy_id = ?1 AND status IN ('assigned', 'in_progress', 'reviewing', 'merging')
           AND lease_owner IS NOT NULL ORDER BY id",
    )
    .bind(convoy)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, files)| (id, files.0)).collect())
}

/// Lets `bead` wait for `on`, unless that would close a circle.
pub(crate) async fn add_dependency(
    conn: &mut Conn,
    act: Act<'_>,
    bead: &BeadId,
    on: &BeadId,
) -> Result<()> {
    if let Some(path) = path_between(conn, on, bead).await? {
        let mut path = path;
        path.push(on.clone());
        return Err(DepotError::Cycle { path });
    }
    link(conn, act.now, bead, on).await?;
    let event = NewEvent::new(EventType::BeadEdited, act.who)
        .bead(bead)
        .payload(json!({ "depends_on": on }));
    events::append(conn, act.ids, act.now, event).await?;
    block_if_hopeless(conn, act, bead).await
}

async fn link(conn: &mut Conn, now: Timestamp, bead: &BeadId, on: &BeadId) -> Result<()> {
    if bead == on {
        return Err(DepotError::Cycle {
            path: vec![bead.clone(), on.clone()],
        });
    }
    let status = match status_of(conn, on).await {
        // There is nothing to wait for any more.
        Err(DepotError::Archived(_))
            if archived_state(conn, on).await? == Some(BeadStatus::Completed) =>
        {
            return archive::link(conn, now, bead, on).await;
        }
        status => status?,
    };
    let added = sqlx::query(
        "INSERT INTO dependencies (bead_id, depends_on_id, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
    )
    .bind(bead)
    .bind(on)
    .bind(now)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if added == 1 && status != BeadStatus::Completed {
        sqlx::query("UPDATE beads SET open_deps = open_deps + 1 WHERE id = ?1")
            .bind(bead)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// A bead that waits for something that will not come is blocked, with the reason.
pub(super) async fn block_if_hopeless(conn: &mut Conn, act: Act<'_>, id: &BeadId) -> Result<()> {
    let dead: Option<(BeadId, BeadStatus)> = sqlx::query_as(
        "SELECT b.id, b.status FROM dependencies d JOIN beads b ON b.id = d.depends_on_id
         WHERE d.bead_id = ?1 AND b.status IN ('failed', 'cancelled', 'blocked') ORDER BY b.id LIMIT 1",
    )
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((dep, status)) = dead else {
        return Ok(());
    };
    let from = status_of(conn, id).await?;
    if matches!(
        from,
        BeadStatus::Pending | BeadStatus::Queued | BeadStatus::Deferred
    ) {
        let reason = format!("its dependency {dep} is {status}");
        super::block(conn, act, id, from, None, BlockCause::Dependency, &reason).await?;
    }
    Ok(())
}

/// A path of dependencies from `from` to `to`, both included.
async fn path_between(conn: &mut Conn, from: &BeadId, to: &BeadId) -> Result<Option<Vec<BeadId>>> {
    let mut came_from = std::collections::HashMap::new();
    let mut open = vec![from.clone()];
    while let Some(at) = open.pop() {
        if at == *to {
            let mut path = vec![at.clone()];
            let mut step = &at;
            while let Some(before) = came_from.get(step) {
                path.push(BeadId::clone(before));
                step = before;
            }
            path.reverse();
            return Ok(Some(path));
        }
        for next in dependencies_of(conn, &at).await? {
            if next != *from && !came_from.contains_key(&next) {
                came_from.insert(next.clone(), at.clone());
                open.push(next);
            }
        }
    }
    Ok(None)
}

pub(super) async fn status_of(conn: &mut Conn, id: &BeadId) -> Result<BeadStatus> {
    let status: Option<BeadStatus> = sqlx::query_scalar("SELECT status FROM beads WHERE id = ?1")
        .bind(id)
        .fetch_optional(&mut *conn)
        .await?;
    match status {
        Some(status) => Ok(status),
        None if archived_state(conn, id).await?.is_some() => Err(DepotError::Archived(id.clone())),
        None => Err(DepotError::NoBead(id.clone())),
    }
}

/// A bead, archived or not.
pub(crate) async fn get(conn: &mut Conn, id: &BeadId) -> Result<Option<Bead>> {
    let bead = sqlx::query_as("SELECT * FROM beads WHERE id = ?1")
        .bind(id)
        .fetch_optional(&mut *conn)
        .await?;
    match bead {
        Some(bead) => Ok(Some(bead)),
        None => archived(conn, id).await,
    }
}

/// What `bead` waits for, or waited for.
pub(crate) async fn dependencies_of(conn: &mut Conn, bead: &BeadId) -> Result<Vec<BeadId>> {
    Ok(sqlx::query_scalar(
        "SELECT depends_on_id FROM dependencies WHERE bead_id = ?1
         UNION SELECT depends_on_id FROM archived_dependencies WHERE bead_id = ?1
         ORDER BY depends_on_id",
    )
    .bind(bead)
    .fetch_all(conn)
    .await?)
}

/// What waits for `bead`.
pub(crate) async fn dependents_of(conn: &mut Conn, bead: &BeadId) -> Result<Vec<BeadId>> {
    Ok(sqlx::query_scalar(
        "SELECT bead_id FROM dependencies WHERE depends_on_id = ?1 ORDER BY bead_id",
    )
    .bind(bead)
    .fetch_all(conn)
    .await?)
}

/// The newest beads first, or with `ready` those that could be claimed, in that order.
pub(crate) async fn list(conn: &mut Conn, filter: &BeadFilter) -> Result<Vec<Bead>> {
    const WHERE: &str = "(?1 IS NULL OR convoy_id = ?1) AND (?2 IS NULL OR task_type = ?2)
         AND (?3 IS NULL OR coalesce(assigned_provider, preferred_provider) = ?3)";
    // Each shape has its own statement, so that each walks its own index.
    let sql = if filter.ready {
        format!(
            "SELECT b.* FROM beads b INDEXED BY beads_ready WHERE status = 'queued' AND open_deps = 0 AND {WHERE}
               AND NOT EXISTS (SELECT 1 FROM convoys c WHERE c.id = b.convoy_id AND c.status IN ('paused', 'cancelled'))
             ORDER BY rank DESC, created_at, b.rowid LIMIT ?4"
        )
    } else if let [one] = filter.statuses.as_slice() {
        format!(
            "SELECT * FROM beads INDEXED BY beads_by_status WHERE status = '{one}' AND {WHERE} ORDER BY created_at DESC, rowid DESC LIMIT ?4"
        )
    } else if !filter.statuses.is_empty() {
        let words: Vec<String> = filter.statuses.iter().map(|s| format!("'{s}'")).collect();
        let words = words.join(", ");
        format!(
            "SELECT * FROM beads WHERE status IN ({words}) AND {WHERE} ORDER BY created_at DESC, rowid DESC LIMIT ?4"
        )
    } else if filter.convoy.is_some() {
        "SELECT * FROM beads INDEXED BY beads_by_convoy WHERE convoy_id = ?1 AND (?2 IS NULL OR task_type = ?2)
         AND (?3 IS NULL OR coalesce(assigned_provider, preferred_provider) = ?3)
         ORDER BY created_at DESC, rowid DESC LIMIT ?4"
            .to_owned()
    } else {
        format!(
            "SELECT * FROM beads INDEXED BY beads_by_creation WHERE {WHERE} ORDER BY created_at DESC, rowid DESC LIMIT ?4"
        )
    };
    // The only text put into the statement are words of `BeadStatus`.
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(&filter.convoy)
        .bind(filter.task_type)
        .bind(&filter.provider)
        .bind(filter.limit)
        .fetch_all(conn)
        .await?)
}

/// How many beads are in each state, archived ones too, of the whole store (from counters) or of
/// one convoy.
pub(crate) async fn status_counts(
    conn: &mut Conn,
    convoy: Option<&ConvoyId>,
) -> Result<Vec<(BeadStatus, i64)>> {
    let rows = match convoy {
        None => {
            sqlx::query_as(
                "SELECT status, sum(n) FROM (
                     SELECT status, n FROM bead_counts UNION ALL SELECT status, n FROM archived_counts)
                 GROUP BY status HAVING sum(n) > 0",
            )
            .fetch_all(conn)
            .await?
        }
        Some(id) => {
            sqlx::query_as(
                "SELECT status, count(*) FROM (
                     SELECT status FROM beads WHERE convoy_id = ?1
                     UNION ALL SELECT status FROM archived_beads WHERE convoy_id = ?1)
                 GROUP BY status",
            )
            .bind(id)
            .fetch_all(conn)
            .await?
        }
    };
    Ok(rows)
}
