//! Work that a person has checked again as it is: its run is over, only the rest is to do.

use super::drive::Foreman;
use super::{Context, ForemanError, recover};
use crate::core::{BeadStatus, BlockCause, ConvoyId, text};
use crate::depot::store as depot;
use crate::depot::{Bead, DepotError};

impl Foreman {
    pub(super) async fn take_up_approved(
        &mut self,
        served: Option<&[ConvoyId]>,
    ) -> Result<(), ForemanError> {
        let mut conn = self.ctx.db.read().await?;
        let waiting = depot::to_review(&mut conn, served).await?;
        drop(conn);
        for bead in waiting {
            if self.active.contains_key(&bead.id) {
                continue;
            }
            match recover::take_back(&self.ctx, &bead, &self.owner).await {
                Ok(Some((job, found))) => self.adopt(job, found),
                // Cancelled, or taken up by somebody else just now.
                Ok(None)
                | Err(ForemanError::Depot(
                    DepotError::LostRace { .. } | DepotError::Fenced { .. },
                )) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The check puts the worktree back to the commit of the attempt. What somebody changed there
/// meanwhile (a person who looked, or the gate itself) stays under `refs/rigs/rescue/`; where that
/// cannot be done, the bead is left to a person, and this is false.
pub(super) async fn may_be_checked(ctx: &Context, bead: &Bead) -> Result<bool, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let convoy = match &bead.convoy_id {
        Some(id) => depot::convoy(&mut conn, id).await?,
        None => None,
    };
    drop(conn);
    let dir = ctx.paths.worktree(&bead.id);
    let Some(root) = convoy.and_then(|c| c.repo).filter(|_| dir.is_dir()) else {
        return Ok(true);
    };
    let kept = async {
        let repo = ctx.git.discover(root.as_ref()).await?;
        repo.worktree(&dir).park_changes().await
    };
    let Err(error) = kept.await else {
        return Ok(true);
    };
    let reason = text::one_line(&format!("its worktree cannot be looked at: {error}"), 500);
    let mut tx = ctx.db.write().await?;
    let (from, cause) = (BeadStatus::Reviewing, BlockCause::Person);
    match depot::block(&mut tx, ctx.act(), &bead.id, from, None, cause, &reason).await {
        Err(DepotError::LostRace { .. }) => {}
        other => {
            other?;
            tx.commit().await?;
        }
    }
    Ok(false)
}
