//! Taking away worktrees that have served: those of beads that are completed or cancelled, and
//! the one that a convoy's merges are made in once it is over. Work that no ref leads to is
//! parked first. Failed and blocked beads keep theirs, for the person who looks.

use std::path::Path;

use super::again::again;
use super::drive::Foreman;
use super::worktree::bead_branch;
use super::{Context, ForemanError};
use crate::core::{BeadId, BeadStatus, ConvoyId};
use crate::db::Conn;
use crate::depot::Convoy;
use crate::depot::store as depot;
use crate::git::GitError;

impl Foreman {
    /// Looks through the folder of worktrees. Failing to tidy up is no reason to stop.
    pub(super) async fn sweep(&self) -> Result<(), ForemanError> {
        let ctx = &self.ctx.clone();
        let mut conn = ctx.db.read().await?;
        for entry in std::fs::read_dir(ctx.paths.worktrees())
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let served = if let Ok(id) = name.parse::<BeadId>() {
                self.served_bead(&mut conn, &id).await?
            } else if let Ok(id) = name.parse::<ConvoyId>() {
                self.served_convoy(&mut conn, &id).await?
            } else {
                None
            };
            let Some(convoy) = served else { continue };
            let dir = entry.path();
            if let Err(error) = again(|| clear(ctx, &convoy, &dir, &name)).await {
                tracing::warn!("{} is left: {error}", dir.display());
            }
        }
        Ok(())
    }

    /// The convoy of a bead that needs its worktree no more.
    async fn served_bead(
        &self,
        conn: &mut Conn,
        id: &BeadId,
    ) -> Result<Option<Convoy>, ForemanError> {
        let bead = depot::get(conn, id).await?.filter(|b| {
            matches!(b.status, BeadStatus::Completed | BeadStatus::Cancelled)
                && !self.active.contains_key(id)
        });
        match bead.and_then(|b| b.convoy_id) {
            Some(convoy) => Ok(depot::convoy(conn, &convoy).await?),
            None => Ok(None),
        }
    }

    async fn served_convoy(
        &self,
        conn: &mut Conn,
        id: &ConvoyId,
    ) -> Result<Option<Convoy>, ForemanError> {
        let at_work = self
            .active
            .values()
            .any(|a| a.job.bead.convoy_id.as_ref() == Some(id));
        Ok(depot::convoy(conn, id)
            .await?
            .filter(|c| c.status.is_over() && !at_work))
    }
}

async fn clear(ctx: &Context, convoy: &Convoy, dir: &Path, name: &str) -> Result<(), GitError> {
    let Some(root) = &convoy.repo else {
        return Ok(());
    };
    let repo = ctx.git.discover(root.as_ref()).await?;
    ctx.before("worktree.swept");
    repo.remove_worktree(dir).await?;
    ctx.after("worktree.swept");
    match name.parse::<BeadId>() {
        Ok(bead) => repo.delete_branch(&bead_branch(&bead)).await,
        Err(_) => Ok(()),
    }
}
