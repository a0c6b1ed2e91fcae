//! What follows from the verdict of the gate, and from the merge.

use serde_json::json;

use super::super::ForemanError;
use super::super::drive::{Active, Foreman};
use super::super::stage::{Halt, Job, MergeReport};
use crate::assayer::quality::{GateResult, Verdict};
use crate::core::redact::Redactor;
use crate::core::{BeadId, BeadStatus, BlockCause};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::store as depot;
use crate::depot::{self as model, DepotError};

impl Foreman {
    /// The gate has spoken.
    pub(in crate::foreman) async fn reviewed(
        &mut self,
        id: &BeadId,
        verdict: Verdict,
    ) -> Result<(), ForemanError> {
        let Some(active) = self.active.remove(id) else {
            return Ok(());
        };
        let (ctx, job) = (&self.ctx.clone(), &active.job);
        let verdict = without_secrets(verdict, &ctx.given.redactor());
        if active.halt.borrow().is_some_and(Halt::is_stop) {
            return self.let_go(&active).await;
        }
        ctx.after("work.reviewed");
        let mut tx = ctx.db.write().await?;
        let act = ctx.act();
        let checks = json!(verdict.checks);
        let event = NewEvent::new(EventType::GateChecked, "foreman")
            .bead(id)
            .convoy(job.bead.convoy_id.as_ref())
            .provider(Some(&job.provider))
            .attempt(Some(job.attempt))
            .payload(json!({ "result": verdict.result, "checks": checks, "score": verdict.score }));
        events::append(&mut tx, act.ids, act.now, event).await?;
        let done = async {
            if verdict.result == GateResult::Pass {
                depot::accept(&mut tx, act, id, &job.fence, checks).await?;
                return Ok(true);
            }
            self.sent_back(&mut tx, &active, BeadStatus::Reviewing, &verdict)
                .await?;
            Ok::<bool, ForemanError>(false)
        };
        let accepted = match done.await {
            Err(ForemanError::Depot(DepotError::Fenced { .. } | DepotError::LostRace { .. })) => {
                return Ok(());
            }
            other => other?,
        };
        ctx.commit(tx, "bead.accepted").await?;
        if accepted {
            self.active.insert(id.clone(), active);
            self.enter_merge(id);
        }
        Ok(())
    }

    /// The foreman stops. The work is committed; whoever comes next goes on from here.
    async fn let_go(&self, active: &Active) -> Result<(), ForemanError> {
        let mut tx = self.ctx.db.write().await?;
        depot::let_go(&mut tx, &active.job.bead.id, &active.job.fence).await?;
        Ok(tx.commit().await?)
    }

    async fn sent_back(
        &self,
        tx: &mut Conn,
        active: &Active,
        from: BeadStatus,
        verdict: &Verdict,
    ) -> Result<(), ForemanError> {
        let (act, job) = (self.ctx.act(), &active.job);
        let id = &job.bead.id;
        if verdict.result == GateResult::Error {
            let reason = why_unjudged(verdict);
            depot::block(
                tx,
                act,
                id,
                from,
                Some(&job.fence),
                BlockCause::Person,
                &reason,
            )
            .await?;
            return Ok(());
        }
        self.learn(
            tx,
            active,
            model::Verdict::Revised,
            verdict.score,
            Some(&verdict.feedback),
        )
        .await?;
        if job.bead.failures + 1 >= i64::from(self.ctx.settings.gate.max_attempts) {
            let times = job.bead.failures + 1;
            let reason = format!(
                "the quality gate refused {times} attempts, the last one because of {} \
                 (`rigs bead approve {id} --answer \"...\"` goes on with what you say)",
                why_refused(verdict)
            );
            let cause = BlockCause::Person;
            depot::block(tx, act, id, from, Some(&job.fence), cause, &reason).await?;
            depot::count_failure(tx, id, &verdict.feedback).await?;
        } else {
            depot::revise(tx, act, id, from, &job.fence, &verdict.feedback).await?;
        }
        Ok(())
    }

    /// One merge per convoy at a time, in the order of acceptance.
    pub(in crate::foreman) fn enter_merge(&mut self, id: &BeadId) {
        let Some(active) = self.active.get(id) else {
            return;
        };
        let Some(convoy) = active.job.bead.convoy_id.clone() else {
            return self.spawn_merge(id);
        };
        let queue = self.merging.entry(convoy).or_default();
        queue.push_back(id.clone());
        if queue.len() == 1 {
            self.spawn_merge(id);
        }
    }

    pub(super) fn leave_merge(&mut self, job: &Job) {
        let Some(convoy) = &job.bead.convoy_id else {
            return;
        };
        let Some(queue) = self.merging.get_mut(convoy) else {
            return;
        };
        queue.retain(|id| *id != job.bead.id);
        match queue.front().cloned() {
            Some(next) => self.spawn_merge(&next),
            None => drop(self.merging.remove(convoy)),
        }
    }

    /// The merge has ended.
    pub(in crate::foreman) async fn merged(
        &mut self,
        id: &BeadId,
        report: MergeReport,
    ) -> Result<(), ForemanError> {
        let Some(active) = self.active.remove(id) else {
            return Ok(());
        };
        self.leave_merge(&active.job);
        if active.halt.borrow().is_some_and(Halt::is_stop)
            && !matches!(report, MergeReport::Merged { .. })
        {
            return self.let_go(&active).await;
        }
        let (ctx, job) = (&self.ctx.clone(), &active.job);
        let mut tx = ctx.db.write().await?;
        let act = ctx.act();
        let from = BeadStatus::Merging;
        let done = async {
            match report {
                MergeReport::Merged { commit } => {
                    depot::complete(&mut tx, act, id, &job.fence, commit.as_deref()).await?;
                    self.learn(&mut tx, &active, model::Verdict::Accepted, Some(1.0), None)
                        .await?;
                }
                MergeReport::Conflict(sides) => {
                    Box::pin(self.in_conflict(&mut tx, &active, &sides)).await?;
                }
                MergeReport::Refused(verdict) => {
                    let verdict = without_secrets(verdict, &ctx.given.redactor());
                    self.sent_back(&mut tx, &active, from, &verdict).await?;
                }
                MergeReport::Error { reason } => {
                    let reason = crate::core::text::one_line(&reason, 500);
                    depot::block(
                        &mut tx,
                        act,
                        id,
                        from,
                        Some(&job.fence),
                        BlockCause::Person,
                        &reason,
                    )
                    .await?;
                }
            }
            Ok::<(), ForemanError>(())
        };
        match done.await {
            Err(ForemanError::Depot(DepotError::Fenced { .. } | DepotError::LostRace { .. })) => {
                return Ok(());
            }
            other => other?,
        }
        ctx.commit(tx, "bead.completed").await?;
        match &job.resolves {
            Some(conflict) => Box::pin(self.take_up_original(&conflict.original)).await,
            None => Ok(()),
        }
    }
}

/// A gate may print what the agent wrote into a file.
fn without_secrets(mut verdict: Verdict, given: &Redactor) -> Verdict {
    for check in &mut verdict.checks {
        check.name = given.apply(&check.name);
        check.detail = given.apply(&check.detail);
        check.output = given.apply(&check.output);
    }
    verdict.feedback = given.apply(&verdict.feedback);
    verdict
}

/// The checks that failed, each in a line's worth.
fn why_refused(verdict: &Verdict) -> String {
    use crate::assayer::quality::CheckStatus;
    let failed = verdict
        .checks
        .iter()
        .filter(|c| c.status == CheckStatus::Failed);
    // With a little of what it printed: the name alone says little.
    let said: Vec<String> = failed
        .map(|c| {
            let output = crate::core::text::one_line(&c.output, 150);
            format!("{}: {} {output}", c.name, c.detail)
        })
        .collect();
    if said.is_empty() {
        crate::core::text::one_line(&verdict.feedback, 300)
    } else {
        crate::core::text::one_line(&said.join("; "), 300)
    }
}

/// What kept the gate from judging, for the person who has to look.
fn why_unjudged(verdict: &Verdict) -> String {
    use crate::assayer::quality::CheckStatus;
    let broken = verdict
        .checks
        .iter()
        .filter(|c| c.status == CheckStatus::Error);
    let said: Vec<String> = broken
        .map(|c| format!("{}: {}", c.name, c.detail))
        .collect();
    let all = if said.is_empty() {
        verdict.feedback.clone()
    } else {
        said.join("; ")
    };
    crate::core::text::ellipsis(&all, 500)
}
