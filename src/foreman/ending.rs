//! What follows from a note or the end of a stage. Each is one transaction under the attempt's
//! fence; an attempt that has lost its lease settles its usage and changes nothing else.

mod accepted;
mod learning;

use super::drive::{Active, Foreman};
use super::stage::{Job, Note, RunReport, Said};
use super::{ForemanError, account, dispatching, polecat};
use crate::core::{BeadEvent, BeadId, BeadStatus, BlockCause, Timestamp};
use crate::db::Conn;
use crate::depot::store as depot;
use crate::depot::{self as model, Attempt, AttemptEnd, Deferral, DepotError};
use crate::provider::{Class, Outcome, Signal};
use crate::refinery::store as refinery;

/// How often in a row one bead may end by the same fault of a program before it is given up.
const SAME_FAULT: usize = 3;

impl Foreman {
    /// Writes down what a run tells while it goes on.
    pub(super) async fn note(&mut self, note: Note) -> Result<(), ForemanError> {
        let Some(active) = self
            .active
            .get_mut(&note.bead)
            .filter(|a| a.job.attempt == note.attempt)
        else {
            return Ok(());
        };
        let ctx = &self.ctx.clone();
        let id = note.attempt;
        match note.what {
            Said::Prepared { worktree, base } => {
                active.job.base_commit.clone_from(&base);
                let mut tx = ctx.db.write().await?;
                depot::started_run(
                    &mut tx,
                    id,
                    Some(&worktree.to_string_lossy()),
                    base.as_deref(),
                    None,
                )
                .await?;
                ctx.commit(tx, "worktree.noted").await?;
            }
            Said::Started { process } => {
                let mut tx = ctx.db.write().await?;
                depot::started_run(&mut tx, id, None, None, process).await?;
                match depot::start(&mut tx, ctx.act(), &note.bead, &active.job.fence).await {
                    // Cancelled meanwhile: the next pass ends the run.
                    Err(DepotError::Fenced { .. } | DepotError::LostRace { .. }) => return Ok(()),
                    other => other?,
                }
                ctx.commit(tx, "run.noted").await?;
            }
            Said::Signal(signal) => self.signal(&note.bead, signal).await?,
        }
        Ok(())
    }

    async fn signal(&mut self, bead: &BeadId, signal: Signal) -> Result<(), ForemanError> {
        let ctx = &self.ctx.clone();
        let Some(active) = self.active.get_mut(bead) else {
            return Ok(());
        };
        let (id, provider) = (active.job.attempt, active.job.provider.clone());
        match signal {
            Signal::Session(session) => {
                let mut tx = ctx.db.write().await?;
                depot::session_started(&mut tx, id, &session, None).await?;
                ctx.commit(tx, "session.noted").await?;
            }
            Signal::UsageSoFar(so_far) => {
                let mut tx = ctx.db.write().await?;
                account::add(&mut tx, ctx.act(), active, so_far).await?;
                ctx.commit(tx, "usage.noted").await?;
            }
            Signal::Window(seen) => {
                let mut tx = ctx.db.write().await?;
                refinery::observe(
                    &mut tx,
                    &ctx.ids,
                    ctx.clock.now(),
                    &provider,
                    Some(id),
                    &seen,
                )
                .await?;
                ctx.commit(tx, "window.noted").await?;
            }
            Signal::Model(name) => active.model = Some(name),
            Signal::Retrying {
                class,
                delay,
                message,
            } => {
                tracing::info!(bead = %bead, %provider, "{class}: {message}; it tries again in {}s", delay.as_secs());
            }
            Signal::Hopeless | Signal::Text(_) | Signal::Tool { .. } | Signal::Result { .. } => {}
        }
        Ok(())
    }

    /// A run has ended: settle what it used, close the attempt, and see what is next.
    pub(super) async fn ran(&mut self, id: &BeadId, report: RunReport) -> Result<(), ForemanError> {
        let Some(mut active) = self.active.remove(id) else {
            return Ok(());
        };
        let ctx = &self.ctx.clone();
        active.took(&report);
        if !report.left_over.is_empty() {
            tracing::error!(bead = %id, "processes that could not be ended: {:?}", report.left_over);
        }
        let mut tx = ctx.db.write().await?;
        let started = report.outcome.class != Class::NotStarted;
        account::settle(&mut tx, ctx.act(), &active, report.usage, started).await?;
        let attempt = depot::last_attempt(&mut tx, id)
            .await?
            .filter(|a| a.id == active.job.attempt);
        if let Some(attempt) = &attempt {
            depot::end_attempt(&mut tx, ctx.act(), attempt, &end_of(&report)).await?;
        }
        let next = self.after_run(&mut tx, &active, &report).await;
        let next = match next {
            // The bead was cancelled or taken over; its usage is settled, the rest is not ours.
            Err(ForemanError::Depot(
                DepotError::Fenced { .. }
                | DepotError::LostRace { .. }
                | DepotError::Illegal { .. },
            )) => AfterRun::Gone,
            other => other?,
        };
        ctx.commit(tx, "run.settled").await?;
        if next == AfterRun::Review {
            self.active.insert(id.clone(), active);
            self.spawn_review(id);
        }
        Ok(())
    }

    /// What the outcome means for the tank and its circuit, whatever became of the bead, and then
    /// for the bead, while it is ours.
    async fn after_run(
        &self,
        tx: &mut Conn,
        active: &Active,
        report: &RunReport,
    ) -> Result<AfterRun, ForemanError> {
        let (job, outcome) = (&active.job, &report.outcome);
        let (act, id, fence) = (self.ctx.act(), &job.bead.id, Some(&job.fence));
        let wall = if report.outcome.rule == polecat::NO_PLACE {
            None
        } else {
            account::outcome(tx, &self.ctx, active, outcome).await?
        };
        let Some(from) = still_ours(tx, job).await? else {
            return Ok(AfterRun::Gone);
        };
        if let Some(reason) = &report.no_place {
            let cause = BlockCause::Person;
            depot::block(tx, act, id, from, fence, cause, reason).await?;
            return Ok(AfterRun::Gone);
        }
        match outcome.class {
            Class::Done => {
                if from == BeadStatus::Assigned {
                    depot::start(tx, act, id, &job.fence).await?;
                }
                depot::finish(tx, act, id, &job.fence, &report.output).await?;
                return Ok(AfterRun::Review);
            }
            Class::Limit | Class::RateLimited => {
                let waits = Deferral {
                    provider: Some(job.provider.clone()),
                    window: None,
                    reason: outcome.message.clone(),
                };
                let until = wall.unwrap_or(act.now);
                self.at_the_wall(tx, active, from, until, &waits).await?;
            }
            Class::Overloaded
            | Class::Network
            | Class::OutOfCredit
            | Class::Auth
            | Class::BadModel
            | Class::NotStarted => {
                depot::release(tx, act, id, from, fence, &outcome.message).await?;
            }
            Class::Silent | Class::TimedOut | Class::Broken => {
                self.after_fault(tx, job, from, outcome).await?;
            }
            Class::ContextTooLong | Class::Failed | Class::Runaway => {
                self.count_failure(tx, active, from, &outcome.message)
                    .await?;
            }
            Class::Stopped => {
                depot::release(tx, act, id, from, fence, "the foreman stopped").await?;
            }
        }
        Ok(AfterRun::Gone)
    }

    /// A run that met a wall waits for its reset with its session; one whose session holds no
    /// work yet, or that has none, is free for any provider that has room.
    async fn at_the_wall(
        &self,
        tx: &mut Conn,
        active: &Active,
        from: BeadStatus,
        until: Timestamp,
        waits: &Deferral,
    ) -> Result<(), ForemanError> {
        let (act, job, id) = (self.ctx.act(), &active.job, &active.job.bead.id);
        let last = depot::last_attempt(tx, id).await?;
        let worth_it = match last.and_then(|attempt| attempt.session_id) {
            Some(_) if active.commit.is_some() => true,
            Some(session) => !dispatching::session_usage(tx, id, &session)
                .await?
                .is_zero(),
            None => false,
        };
        if worth_it {
            depot::defer(tx, act, id, from, Some(&job.fence), until, waits).await?;
        } else {
            depot::release(tx, act, id, from, Some(&job.fence), &waits.reason).await?;
        }
        Ok(())
    }

    /// The program broke: not the bead's fault, unless it happens to it again and again.
    async fn after_fault(
        &self,
        tx: &mut Conn,
        job: &Job,
        from: BeadStatus,
        outcome: &Outcome,
    ) -> Result<(), ForemanError> {
        let (act, id) = (self.ctx.act(), &job.bead.id);
        let attempts = depot::attempts_of(tx, id).await?;
        // By its kind: whether a silent one fell silent at once is chance.
        let same = |a: &&Attempt| a.status == outcome.class.as_str();
        if attempts.iter().rev().take_while(same).count() >= SAME_FAULT {
            let (p, rule, said) = (&job.provider, outcome.rule, &outcome.message);
            let error = format!("{p} ended {SAME_FAULT} times in a row by {rule}: {said}");
            depot::fail(tx, act, id, from, Some(&job.fence), &error).await?;
        } else {
            depot::release(tx, act, id, from, Some(&job.fence), &outcome.message).await?;
        }
        Ok(())
    }

    /// The attempt failed by itself: again with that as feedback, until it has failed too often.
    async fn count_failure(
        &self,
        tx: &mut Conn,
        active: &Active,
        from: BeadStatus,
        reason: &str,
    ) -> Result<(), ForemanError> {
        let (act, job) = (self.ctx.act(), &active.job);
        self.learn(tx, active, model::Verdict::Failed, None, Some(reason))
            .await?;
        if job.bead.failures + 1 >= i64::from(self.ctx.settings.gate.max_attempts) {
            depot::fail(tx, act, &job.bead.id, from, Some(&job.fence), reason).await?;
        } else {
            depot::release(tx, act, &job.bead.id, from, Some(&job.fence), reason).await?;
            depot::count_failure(tx, &job.bead.id, reason).await?;
        }
        Ok(())
    }

    /// A stage's task panicked. Its bead fails with what is known; everything else goes on.
    pub(super) async fn stage_broke(
        &mut self,
        id: &BeadId,
        panic: &str,
    ) -> Result<(), ForemanError> {
        let Some(active) = self.active.remove(id) else {
            return Ok(());
        };
        self.leave_merge(&active.job);
        let ctx = &self.ctx.clone();
        crate::process::end_marked(
            &active.job.marker,
            None,
            std::time::Duration::from_secs(2),
            &ctx.clock,
        )
        .await;
        let mut tx = ctx.db.write().await?;
        account::charge_lost(&mut tx, ctx.act(), active.job.attempt, id).await?;
        let from = current(&mut tx, &active.job).await?;
        let error = format!(
            "an error inside rigs: {}",
            crate::core::text::one_line(panic, 300)
        );
        if from.apply(BeadEvent::Fail).is_ok() {
            depot::fail(
                &mut tx,
                ctx.act(),
                id,
                from,
                Some(&active.job.fence),
                &error,
            )
            .await?;
        }
        tx.commit().await?;
        tracing::error!(bead = %id, "{error}");
        Ok(())
    }

    /// Takes up a bead whose run had ended before the last foreman died.
    pub(super) fn adopt(&mut self, job: Job, found: super::recover::Found) {
        let id = job.bead.id.clone();
        let state = job.bead.status;
        let mut active = Active::new(job, self.ctx.clock.now());
        active.output = found.output;
        active.commit = found.commit;
        active.model = found.model;
        self.active.insert(id.clone(), active);
        if state == BeadStatus::Reviewing {
            self.spawn_review(&id);
        } else {
            self.enter_merge(&id);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterRun {
    Review,
    Gone,
}

/// The state of the bead while this attempt holds it; `None` when it was cancelled or taken over.
async fn still_ours(conn: &mut Conn, job: &Job) -> Result<Option<BeadStatus>, ForemanError> {
    let bead = depot::get(conn, &job.bead.id).await?;
    let ours = bead.filter(|b| {
        b.attempt == job.fence.attempt && b.lease_owner.as_deref() == Some(&job.fence.owner)
    });
    Ok(ours.map(|b| b.status))
}

async fn current(conn: &mut Conn, job: &Job) -> Result<BeadStatus, ForemanError> {
    let bead = depot::get(conn, &job.bead.id).await?;
    Ok(bead
        .ok_or_else(|| DepotError::NoBead(job.bead.id.clone()))?
        .status)
}

fn end_of(report: &RunReport) -> AttemptEnd {
    AttemptEnd {
        status: report.outcome.class.as_str().to_owned(),
        rule: Some(report.outcome.rule.to_owned()),
        message: Some(
            report
                .no_place
                .clone()
                .unwrap_or_else(|| report.outcome.message.clone()),
        ),
        session_id: report.session.clone(),
        model: report.model.clone(),
        commit_id: report.commit.clone(),
        exit_code: report.exit_code,
    }
}
