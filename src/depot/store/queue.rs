//! Everything that is not over yet, as far as a plan looks ahead: what could be claimed, what runs,
//! what waits for its time, and what comes after them.

use std::collections::{BTreeMap, BTreeSet};

use super::Result;
use super::claim::ready;
use crate::core::{BeadId, BeadStatus, ConvoyId};
use crate::db::Conn;
use crate::depot::{Open, Ready};

/// Beads of one kind of state that are read: more are not planned together anyway, and a store of
/// a million must not be slower to plan than one of a thousand.
const MOST: i64 = 1000;

/// What a plan is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Queue {
    /// In the order of claiming where they could be claimed; the others in none.
    pub(crate) beads: Vec<Open>,
    /// What each of them waits for that is not completed.
    pub(crate) waits: BTreeMap<BeadId, Vec<BeadId>>,
}

/// The queue of the whole store, or of the convoys that somebody waits for.
pub(crate) async fn queue(conn: &mut Conn, served: Option<&[ConvoyId]>) -> Result<Queue> {
    let first = ready(conn, served, MOST).await?;
    queue_from(conn, served, first).await
}

/// The same where what could be claimed is known already.
async fn queue_from(
    conn: &mut Conn,
    served: Option<&[ConvoyId]>,
    first: Vec<Ready>,
) -> Result<Queue> {
    let mut beads: Vec<Open> = first.into_iter().map(claimable).collect();
    let is_served = |b: &Open| {
        served.is_none_or(|served| {
            let convoy = b.ready.convoy_id.as_ref();
            convoy.is_some_and(|convoy| served.contains(convoy))
        })
    };
    // What runs takes up room, whoever waits for it.
    beads.extend(
        sqlx::query_as(UNDER_WAY)
            .bind(MOST)
            .fetch_all(&mut *conn)
            .await?,
    );
    for waiting in [PENDING, DEFERRED] {
        let more: Vec<Open> = sqlx::query_as(waiting)
            .bind(MOST)
            .fetch_all(&mut *conn)
            .await?;
        beads.extend(more.into_iter().filter(is_served));
    }
    let ids: Vec<&BeadId> = beads.iter().map(|b| &b.ready.id).collect();
    let mut behind: Vec<Open> = sqlx::query_as(BEHIND)
        .bind(sqlx::types::Json(ids))
        .bind(MOST)
        .fetch_all(&mut *conn)
        .await?;
    behind.sort_by(|a, b| a.ready.id.cmp(&b.ready.id));
    let mut seen: BTreeSet<BeadId> = beads.iter().map(|b| b.ready.id.clone()).collect();
    let behind = behind.into_iter().filter(is_served);
    beads.extend(behind.filter(|b| seen.insert(b.ready.id.clone())));
    let waiting = beads.iter().filter(|b| b.waits_on > 0);
    let waiting: Vec<&BeadId> = waiting.map(|b| &b.ready.id).collect();
    let mut waits: BTreeMap<BeadId, Vec<BeadId>> = BTreeMap::new();
    if !waiting.is_empty() {
        let edges: Vec<(BeadId, BeadId)> = sqlx::query_as(EDGES)
            .bind(sqlx::types::Json(waiting))
            .fetch_all(&mut *conn)
            .await?;
        for (bead, on) in edges {
            waits.entry(bead).or_default().push(on);
        }
    }
    Ok(Queue { beads, waits })
}

fn claimable(ready: Ready) -> Open {
    Open {
        ready,
        status: BeadStatus::Queued,
        waits_on: 0,
        deferred_until: None,
        not_before: None,
        began_at: None,
    }
}

/// [`Open`] of `b` and its convoy `c`.
macro_rules! open {
    ($began:literal, $from:literal) => {
        concat!(
            "SELECT b.id, b.title, b.task_type, b.priority, b.permission, b.files, b.estimated_tokens,
                b.estimate_p80, b.estimate_p95, b.estimate_source, b.preferred_provider, b.preferred_model,
                b.assigned_provider, b.attempt, b.convoy_id, c.name AS convoy_name, c.repo,
                c.provider AS convoy_provider, c.strategy, c.max_parallel AS convoy_max_parallel,
                c.budget_tokens, c.budget_micro_usd, b.rank,
                min(coalesce(b.deadline, c.deadline), coalesce(c.deadline, b.deadline)) AS due_at,
                b.status, b.open_deps, b.deferred_until, b.not_before, ",
            $began,
            " AS began_at ",
            $from
        )
    };
}

/// Not what waits for its conflict bead: that is none of its time.
pub(super) const UNDER_WAY: &str = open!(
    "coalesce((SELECT a.started_at FROM attempts a WHERE a.bead_id = b.id AND a.number = b.attempt),
        b.started_at)",
    "FROM beads b INDEXED BY beads_leased LEFT JOIN convoys c ON c.id = b.convoy_id
     WHERE b.lease_owner IS NOT NULL
       AND b.status IN ('optimizing', 'assigned', 'in_progress', 'reviewing', 'merging')
     ORDER BY b.lease_expires_at, b.id LIMIT ?1"
);

pub(super) const PENDING: &str = open!(
    "NULL",
    "FROM beads b INDEXED BY beads_pending LEFT JOIN convoys c ON c.id = b.convoy_id
     WHERE b.status = 'pending' AND b.open_deps = 0
       AND (c.id IS NULL OR c.status NOT IN ('paused', 'cancelled'))
     ORDER BY b.created_at, b.rowid LIMIT ?1"
);

pub(super) const DEFERRED: &str = open!(
    "NULL",
    "FROM beads b INDEXED BY beads_deferred LEFT JOIN convoys c ON c.id = b.convoy_id
     WHERE b.status = 'deferred' AND b.open_deps = 0
       AND (c.id IS NULL OR c.status NOT IN ('paused', 'cancelled'))
     ORDER BY b.deferred_until, b.id LIMIT ?1"
);

/// What comes after the beads ?1, directly or not.
pub(super) const BEHIND: &str = concat!(
    "WITH RECURSIVE behind (id) AS (
       SELECT d.bead_id FROM json_each(?1) s
         CROSS JOIN dependencies d INDEXED BY dependencies_reverse ON d.depends_on_id = s.value
       UNION
       SELECT d.bead_id FROM behind
         CROSS JOIN dependencies d INDEXED BY dependencies_reverse ON d.depends_on_id = behind.id
       LIMIT ?2)
     ",
    open!(
        "NULL",
        "FROM behind CROSS JOIN beads b ON b.id = behind.id LEFT JOIN convoys c ON c.id = b.convoy_id
         WHERE b.status IN ('pending', 'queued', 'deferred', 'optimizing') AND b.open_deps > 0
           AND (c.id IS NULL OR c.status NOT IN ('paused', 'cancelled'))"
    )
);

pub(super) const EDGES: &str = "SELECT d.bead_id, d.depends_on_id FROM json_each(?1) s
     CROSS JOIN dependencies d ON d.bead_id = s.value JOIN beads o ON o.id = d.depends_on_id
     WHERE o.status <> 'completed' ORDER BY d.bead_id, d.depends_on_id";
