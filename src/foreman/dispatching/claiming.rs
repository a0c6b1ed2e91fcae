//! Carries out a decision: the claim with its reservation, and the run that begins with it.

use std::sync::Arc;

use super::Run;
use super::going_on::{Continuation, Refused, is_poisoned, session_usage};
use super::judge::ask;
use crate::core::ProviderKind;
use crate::depot::store::{self as depot, Claim};
use crate::depot::{Attempt, DepotError, Fence, Ready};
use crate::dispatch::store as dispatch;
use crate::foreman::ForemanError;
use crate::foreman::drive::{Active, Foreman};
use crate::foreman::stage::{Job, Resume};
use crate::policy::Envelope;
use crate::refinery::store::{self as refinery, Claim as Reserve};

impl Foreman {
    /// Claim, reservation and event in one transaction; then the run begins.
    pub(super) async fn claim(
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
        let from = crate::foreman::prompt::From {
            last,
            keeps_worktree: goes_on.keeps_worktree,
            resumes: resume.is_some(),
            is_small: p.kind == ProviderKind::Embedded,
        };
        let settings = crate::foreman::trusted::settings(ctx, &mut tx, convoy.as_ref()).await?;
        let ctx = &ctx.with(Arc::clone(&settings));
        let words =
            crate::foreman::prompt::words(&mut tx, ctx, &full, convoy.as_ref(), from).await?;
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
