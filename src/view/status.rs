//! The overview: what is queued, what runs, what today cost, when something happens next.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{BeadId, BeadStatus, ProviderName, Timestamp, Usage};
use crate::db::Conn;
use crate::depot::store::Halted;
use crate::depot::{Bead, DepotError, store};
use crate::refinery::TankView;
use crate::refinery::store::{Of, used};

/// Everything at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Status {
    pub(crate) tanks: Vec<TankView>,
    /// States that hold at least one bead.
    pub(crate) beads: Vec<Count>,
    pub(crate) running: Vec<RunView>,
    /// Since midnight UTC.
    pub(crate) today: Usage,
    /// When the first deferred bead can go on.
    pub(crate) next_wake: Option<Timestamp>,
    /// Which bead that is, and what it waits for.
    pub(crate) next: Option<NextView>,
    /// The process that runs the loop; `null` when none does.
    pub(crate) foreman: Option<ForemanView>,
    /// Since when `rigs stop --all` holds; `null` when beads are started.
    pub(crate) halted: Option<Halted>,
}

/// What happens next without anybody doing anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Next")]
pub(crate) struct NextView {
    pub(crate) at: Timestamp,
    pub(crate) bead_id: BeadId,
    pub(crate) title: String,
    /// The provider whose window it waits for; `null` when it waits for a time of its own.
    pub(crate) provider: Option<ProviderName>,
    pub(crate) window: Option<String>,
    pub(crate) reason: String,
}

/// How many beads are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Count {
    pub(crate) status: BeadStatus,
    pub(crate) count: u64,
}

/// One attempt that is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub(crate) struct RunView {
    pub(crate) bead_id: BeadId,
    pub(crate) title: String,
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    pub(crate) attempt: u64,
    pub(crate) started_at: Timestamp,
    /// Whether the foreman that started it is gone, so that nobody watches over it.
    pub(crate) abandoned: bool,
}

/// Who runs the loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Foreman")]
pub(crate) struct ForemanView {
    pub(crate) pid: u32,
    pub(crate) since: Option<Timestamp>,
    /// `foreman`, or `goal` when it ends with a goal that somebody waits for.
    pub(crate) driver: Option<String>,
    /// Whether it was started in the background.
    pub(crate) background: bool,
}

/// The part of the answer that the store knows; the caller adds tanks and foreman, and knows
/// whether the owner of a run is gone.
pub(crate) async fn status(
    conn: &mut Conn,
    is_gone: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<Status, DepotError> {
    let mut beads: Vec<Count> = store::status_counts(conn, None)
        .await?
        .into_iter()
        .map(|(status, n)| Count {
            status,
            count: u64::try_from(n).unwrap_or(0),
        })
        .collect();
    beads.sort_by_key(|count| count.status);
    let mut running = Vec::new();
    for attempt in store::running_attempts(conn).await? {
        let bead = store::get(conn, &attempt.bead_id).await?;
        running.push(RunView {
            title: bead.map_or_else(String::new, |bead| bead.title),
            abandoned: is_gone(&attempt.owner),
            bead_id: attempt.bead_id,
            provider: attempt.provider,
            model: attempt.model,
            attempt: u64::try_from(attempt.number).unwrap_or(0),
            started_at: attempt.started_at,
        });
    }
    let next = store::first_deferred(conn).await?.and_then(next);
    Ok(Status {
        tanks: Vec::new(),
        beads,
        running,
        today: used(conn, Of::All, Some(midnight(now))).await?,
        next_wake: next.as_ref().map(|next| next.at),
        next,
        foreman: None,
        halted: store::halted(conn).await?,
    })
}

fn next(bead: Bead) -> Option<NextView> {
    let (provider, window, reason) = match bead.deferral {
        Some(d) => (d.provider, d.window, d.reason),
        None => (None, None, "it waits for capacity".to_owned()),
    };
    Some(NextView {
        at: bead.deferred_until?,
        bead_id: bead.id,
        title: bead.title,
        provider,
        window,
        reason,
    })
}

fn midnight(now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000;
    Timestamp::from_millis(now.millis().div_euclid(DAY) * DAY)
}
