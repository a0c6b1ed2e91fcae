//! Who could take a bead now, and the decision about it; nothing is changed here.

use serde_json::json;

use super::super::context::Provider;
use super::super::{Context, ForemanError};
use super::READY;
use super::budgets;
use super::candidates::{Ground, candidates, facts, model_for};
use super::going_on::Refused;
use super::sight::Sight;
use crate::config::Strategy;
use crate::core::{BeadId, Capability, ConvoyId, ProviderName, TaskType, Timestamp};
use crate::db::Conn;
use crate::depot::store as depot;
use crate::depot::{Attempt, Ready};
use crate::dispatch::explore::{Quota, Stakes, explore};
use crate::dispatch::{Advice, Candidate, Decision, decide};
use crate::policy::{Facts, Modify, Policy, Reached};
use crate::refinery::Ask;

/// What is decided about one ready bead.
pub(super) struct Judged {
    pub(super) decision: Decision,
    /// The run is given to learn how well its provider does this kind of task.
    pub(super) explores: bool,
    /// For `rigs why`.
    pub(super) reasons: serde_json::Value,
    pub(super) last: Option<Attempt>,
    pub(super) refused: Refused,
}

pub(super) async fn judge(
    ctx: &Context,
    policy: &Policy,
    bead: &Ready,
    sight: &Sight,
    advice: Option<&Advice>,
) -> Result<Judged, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let hinted = super::super::trusted::hinted(ctx, &mut conn, bead).await?;
    let ctx = hinted.as_ref().unwrap_or(ctx);
    let last = depot::last_attempt(&mut conn, &bead.id).await?;
    let refused = Refused(depot::refused_by(&mut conn, &bead.id).await?);
    let budgets = budgets::read(ctx, &mut conn, bead, &sight.tanks, ctx.clock.now()).await?;
    if let Some(Reached { reason, until }) = budgets.everywhere().reached {
        let decision = match until {
            Some(until) => Decision::Defer {
                provider: None,
                window: None,
                until,
                reason,
            },
            None => Decision::Impossible { reason },
        };
        return Ok(Judged {
            decision,
            explores: false,
            reasons: json!({ "policy": policy.hash }),
            last,
            refused,
        });
    }
    let ground = Ground {
        ctx,
        policy,
        sight,
        budgets: &budgets,
        refused: &refused,
        now: ctx.clock.now(),
    };
    let candidates = candidates(&ground, bead, last.as_ref());
    let strategy = bead.strategy.unwrap_or(ctx.settings.routing.strategy);
    let (decision, considered) = decide(&candidates, strategy, advice);
    // Nobody learns at the cost of what the plan keeps for another bead.
    let free: Vec<Candidate> = candidates
        .into_iter()
        .filter(|c| advice.is_none_or(|a| !a.holds.contains_key(&c.provider)))
        .collect();
    let mut reasons =
        json!({ "strategy": strategy, "policy": policy.hash, "considered": considered });
    let other = elsewhere(&ground, &mut conn, bead, &free, &decision).await?;
    let explores = other.is_some();
    if let (Some(_), Decision::Run { provider, .. }) = (&other, &decision) {
        reasons["explored_instead_of"] = json!(provider);
    }
    Ok(Judged {
        decision: other.unwrap_or(decision),
        explores,
        reasons,
        last,
        refused,
    })
}

/// The decision to learn something by this bead, instead of giving it to the best.
async fn elsewhere(
    g: &Ground<'_>,
    conn: &mut Conn,
    bead: &Ready,
    candidates: &[Candidate],
    decision: &Decision,
) -> Result<Option<Decision>, ForemanError> {
    let routing = &g.ctx.settings.routing;
    let (outcomes, tried) = g.sight.records.at(bead.task_type);
    let quota = Quota {
        share: if routing.learn { routing.explore } else { 0.0 },
        outcomes,
        tried,
    };
    let strategy = bead.strategy.unwrap_or(routing.strategy);
    let Decision::Run { provider: best, .. } = decision else {
        return Ok(None);
    };
    if !quota.has_room() || strategy == Strategy::Conservative {
        return Ok(None);
    }
    let own = depot::get(conn, &bead.id).await?.and_then(|b| b.deadline);
    let convoy = match &bead.convoy_id {
        Some(id) => depot::convoy(conn, id).await?.and_then(|c| c.deadline),
        None => None,
    };
    let stakes = Stakes {
        priority: bead.priority,
        permission: bead.permission,
        has_deadline: own.or(convoy).is_some(),
        is_first_attempt: bead.attempt == 0,
    };
    Ok(
        explore(candidates, best, stakes, quota).map(|c| Decision::Run {
            provider: c.provider.clone(),
            model: c.model.clone(),
            modify: Modify::default(),
        }),
    )
}

/// What the policy says about a bead on each provider, with the facts it was told.
pub(crate) async fn told_of(
    ctx: &Context,
    policy: &Policy,
    bead: &Ready,
    now: Timestamp,
) -> Result<Vec<Facts>, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let sight = Sight::of(ctx, policy, &mut conn, now).await?;
    let budgets = budgets::read(ctx, &mut conn, bead, &sight.tanks, now).await?;
    let ground = Ground {
        ctx,
        policy,
        sight: &sight,
        budgets: &budgets,
        refused: &Refused::default(),
        now,
    };
    let only = bead.convoy_provider.as_ref();
    let all = ctx
        .providers
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name));
    Ok(all
        .map(|(name, p)| {
            let model = model_for(bead, name, p);
            facts(&ground, bead, name, model.as_deref())
        })
        .collect())
}

/// The ready beads of a convoy with the reason why nobody can take them; empty as soon as one
/// of them can be taken, now or later.
pub(crate) async fn stuck(
    ctx: &Context,
    convoy: &ConvoyId,
) -> Result<Vec<(BeadId, String)>, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let ready = depot::ready(&mut conn, Some(std::slice::from_ref(convoy)), READY).await?;
    let sight = Sight::of(ctx, &ctx.policy, &mut conn, ctx.clock.now()).await?;
    drop(conn);
    let mut stuck = Vec::new();
    for bead in ready {
        match judge(ctx, &ctx.policy, &bead, &sight, None).await?.decision {
            Decision::Impossible { reason } => stuck.push((bead.id, reason)),
            Decision::Run { .. }
            | Decision::Defer { .. }
            | Decision::Wait { .. }
            | Decision::Keep { .. }
            | Decision::TooLarge { .. }
            | Decision::Forbidden { .. } => return Ok(Vec::new()),
        }
    }
    Ok(stuck)
}

/// How many tokens an agent uses in a minute and in a request, cache reads aside, until its own
/// pace is learned: guesses. They matter to windows of minutes, which a run outlasts.
const TOKENS_PER_MINUTE: u64 = 10_000;
const TOKENS_PER_REQUEST: u64 = 5_000;

/// What a bead asks of a provider: of an agent over many minutes, of a model at once.
pub(super) fn ask(bead: &Ready, model: Option<&str>, p: &Provider) -> Ask {
    let estimate = bead.estimate();
    let ask = Ask::of(&estimate, model);
    if !p.entry.can(Capability::Edit) {
        return ask;
    }
    let minutes = (estimate.p50 / TOKENS_PER_MINUTE).max(1);
    Ask {
        requests: (ask.tokens / TOKENS_PER_REQUEST).max(1),
        lasts: Some(std::time::Duration::from_mins(minutes)),
        ..ask
    }
}

/// What the beads of a goal are to run on, as far as a person said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub(crate) provider: Option<ProviderName>,
    pub(crate) strategy: Option<Strategy>,
}

/// Where a bead of this kind would go now, and why or what it would wait for.
pub(crate) async fn route(
    ctx: &Context,
    task: TaskType,
    repo: Option<&str>,
    tokens_p80: u64,
    wish: &Wish,
) -> Result<(Option<ProviderName>, String), ForemanError> {
    let tokens = i64::try_from(tokens_p80).unwrap_or(i64::MAX);
    let bead = Ready {
        id: ctx.ids.bead(5),
        title: String::new(),
        task_type: task,
        priority: crate::core::Priority::Normal,
        permission: crate::core::Permission::Edit,
        files: Vec::new(),
        estimated_tokens: tokens,
        estimate_p80: tokens,
        estimate_p95: tokens,
        estimate_source: crate::core::EstimateSource::Given,
        preferred_provider: None,
        preferred_model: None,
        assigned_provider: None,
        attempt: 0,
        convoy_id: None,
        convoy_name: None,
        repo: repo.map(str::to_owned),
        convoy_provider: wish.provider.clone(),
        strategy: wish.strategy,
        convoy_max_parallel: None,
        budget_tokens: None,
        budget_micro_usd: None,
        rank: 0,
        due_at: None,
    };
    let mut conn = ctx.db.read().await?;
    let sight = Sight::of(ctx, &ctx.policy, &mut conn, ctx.clock.now()).await?;
    let ground = Ground {
        ctx,
        policy: &ctx.policy,
        sight: &sight,
        budgets: &budgets::Budgets::default(),
        refused: &Refused::default(),
        now: ctx.clock.now(),
    };
    let (decision, considered) = decide(
        &candidates(&ground, &bead, None),
        bead.strategy.unwrap_or(ctx.settings.routing.strategy),
        None,
    );
    Ok(match decision {
        Decision::Run { provider, .. } => {
            let score = considered
                .iter()
                .find(|c| c.provider == provider)
                .map_or(0.0, |c| c.score);
            (Some(provider), format!("score {score:.2}"))
        }
        Decision::Defer {
            provider, until, ..
        } => {
            let whom = provider.map_or(String::new(), |p| format!(" for {p}"));
            (None, format!("waits{whom} until {until}"))
        }
        Decision::Wait { reason }
        | Decision::Keep { reason, .. }
        | Decision::TooLarge { reason }
        | Decision::Forbidden { reason }
        | Decision::Impossible { reason } => (None, reason),
    })
}
