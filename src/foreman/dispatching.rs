//! One pass of the loop: bring back what is due, assay what is new, give ready beads to
//! providers, end what was cancelled.

mod assaying;
mod budgets;
mod candidates;
mod going_on;
mod judge;
mod sight;

use std::sync::Arc;

pub(super) use self::going_on::session_usage;
use self::going_on::{Continuation, Refused, is_poisoned};
use self::judge::{Judged, ask, judge};
pub(crate) use self::judge::{route, stuck, told_of};
use self::sight::Sight;
use super::ForemanError;
use super::drive::{Active, Foreman};
use super::orders::Scope;
use super::stage::{Halt, Job, Resume};
use crate::core::{BeadStatus, BlockCause, ConvoyId, ProviderName};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::store::{self as depot, Claim};
use crate::depot::{Attempt, Deferral, DepotError, Fence, Ready};
use crate::dispatch::{Decision, store as dispatch};
use crate::policy::{Envelope, Modify};
use crate::refinery::store::{self as refinery, Claim as Reserve};

/// Beads looked at per pass; the rest is looked at when these have moved.
const READY: i64 = 1000;

/// What was decided to be run.
struct Run {
    provider: ProviderName,
    model: Option<String>,
    modify: Modify,
    /// To learn how well the provider does it.
    explores: bool,
}

impl Foreman {
    pub(super) async fn pass(&mut self) -> Result<(), ForemanError> {
        self.halt_if_due();
        self.look_at_halt().await?;
        self.end_cancelled().await?;
        if !self.takes_new_work() {
            return Ok(());
        }
        self.promote().await?;
        let served = self.served().await?;
        Box::pin(self.take_up_approved(served.as_deref())).await?;
        self.assay(served.as_deref()).await?;
        self.dispatch(served.as_deref()).await?;
        self.look().await
    }

    /// The convoys that a living process waits for; `None` when the whole store is in scope.
    async fn served(&self) -> Result<Option<Vec<ConvoyId>>, ForemanError> {
        if self.scope == Scope::All {
            return Ok(None);
        }
        let mut conn = self.ctx.db.read().await?;
        let all = depot::served(&mut conn).await?;
        let lives = |who: &str| {
            let owner: Result<crate::core::id::Owner, ()> = who.parse();
            owner.is_ok_and(|o| crate::process::is_alive(o.pid, o.started))
        };
        Ok(Some(
            all.into_iter()
                .filter(|(_, who)| lives(who))
                .map(|(id, _)| id)
                .collect(),
        ))
    }

    /// Ends the stages of beads whose lease is gone: cancelled, or taken by another foreman.
    async fn end_cancelled(&mut self) -> Result<(), ForemanError> {
        if self.active.is_empty() {
            return Ok(());
        }
        let mut conn = self.ctx.db.read().await?;
        for (id, active) in &self.active {
            let held = depot::get(&mut conn, id).await?.is_some_and(|b| {
                b.attempt == active.job.fence.attempt
                    && b.lease_owner.as_deref() == Some(&self.owner)
            });
            if !held {
                active
                    .halt
                    .send_if_modified(|h| h.replace(Halt::Cancel).is_none());
                active.token.cancel();
            }
        }
        Ok(())
    }

    async fn dispatch(&mut self, served: Option<&[ConvoyId]>) -> Result<(), ForemanError> {
        self.held.clear();
        let mut conn = self.ctx.db.read().await?;
        let ready = depot::ready(&mut conn, served, READY).await?;
        if !self.has_room(!ready.is_empty()) {
            return Ok(());
        }
        let mut sight = self.sight(&mut conn).await?;
        let resolving = self.resolving(&mut conn).await?;
        drop(conn);
        for bead in ready {
            if self.active.len() >= self.ctx.settings.general.max_parallel.max(1) as usize {
                break;
            }
            let is_resolving = resolving.contains(&bead.id);
            if self.is_in_the_way(&bead, is_resolving) {
                continue;
            }
            if self.give_out(&bead, &sight).await? {
                let mut conn = self.ctx.db.read().await?;
                sight = self.sight(&mut conn).await?;
            }
        }
        Ok(())
    }

    async fn sight(&self, conn: &mut Conn) -> Result<Sight, ForemanError> {
        Sight::of(&self.ctx, self.policy.policy(), conn, self.ctx.clock.now()).await
    }

    /// Decides about one bead and does it; whether capacity changed hands.
    async fn give_out(&mut self, bead: &Ready, sight: &Sight) -> Result<bool, ForemanError> {
        let Judged {
            decision,
            explores,
            reasons,
            last,
            refused,
        } = judge(&self.ctx, self.policy.policy(), bead, sight).await?;
        match decision {
            Decision::Run {
                provider,
                model,
                modify,
            } => {
                let run = Run {
                    provider,
                    model,
                    modify,
                    explores,
                };
                self.claim(bead, run, (last.as_ref(), &refused), reasons)
                    .await
            }
            Decision::Defer {
                provider,
                window,
                until,
                reason,
            } => {
                let waits = Deferral {
                    provider,
                    window,
                    reason,
                };
                self.put_off(bead, until, &waits, &reasons).await?;
                Ok(false)
            }
            Decision::Wait { .. } => Ok(false),
            Decision::TooLarge { reason } => {
                self.block(bead, BlockCause::TooLarge, &reason, &reasons)
                    .await?;
                Ok(false)
            }
            Decision::Forbidden { reason } => {
                let lifted = "lifted when the policy changes, or by `rigs bead retry`";
                let reason = format!("the policy forbids it: {reason} ({lifted})");
                self.block(bead, BlockCause::Policy, &reason, &reasons)
                    .await?;
                Ok(false)
            }
            Decision::Impossible { reason } => {
                self.held.push((bead.id.clone(), reason));
                Ok(false)
            }
        }
    }

    async fn put_off(
        &self,
        bead: &Ready,
        until: crate::core::Timestamp,
        waits: &Deferral,
        reasons: &serde_json::Value,
    ) -> Result<(), ForemanError> {
        let mut tx = self.ctx.db.write().await?;
        let (act, from) = (self.ctx.act(), BeadStatus::Queued);
        match depot::defer(&mut tx, act, &bead.id, from, None, until, waits).await {
            Err(DepotError::LostRace { .. }) => Ok(()),
            other => {
                other?;
                self.decided(&mut tx, bead, "defer", reasons).await?;
                Ok(self.ctx.commit(tx, "bead.deferred").await?)
            }
        }
    }

    async fn block(
        &self,
        bead: &Ready,
        cause: BlockCause,
        reason: &str,
        reasons: &serde_json::Value,
    ) -> Result<(), ForemanError> {
        let mut tx = self.ctx.db.write().await?;
        let (act, from) = (self.ctx.act(), BeadStatus::Queued);
        match depot::block(&mut tx, act, &bead.id, from, None, cause, reason).await {
            Err(DepotError::LostRace { .. }) => Ok(()),
            other => {
                other?;
                self.decided(&mut tx, bead, "block", reasons).await?;
                Ok(tx.commit().await?)
            }
        }
    }

    /// The reasons of a decision that is no claim, beside the step it led to.
    async fn decided(
        &self,
        tx: &mut Conn,
        bead: &Ready,
        decision: &str,
        reasons: &serde_json::Value,
    ) -> Result<(), ForemanError> {
        let mut payload = reasons.clone();
        payload["decision"] = decision.into();
        let act = self.ctx.act();
        let event = NewEvent::new(EventType::DispatchDecided, act.who)
            .bead(&bead.id)
            .convoy(bead.convoy_id.as_ref())
            .payload(payload);
        Ok(events::append(tx, act.ids, act.now, event).await?)
    }

    /// Claim, reservation and event in one transaction; then the run begins.
    async fn claim(
        &mut self,
        bead: &Ready,
        run: Run,
        (last, refused): (Option<&Attempt>, &Refused),
        decision: serde_json::Value,
    ) -> Result<bool, ForemanError> {
        let ctx = &self.ctx.clone();
        let Run {
            provider,
            model,
            modify,
            explores,
        } = run;
        let provider = &provider;
        let p = ctx.provider(provider)?;
        let number = bead.attempt + 1;
        // With the process in it: nobody else's run on this machine can bear the same mark.
        let marker = format!("{}-{}", self.owner, ctx.ids.token());
        let log = ctx.paths.attempt_log(&bead.id, number);
        let mut goes_on = Continuation::of(p, provider, last, refused);
        let mut tx = ctx.db.write().await?;
        // Stopped since this pass began.
        if depot::halted(&mut tx).await?.is_some() {
            return Ok(false);
        }
        if let Some(last) = last {
            // Done again on top of what was merged meanwhile, else it would meet it again.
            let conflict = depot::met_conflict(&mut tx, &bead.id, last.id).await?;
            goes_on.keeps_worktree &= !conflict;
        }
        let session = match (&goes_on.session, last) {
            (Some(id), Some(_)) if !is_poisoned(&mut tx, &bead.id, id).await? => Some(id.clone()),
            _ => None,
        };
        let request = Claim {
            bead: &bead.id,
            after_attempt: bead.attempt,
            provider,
            model: model.as_deref(),
            owner: &self.owner,
            lease_until: self.lease_until(),
            resumes: session.as_deref(),
            marker: &marker,
            log_path: &log.to_string_lossy(),
            decision,
        };
        let attempt = match depot::claim(&mut tx, ctx.act(), request).await {
            Err(DepotError::LostRace { .. }) => return Ok(false),
            other => other?,
        };
        let reserve = Reserve {
            attempt,
            bead: bead.id.clone(),
            convoy: bead.convoy_id.clone(),
            owner: self.owner.clone(),
            ask: ask(bead, model.as_deref(), p),
            expires_at: self.lease_until(),
        };
        let reserved = refinery::reserve(
            &mut tx,
            &ctx.ids,
            ctx.clock.now(),
            ctx.tank(provider)?,
            &reserve,
        )
        .await?;
        if let Err(refusal) = reserved {
            tracing::debug!(bead = %bead.id, "{provider} has no room after all: {}", refusal.reason);
            return Ok(false);
        }
        if explores {
            let (model, task) = (model.as_deref(), bead.task_type);
            dispatch::tried(&mut tx, provider, model, task, ctx.clock.now()).await?;
        }
        let full = depot::get(&mut tx, &bead.id)
            .await?
            .ok_or_else(|| DepotError::NoBead(bead.id.clone()))?;
        let convoy = match &full.convoy_id {
            Some(id) => depot::convoy(&mut tx, id).await?,
            None => None,
        };
        let resolves = depot::resolves(&mut tx, &bead.id).await?;
        let resume = match session {
            None => None,
            Some(session) => {
                let before = session_usage(&mut tx, &bead.id, &session).await?;
                Some(Resume { session, before })
            }
        };
        let from = super::prompt::From {
            last,
            keeps_worktree: goes_on.keeps_worktree,
            resumes: resume.is_some(),
            is_small: p.kind == crate::core::ProviderKind::Embedded,
        };
        let settings = super::trusted::settings(ctx, &mut tx, convoy.as_ref()).await?;
        let ctx = &ctx.with(Arc::clone(&settings));
        let words = super::prompt::words(&mut tx, ctx, &full, convoy.as_ref(), from).await?;
        ctx.commit(tx, "bead.claimed").await?;
        let job = Job {
            envelope: Envelope::new(&ctx.settings.budget, full.estimate().p95, modify.max_tokens),
            effort: modify.effort,
            fence: Fence {
                attempt: number,
                owner: self.owner.clone(),
            },
            bead: full,
            convoy,
            settings,
            attempt,
            provider: provider.clone(),
            model,
            resume,
            keeps_worktree: goes_on.keeps_worktree,
            base_commit: last
                .filter(|_| goes_on.keeps_worktree)
                .and_then(|a| a.base_commit.clone()),
            resolves,
            marker,
            log,
            prompt: words.prompt,
            system: words.system,
        };
        self.spawn_run(Active::new(job, ctx.clock.now()));
        Ok(true)
    }
}
