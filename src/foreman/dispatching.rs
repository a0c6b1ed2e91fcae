//! One pass of the loop: bring back what is due, assay what is new, give ready beads to
//! providers, end what was cancelled.

mod assaying;
mod budgets;
mod candidates;
mod claiming;
mod foresight;
mod going_on;
mod judge;
mod outlook;
mod sight;

pub(super) use self::foresight::Foresight;
pub(super) use self::going_on::session_usage;
use self::judge::{Judged, judge};
pub(crate) use self::judge::{Wish, route, stuck, told_of};
pub(crate) use self::outlook::{kept, outlook_of};
use self::sight::Sight;
use super::ForemanError;
use super::drive::Foreman;
use super::orders::Scope;
use super::stage::Halt;
use crate::core::{BeadStatus, BlockCause, ConvoyId, ProviderName};
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::store as depot;
use crate::depot::{Deferral, DepotError, Ready};
use crate::dispatch::{Advice, Decision};
use crate::policy::Modify;

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
        self.still_keeps(&ready);
        if ready.is_empty() || self.is_full() {
            return Ok(());
        }
        let mut sight = self.sight(&mut conn).await?;
        let resolving = self.resolving(&mut conn).await?;
        let advised = self.foresee(&mut conn, served, &sight).await?;
        drop(conn);
        let mut told = 0;
        for bead in foresight::in_order(ready, &advised) {
            if self.is_full() {
                break;
            }
            let is_resolving = resolving.contains(&bead.id);
            if self.is_in_the_way(&bead, is_resolving) {
                continue;
            }
            let advice = self.advice(&advised, &bead.id).cloned();
            if self
                .give_out(&bead, &sight, advice.as_ref(), &mut told)
                .await?
            {
                let mut conn = self.ctx.db.read().await?;
                sight = self.sight(&mut conn).await?;
            }
        }
        Ok(())
    }

    /// Whether as much runs as may.
    fn is_full(&self) -> bool {
        self.active.len() >= self.ctx.settings.general.max_parallel.max(1) as usize
    }

    async fn sight(&self, conn: &mut Conn) -> Result<Sight, ForemanError> {
        Sight::of(&self.ctx, self.policy.policy(), conn, self.ctx.clock.now()).await
    }

    /// Decides about one bead and does it; whether capacity changed hands.
    async fn give_out(
        &mut self,
        bead: &Ready,
        sight: &Sight,
        advice: Option<&Advice>,
        told: &mut usize,
    ) -> Result<bool, ForemanError> {
        let Judged {
            decision,
            explores,
            reasons,
            last,
            refused,
        } = judge(&self.ctx, self.policy.policy(), bead, sight, advice).await?;
        if !matches!(decision, Decision::Keep { .. }) {
            self.stop_keeping(&bead.id);
        }
        match decision {
            Decision::Keep {
                provider,
                until,
                reason,
            } => {
                if self.keep(bead, &provider, until, &reason) && *told < foresight::TOLD {
                    *told += 1;
                    let mut tx = self.ctx.db.write().await?;
                    self.decided(&mut tx, bead, "keep", &reasons).await?;
                    tx.commit().await?;
                }
                Ok(false)
            }
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
}
