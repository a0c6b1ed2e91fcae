//! The board of the planner from the store: the same candidates, windows, verdicts and budgets that
//! a decision about one bead uses, for all beads that are not over. Read as a set, because it is
//! made at every event.

use std::collections::BTreeMap;

use super::super::context::Provider;
use super::super::{Context, ForemanError};
use super::budgets::{self, Budgets};
use super::candidates::{Ground, affinity, barred, facts, model_for, only_simulates, wanted};
use super::foresight::SEED;
use super::going_on::{Continuation, Refused};
use super::judge::ask;
use super::sight::Sight;
use crate::config::Strategy;
use crate::core::{BeadId, BeadStatus, ConvoyId, MicroUsd, ProviderName, Timestamp};
use crate::db::Conn;
use crate::depot::store::{self as depot, Queue};
use crate::depot::{Attempt, Open, Ready};
use crate::dispatch::board::{Boarded, Job, LaneOf, WhatIf, board};
use crate::dispatch::plan::{EFFORT, Memory, plan};
use crate::dispatch::{advise, is_worthwhile};
use crate::policy::{Action, Policy, Verdict, evaluate};
use crate::refinery::{Admit, Ask, Why, admit};

/// Going on with a session saves reading everything again; as in [`crate::dispatch::decide`].
const SESSION: f64 = 1.5;
/// Beads that were tried before, of which the last attempt is asked for.
const TRIED: usize = 200;

/// The same board as the loop would make of the whole store at `at`.
pub(crate) async fn outlook_of(
    ctx: &Context,
    conn: &mut Conn,
    at: Timestamp,
    what_if: &[WhatIf],
) -> Result<Boarded, ForemanError> {
    let sight = Sight::of(ctx, &ctx.policy, conn, at).await?;
    let queue = depot::open_queue(conn, None).await?;
    outlook(ctx, &ctx.policy, conn, &sight, queue, (at, what_if)).await
}

/// Why a bead that has room somewhere is kept waiting by the plan, if it is; as the loop would
/// answer that makes its first plan now.
pub(crate) async fn kept(
    ctx: &Context,
    conn: &mut Conn,
    bead: &BeadId,
) -> Result<Option<String>, ForemanError> {
    let board = outlook_of(ctx, conn, ctx.clock.now(), &[]).await?;
    if !is_worthwhile(&board) {
        return Ok(None);
    }
    let plan = plan(&board.board, &mut Memory::default(), SEED, EFFORT);
    let mut advised = advise(&board, &plan);
    let advice = advised.of.remove(bead);
    let holds = advice.into_iter().flat_map(|a| a.holds.into_values());
    let reasons: Vec<String> = holds.map(|hold| hold.reason).collect();
    Ok((!reasons.is_empty()).then(|| format!("waits: {}", reasons.join("; "))))
}

/// What the queue looks like, as a board. `what_if` supposes changes of providers.
pub(super) async fn outlook(
    ctx: &Context,
    policy: &Policy,
    conn: &mut Conn,
    sight: &Sight,
    queue: Queue,
    (now, what_if): (Timestamp, &[WhatIf]),
) -> Result<Boarded, ForemanError> {
    let lanes: Vec<(&ProviderName, &Provider)> = ctx
        .providers
        .iter()
        .filter(|(name, p)| p.unusable.is_none() && has_place(sight, name, now))
        .filter(|(name, _)| !what_if.iter().any(|w| w.provider() == *name && w.is_off()))
        .take(crate::dispatch::plan::MAX_LANES)
        .collect();
    let mut reader = Reader {
        ctx,
        policy,
        sight,
        now,
        lanes: &lanes,
        hints: BTreeMap::new(),
        budgets: BTreeMap::new(),
        tried: 0,
    };
    let Queue { beads, mut waits } = queue;
    let mut jobs = Vec::with_capacity(beads.len());
    for (place, open) in beads.into_iter().enumerate() {
        let waits = waits.remove(&open.ready.id).unwrap_or_default();
        if let Some(mut job) = reader.job(conn, open).await? {
            job.waits = waits;
            job.place = place;
            jobs.push(job);
        }
    }
    let lanes: Vec<LaneOf<'_>> = lanes
        .iter()
        .map(|(name, p)| LaneOf {
            provider: (*name).clone(),
            tank: sight.tank(name),
            slots: p.entry.max_parallel,
            model: p.entry.model.as_deref(),
            pace: None,
            closed_until: pauses(sight, name, now),
            what_if: what_if.iter().rev().find(|w| w.provider() == *name),
        })
        .collect();
    Ok(board(now, ctx.settings.general.max_parallel, &lanes, jobs))
}

/// Nothing at all: whether anything of the provider but its windows keeps runs off.
fn nothing() -> Ask {
    Ask {
        tokens: 0,
        requests: 0,
        cost: MicroUsd(0),
        spread: 0.0,
        lasts: None,
        model: None,
    }
}

fn has_place(sight: &Sight, name: &ProviderName, now: Timestamp) -> bool {
    let refused = sight.tank(name).map(|t| admit(t, &nothing(), now));
    !matches!(refused, Some(Admit::No(no)) if no.why == Why::Disabled)
}

/// Until when it pauses after errors.
fn pauses(sight: &Sight, name: &ProviderName, now: Timestamp) -> Option<Timestamp> {
    match admit(sight.tank(name)?, &nothing(), now) {
        Admit::No(no) if no.why == Why::Paused => no.until,
        Admit::No(_) | Admit::Yes => None,
    }
}

struct Reader<'a> {
    ctx: &'a Context,
    policy: &'a Policy,
    sight: &'a Sight,
    now: Timestamp,
    lanes: &'a [(&'a ProviderName, &'a Provider)],
    /// What the repository of a convoy may say about who does its work best.
    hints: BTreeMap<ConvoyId, Option<Context>>,
    /// As they stand for the beads of a convoy.
    budgets: BTreeMap<Option<ConvoyId>, Budgets>,
    tried: usize,
}

impl Reader<'_> {
    /// `None`: it may not be started, by its budget, for as long as nobody does something.
    async fn job(&mut self, conn: &mut Conn, open: Open) -> Result<Option<Job>, ForemanError> {
        use BeadStatus as S;
        let Open {
            ready,
            status,
            waits_on,
            deferred_until,
            not_before,
            began_at,
        } = open;
        let runs = matches!(
            status,
            S::Assigned | S::InProgress | S::Reviewing | S::Merging
        );
        let mut from = deferred_until.max(not_before).filter(|at| *at > self.now);
        let mut suits = vec![None; self.lanes.len()];
        if runs {
            let here = |(name, _): &(&ProviderName, &Provider)| {
                Some(*name) == ready.assigned_provider.as_ref()
            };
            if let Some(lane) = self.lanes.iter().position(here) {
                let (budgets, refused) = (Budgets::default(), Refused::default());
                let ground = Ground {
                    ctx: self.ctx,
                    policy: self.policy,
                    sight: self.sight,
                    budgets: &budgets,
                    refused: &refused,
                    now: self.now,
                };
                let (name, p) = self.lanes[lane];
                let model = model_for(&ready, name, p);
                suits[lane] = Some(affinity(&ground, &ready, name, p, model.as_deref()).value);
            }
        } else {
            let (last, refused) = self.tries(conn, &ready).await?;
            self.hint(conn, &ready).await?;
            self.budget(conn, &ready).await?;
            let reached = self.budgets[&ready.convoy_id].about(&ready);
            let reached = reached.everywhere().reached;
            match reached.map(|r| r.until) {
                Some(None) => return Ok(None),
                Some(until) => from = from.max(until),
                None => {}
            }
            let later = self.suits(&ready, last.as_ref(), &refused, &mut suits);
            from = from.max(later);
        }
        let edits = ready.has_repo() && ready.task_type.changes_files();
        Ok(Some(Job {
            estimate: ready.estimate(),
            is_ready: status == S::Queued && waits_on == 0 && from.is_none(),
            runs: ready
                .assigned_provider
                .clone()
                .filter(|_| runs)
                .map(|p| (p, began_at.unwrap_or(self.now))),
            id: ready.id,
            title: ready.title,
            convoy: ready.convoy_id,
            task: ready.task_type,
            order: ready.rank,
            place: 0,
            due: ready.due_at,
            max_parallel: ready.convoy_max_parallel,
            files: if edits { ready.files } else { Vec::new() },
            waits: Vec::new(),
            from,
            suits,
        }))
    }

    async fn tries(
        &mut self,
        conn: &mut Conn,
        bead: &Ready,
    ) -> Result<(Option<Attempt>, Refused), ForemanError> {
        if bead.attempt == 0 || self.tried >= TRIED {
            return Ok((None, Refused::default()));
        }
        self.tried += 1;
        let last = depot::last_attempt(conn, &bead.id).await?;
        Ok((last, Refused(depot::refused_by(conn, &bead.id).await?)))
    }

    async fn hint(&mut self, conn: &mut Conn, bead: &Ready) -> Result<(), ForemanError> {
        let Some(convoy) = bead.convoy_id.as_ref().filter(|_| bead.repo.is_some()) else {
            return Ok(());
        };
        if !self.hints.contains_key(convoy) {
            let hinted = super::super::trusted::hinted(self.ctx, conn, bead).await?;
            self.hints.insert(convoy.clone(), hinted);
        }
        Ok(())
    }

    /// Budgets as they stand for the first bead of its convoy; each bead's own are left to the
    /// decision about it.
    async fn budget(&mut self, conn: &mut Conn, bead: &Ready) -> Result<(), ForemanError> {
        if !self.budgets.contains_key(&bead.convoy_id) {
            let read = budgets::read(self.ctx, conn, bead, &self.sight.tanks, self.now).await?;
            self.budgets.insert(bead.convoy_id.clone(), read);
        }
        Ok(())
    }

    fn ctx_of(&self, bead: &Ready) -> &Context {
        let hinted = bead.convoy_id.as_ref().and_then(|id| self.hints.get(id));
        hinted.and_then(Option::as_ref).unwrap_or(self.ctx)
    }

    /// Who may take the bead, and how well it suits there; until when nobody may, where it is only
    /// a matter of time.
    fn suits(
        &self,
        bead: &Ready,
        last: Option<&Attempt>,
        refused: &Refused,
        suits: &mut [Option<f64>],
    ) -> Option<Timestamp> {
        let budgets = self.budgets[&bead.convoy_id].about(bead);
        let ground = Ground {
            ctx: self.ctx_of(bead),
            policy: self.policy,
            sight: self.sight,
            budgets: &budgets,
            refused,
            now: self.now,
        };
        let mut until: Vec<Option<Timestamp>> = vec![None; suits.len()];
        let mut sent: Option<ProviderName> = None;
        for (lane, (name, p)) in self.lanes.iter().enumerate() {
            let only = bead.convoy_provider.as_ref();
            let is_out = only.is_some_and(|only| only != *name)
                || barred(p, bead).is_some()
                || only_simulates(ground.ctx, bead, name, p);
            if is_out {
                continue;
            }
            let verdict = self.verdict(&ground, bead, name, p);
            if let Some(to) = verdict.as_ref().and_then(|v| v.modify.provider.clone())
                && to != **name
            {
                sent = Some(to);
                continue;
            }
            let by_policy = match verdict.map(|v| (v.action, v.until)) {
                Some((Action::Deny, _)) => continue,
                Some((Action::Delay | Action::Defer, at)) => at,
                Some((Action::Approve | Action::Warn | Action::Modify, _)) | None => None,
            };
            let by_budget = match ground.budgets.at(name).reached {
                Some(reached) if reached.until.is_none() => continue,
                Some(reached) => reached.until,
                None => None,
            };
            let session = Continuation::of(p, name, last, refused).session;
            let session = if session.is_some() { SESSION } else { 1.0 };
            let model = model_for(bead, name, p);
            let affinity = affinity(&ground, bead, name, p, model.as_deref());
            suits[lane] = Some(affinity.value * session);
            until[lane] = by_policy.max(by_budget).filter(|at| *at > self.now);
        }
        self.narrow(bead, refused, sent.as_ref(), suits);
        when(suits, &until)
    }

    fn verdict(
        &self,
        ground: &Ground<'_>,
        bead: &Ready,
        name: &ProviderName,
        p: &Provider,
    ) -> Option<Verdict> {
        if self.policy.rules.is_empty() {
            return None;
        }
        let facts = facts(ground, bead, name, model_for(bead, name, p).as_deref());
        Some(evaluate(self.policy, &facts, self.now))
    }

    /// Whom else the choice leaves out: where the policy sends it, who is preferred and has room,
    /// who is worn out by it, and by the strategy.
    fn narrow(
        &self,
        bead: &Ready,
        refused: &Refused,
        sent: Option<&ProviderName>,
        suits: &mut [Option<f64>],
    ) {
        let lane_of = |name: &ProviderName| self.lanes.iter().position(|(n, _)| *n == name);
        let keep = |suits: &mut [Option<f64>], lane: usize| {
            for (other, suits) in suits.iter_mut().enumerate() {
                *suits = suits.filter(|_| other == lane);
            }
        };
        if let Some(lane) = sent.and_then(lane_of) {
            return keep(suits, lane);
        }
        if let Some(lane) = wanted(bead).and_then(lane_of) {
            let (name, p) = self.lanes[lane];
            let ask = ask(bead, model_for(bead, name, p).as_deref(), p);
            let tank = self.sight.tank(name);
            if tank.is_none_or(|t| admit(t, &ask, self.now) == Admit::Yes) {
                return keep(suits, lane);
            }
        }
        let strategy = bead.strategy.unwrap_or(self.ctx.settings.routing.strategy);
        if strategy == Strategy::Conservative {
            let able = suits.iter().enumerate();
            let able = able.filter_map(|(l, s)| Some(((*s)?, l)));
            let best = able.fold(None, |best: Option<(f64, usize)>, this| match best {
                Some(best) if best.0 >= this.0 => Some(best),
                Some(_) | None => Some(this),
            });
            if let Some((_, lane)) = best {
                keep(suits, lane);
            }
            return;
        }
        let worn = |lane: usize| refused.is_worn(self.lanes[lane].0);
        if suits
            .iter()
            .enumerate()
            .any(|(l, s)| s.is_some() && !worn(l))
        {
            for (lane, suits) in suits.iter_mut().enumerate() {
                *suits = suits.filter(|_| !worn(lane));
            }
        }
    }
}

/// The planner knows one time for a bead, not one per provider: those that open later than the
/// first are left out until then.
fn when(suits: &mut [Option<f64>], until: &[Option<Timestamp>]) -> Option<Timestamp> {
    let able = || (0..suits.len()).filter(|l| suits[*l].is_some());
    let first = able().map(|l| until[l]).min()?;
    for lane in 0..suits.len() {
        suits[lane] = suits[lane].filter(|_| until[lane] == first);
    }
    first
}
