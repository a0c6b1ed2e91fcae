//! Convoys as answers.

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::{BeadId, BeadStatus, ConvoyId, ConvoyStatus, ProviderName, Timestamp, Usage};
use crate::db::Conn;
use crate::depot::{Convoy, DepotError, Progress, store};
use crate::refinery::store::{Of, used};

/// One convoy. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Convoy")]
pub(crate) struct ConvoyView {
    pub(crate) id: ConvoyId,
    pub(crate) name: String,
    pub(crate) goal: Option<String>,
    pub(crate) status: ConvoyStatus,
    pub(crate) progress: Progress,
    /// Root of the repository; `null` for text work.
    pub(crate) repo: Option<String>,
    pub(crate) base_branch: Option<String>,
    pub(crate) base_commit: Option<String>,
    /// Where the work of its beads is merged.
    pub(crate) branch: Option<String>,
    pub(crate) planned_by: Option<String>,
    pub(crate) usage: Usage,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) landed_at: Option<Timestamp>,
    pub(crate) landed_commit: Option<String>,
    /// Only in the answer about one convoy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) beads: Option<Vec<Member>>,
}

/// The work of a convoy on a branch for a pull request. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct PullRequest {
    pub(crate) convoy_id: ConvoyId,
    pub(crate) branch: String,
    /// The branch that the convoy started from.
    pub(crate) base: String,
    /// Where the branch is.
    pub(crate) commit: String,
    pub(crate) title: String,
    pub(crate) body: String,
}

/// A bead of a convoy, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Member {
    pub(crate) id: BeadId,
    pub(crate) title: String,
    pub(crate) status: BeadStatus,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) dependencies: Vec<BeadId>,
    pub(crate) deferred_until: Option<Timestamp>,
    pub(crate) error: Option<String>,
}

pub(crate) async fn list(conn: &mut Conn, limit: i64) -> Result<Vec<ConvoyView>, DepotError> {
    let mut views = Vec::new();
    for convoy in store::list_convoys(conn, limit).await? {
        views.push(view(conn, convoy).await?);
    }
    Ok(views)
}

/// One convoy with its beads.
pub(crate) async fn show(conn: &mut Conn, id: &ConvoyId) -> Result<ConvoyView, DepotError> {
    let convoy = store::convoy(conn, id)
        .await?
        .ok_or_else(|| DepotError::NoConvoy(id.clone()))?;
    let mut view = view(conn, convoy).await?;
    let mut members = Vec::new();
    for bead in store::beads_of(conn, id).await? {
        members.push(Member {
            dependencies: store::dependencies_of(conn, &bead.id).await?,
            id: bead.id,
            title: bead.title,
            status: bead.status,
            provider: bead.assigned_provider.or(bead.preferred_provider),
            deferred_until: bead.deferred_until,
            error: bead.error.or(bead.block_reason),
        });
    }
    view.beads = Some(members);
    Ok(view)
}

async fn view(conn: &mut Conn, convoy: Convoy) -> Result<ConvoyView, DepotError> {
    let progress = store::progress(conn, &convoy.id).await?;
    let usage = used(conn, Of::Convoy(&convoy.id), None).await?;
    Ok(ConvoyView {
        progress,
        usage,
        id: convoy.id,
        name: convoy.name,
        goal: convoy.goal,
        status: convoy.status,
        repo: convoy.repo,
        base_branch: convoy.base_branch,
        base_commit: convoy.base_commit,
        branch: convoy.branch,
        planned_by: convoy.planned_by,
        deadline: convoy.deadline,
        created_at: convoy.created_at,
        started_at: convoy.started_at,
        completed_at: convoy.completed_at,
        landed_at: convoy.landed_at,
        landed_commit: convoy.landed_commit,
        beads: None,
    })
}
