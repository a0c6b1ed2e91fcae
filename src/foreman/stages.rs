//! The stages of beads as tasks of the loop: started here, and their ends taken in.

use std::sync::Arc;

use tokio::task::{Id, JoinError};

use super::drive::{Active, Foreman};
use super::stage::StageEnd;
use super::{ForemanError, merge, polecat, review};
use crate::core::BeadId;

impl Foreman {
    pub(super) fn spawn_run(&mut self, active: Active) {
        let (ctx, job, notes, leash) = (
            self.ctx.with(Arc::clone(&active.job.settings)),
            active.job.clone(),
            self.notes.clone(),
            active.leash(),
        );
        let id = active.job.bead.id.clone();
        self.active.insert(id.clone(), active);
        let run =
            async move { StageEnd::Ran(Box::new(polecat::run(ctx, job, notes, leash).await)) };
        let task = self.stages.spawn(run).id();
        self.by_task.insert(task, id);
    }

    pub(super) fn spawn_review(&mut self, id: &BeadId) {
        let Some(active) = self.active.get(id) else {
            return;
        };
        let ctx = self.ctx.with(Arc::clone(&active.job.settings));
        let (job, leash) = (active.job.clone(), active.leash());
        let (commit, output) = (active.commit.clone(), active.output.clone());
        let look = async move {
            StageEnd::Reviewed(review::review(ctx, job, commit, output, leash).await)
        };
        let task = self.stages.spawn(look).id();
        self.by_task.insert(task, id.clone());
    }

    pub(super) fn spawn_merge(&mut self, id: &BeadId) {
        let Some(active) = self.active.get(id) else {
            return;
        };
        let ctx = self.ctx.with(Arc::clone(&active.job.settings));
        let (job, leash) = (active.job.clone(), active.leash());
        let (commit, output) = (active.commit.clone(), active.output.clone());
        let bring_in =
            async move { StageEnd::Merged(merge::merge(ctx, job, commit, output, leash).await) };
        let task = self.stages.spawn(bring_in).id();
        self.by_task.insert(task, id.clone());
    }

    pub(super) async fn stage_ended(
        &mut self,
        done: Result<(Id, StageEnd), JoinError>,
    ) -> Result<(), ForemanError> {
        let (task, end) = match done {
            Ok((task, end)) => (task, Ok(end)),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some(id) = self.by_task.remove(&task) else {
            return Ok(());
        };
        match end {
            Ok(StageEnd::Ran(report)) => self.ran(&id, *report).await,
            Ok(StageEnd::Reviewed(verdict)) => self.reviewed(&id, verdict).await,
            Ok(StageEnd::Merged(report)) => self.merged(&id, report).await,
            // A panic of a stage is a failed bead, not the end of the night.
            Err(panic) => self.stage_broke(&id, &panic).await,
        }
    }
}
