//! A goal from its plan to its end: stored as a convoy, then driven, or followed while another
//! process drives it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use super::drive::drive;
use super::lock::{self, Asked};
use super::orders::{Ended, Interrupt, Orders, Scope, Until};
use super::{Context, ForemanError};
use crate::assayer::Plan;
use crate::core::{BeadId, ConvoyId, ConvoyStatus, Permission};
use crate::depot::store as depot;
use crate::depot::{Act, Base, NewBead, NewConvoy};
use crate::git::GitError;

/// The repository around a folder and the commit that work starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ground {
    pub(crate) base: Base,
    /// The checkout has changes that are not in that commit.
    pub(crate) dirty: bool,
}

/// `None` when there is no repository around `dir`.
pub(crate) async fn ground(ctx: &Context, dir: &Path) -> Result<Option<Ground>, GitError> {
    let repo = match ctx.git.discover(dir).await {
        Err(GitError::NoRepository { .. }) => return Ok(None),
        other => other?,
    };
    let head = repo.head().await?;
    let file = super::trusted::file_of(&repo, &head.commit).await?;
    let base = Base {
        repo: repo.root().to_owned(),
        settings_sha256: file.map(|file| file.sha256),
        branch: head.branch,
        commit: head.commit,
    };
    Ok(Some(Ground {
        base,
        dirty: repo.is_dirty().await?,
    }))
}

/// Stores a plan as a convoy with its beads, all or nothing.
pub(crate) async fn store(
    ctx: &Context,
    plan: &Plan,
    new: NewConvoy,
) -> Result<ConvoyId, ForemanError> {
    let act = Act {
        ids: &ctx.ids,
        now: ctx.clock.now(),
        who: "user",
    };
    let mut tx = ctx.db.write().await?;
    let has_repo = new.base.is_some();
    let deadline = new.deadline;
    let convoy = depot::insert_convoy(&mut tx, act, new).await?;
    let mut ids: HashMap<&str, BeadId> = HashMap::new();
    // A plan lists what comes first first; its checks see to that.
    for planned in &plan.beads {
        let mut bead = NewBead::new(&planned.description, planned.task_type);
        bead.title.clone_from(&planned.title);
        bead.priority = planned.priority;
        bead.complexity = planned.complexity;
        bead.acceptance_criteria
            .clone_from(&planned.acceptance_criteria);
        bead.files.clone_from(&planned.files);
        bead.convoy_id = Some(convoy.id.clone());
        bead.deadline = deadline;
        if !has_repo {
            bead.permission = Permission::Read;
        }
        bead.depends_on = planned
            .depends_on
            .iter()
            .filter_map(|key| ids.get(key.as_str()).cloned())
            .collect();
        let made = depot::insert(&mut tx, act, bead).await?;
        ids.insert(&planned.key, made.id);
    }
    ctx.commit(tx, "convoy.stored").await?;
    Ok(convoy.id)
}

/// Who does the work, as it turns out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// This process runs the loop.
    Driving,
    /// Another one does; this one waits for the result and takes over when that one dies.
    Following,
}

/// How often a follower looks.
const LOOK: Duration = Duration::from_millis(500);

/// Works on a convoy until it can go no further, one way or the other.
pub(crate) async fn work(
    ctx: &Context,
    convoy: &ConvoyId,
    wait: bool,
    interrupts: &mut mpsc::Receiver<Interrupt>,
    mut told: impl FnMut(Role),
) -> Result<Ended, ForemanError> {
    let me = lock::myself(&ctx.ids);
    let mut tx = ctx.db.write().await?;
    depot::serve(&mut tx, convoy, Some(&me.to_string())).await?;
    tx.commit().await?;
    let mut role = None;
    loop {
        let path = ctx.paths.lock();
        let io = |source| ForemanError::Io {
            path: path.clone(),
            source,
        };
        match lock::ask(&path, &me, lock::Driver::Goal, &ctx.clock).map_err(io)? {
            Asked::Mine(lock) => {
                told(Role::Driving);
                let until = Until::Over {
                    convoy: convoy.clone(),
                    wait,
                };
                let orders = Orders {
                    scope: Scope::Served,
                    until,
                };
                let ended = drive(ctx, &lock, &orders, interrupts).await;
                let left = leave(ctx, convoy).await;
                lock.give_up().map_err(io)?;
                // What ended the loop is the error to tell, not what it kept from being tidied up.
                let ended = ended?;
                left?;
                return Ok(ended);
            }
            Asked::Theirs(_) => {
                if role.replace(Role::Following).is_none() {
                    told(Role::Following);
                }
                if let Some(ended) = standing(ctx, convoy, wait).await? {
                    return Ok(ended);
                }
                tokio::select! {
                    Some(signal) = interrupts.recv() => return Ok(Ended::Interrupted(signal)),
                    () = ctx.clock.sleep(LOOK) => {}
                }
            }
        }
    }
}

/// Nobody waits for the convoy any more.
async fn leave(ctx: &Context, convoy: &ConvoyId) -> Result<(), ForemanError> {
    let mut tx = ctx.db.write().await?;
    depot::serve(&mut tx, convoy, None).await?;
    Ok(tx.commit().await?)
}

/// Whether a convoy that somebody else drives can go no further.
async fn standing(
    ctx: &Context,
    convoy: &ConvoyId,
    wait: bool,
) -> Result<Option<Ended>, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let progress = depot::progress(&mut conn, convoy).await?;
    let status = depot::convoy(&mut conn, convoy).await?.map(|c| c.status);
    let due = depot::next_due(&mut conn, Some(convoy)).await?;
    let halted = depot::halted(&mut conn).await?.is_some();
    let only = std::slice::from_ref(convoy);
    let is_open = !depot::pending(&mut conn, Some(only), 1).await?.is_empty();
    let is_ready = !depot::ready(&mut conn, Some(only), 1).await?.is_empty();
    drop(conn);
    Ok(if progress.is_still() {
        Some(Ended::Over)
    } else if halted {
        Some(Ended::Halted)
    } else if status == Some(ConvoyStatus::Paused) && progress.active == 0 {
        Some(Ended::Paused)
    } else if progress.active > 0 || is_open {
        None
    } else if !wait && !is_ready {
        due.map(Ended::Waiting)
    } else if progress.deferred == 0 && is_ready {
        let stuck = super::dispatching::stuck(ctx, convoy).await?;
        (!stuck.is_empty()).then_some(Ended::Stuck(stuck))
    } else {
        None
    })
}
