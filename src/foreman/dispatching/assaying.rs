//! New beads get their prompt and their estimate.

use super::super::drive::Foreman;
use super::super::{ForemanError, past_runs, prompt};
use crate::assayer::estimator::MOST_RUNS;
use crate::core::ConvoyId;
use crate::depot::DepotError;
use crate::depot::store as depot;

/// Beads looked at per pass.
const PENDING: i64 = 100;

impl Foreman {
    pub(super) async fn assay(&mut self, served: Option<&[ConvoyId]>) -> Result<(), ForemanError> {
        let mut conn = self.ctx.db.read().await?;
        let beads = depot::pending(&mut conn, served, PENDING).await?;
        if beads.is_empty() {
            return Ok(());
        }
        let history = past_runs(&mut conn, MOST_RUNS).await?;
        drop(conn);
        for bead in beads {
            let tightened = prompt::tighten(&bead);
            let mut tx = self.ctx.db.write().await?;
            let act = self.ctx.act();
            match depot::assay(&mut tx, act, &bead.id, &self.owner, self.lease_until()).await {
                Err(DepotError::LostRace { .. }) => continue,
                other => other?,
            }
            let assayed = prompt::assay(&mut tx, act, &bead, tightened, &history).await?;
            depot::queue(
                &mut tx,
                act,
                &bead.id,
                assayed.estimate,
                &assayed.because,
                assayed.optimized.as_deref(),
            )
            .await?;
            self.ctx.commit(tx, "bead.assayed").await?;
        }
        Ok(())
    }
}
