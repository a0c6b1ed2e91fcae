//! Who could take a bead now, and the decision about it; nothing is changed here.

use serde_json::json;

use super::super::context::Provider;
use super::super::{Context, ForemanError, account};
use super::READY;
use super::going_on::Continuation;
use crate::core::{BeadId, Capability, ConvoyId, ProviderName, TaskType};
use crate::db::Conn;
use crate::depot::store as depot;
use crate::depot::{Attempt, Ready};
use crate::dispatch::{Candidate, Decision, Room, affinity::affinity, decide};
use crate::policy::{ConvoyBudget, Spending, within_budget};
use crate::refinery::store as refinery;
use crate::refinery::{Admit, Ask, Health, Tank, Why, admit};

/// What is decided about one ready bead.
pub(super) struct Judged {
    pub(super) decision: Decision,
    /// For `rigs why`.
    pub(super) reasons: serde_json::Value,
    pub(super) last: Option<Attempt>,
}

pub(super) async fn judge(
    ctx: &Context,
    bead: &Ready,
    tanks: &[Tank],
) -> Result<Judged, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let last = depot::last_attempt(&mut conn, &bead.id).await?;
    if let Err(reason) = budget(ctx, &mut conn, bead).await? {
        return Ok(Judged {
            decision: Decision::Impossible { reason },
            reasons: json!({}),
            last,
        });
    }
    let candidates = candidates(ctx, bead, tanks, last.as_ref());
    let strategy = bead.strategy.unwrap_or(ctx.settings.routing.strategy);
    let (decision, considered) = decide(&candidates, strategy);
    Ok(Judged {
        decision,
        reasons: json!({ "strategy": strategy, "considered": considered }),
        last,
    })
}

/// The verdict of the budgets; read only where one is set.
async fn budget(
    ctx: &Context,
    conn: &mut Conn,
    bead: &Ready,
) -> Result<Result<(), String>, ForemanError> {
    let settings = &ctx.settings.budget;
    let convoy = ConvoyBudget {
        tokens: bead.budget_tokens.and_then(|n| u64::try_from(n).ok()),
        cost: bead.budget_micro_usd.map(crate::core::MicroUsd),
    };
    if *settings == crate::config::BudgetSettings::default() && convoy == ConvoyBudget::default() {
        return Ok(Ok(()));
    }
    let midnight = settings.timezone.day_began(ctx.clock.now());
    let spent = account::spending(conn, &bead.id, bead.convoy_id.as_ref(), midnight).await?;
    let spent = Spending {
        ask_tokens: u64::try_from(bead.estimate_p80).unwrap_or(0),
        ..spent
    };
    Ok(within_budget(settings, convoy, spent))
}

/// The ready beads of a convoy with the reason why nobody can take them; empty as soon as one
/// of them can be taken, now or later.
pub(crate) async fn stuck(
    ctx: &Context,
    convoy: &ConvoyId,
) -> Result<Vec<(BeadId, String)>, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let ready = depot::ready(&mut conn, Some(std::slice::from_ref(convoy)), READY).await?;
    let tanks = refinery::load(&mut conn, &ctx.tanks, ctx.clock.now()).await?;
    drop(conn);
    let mut stuck = Vec::new();
    for bead in ready {
        match judge(ctx, &bead, &tanks).await?.decision {
            Decision::Impossible { reason } => stuck.push((bead.id, reason)),
            Decision::Run { .. }
            | Decision::Defer { .. }
            | Decision::Wait { .. }
            | Decision::TooLarge { .. } => return Ok(Vec::new()),
        }
    }
    Ok(stuck)
}

pub(super) fn ask(bead: &Ready, model: Option<&str>) -> Ask {
    Ask::of(&bead.estimate(), model)
}

/// Every enabled provider, with its room for this bead.
fn candidates(
    ctx: &Context,
    bead: &Ready,
    tanks: &[Tank],
    last: Option<&Attempt>,
) -> Vec<Candidate> {
    let now = ctx.clock.now();
    ctx.providers
        .iter()
        .map(|(name, p)| {
            let wants = bead
                .preferred_provider
                .as_ref()
                .or(bead.convoy_provider.as_ref());
            let preferred = wants == Some(name);
            let model = bead
                .preferred_model
                .clone()
                .filter(|_| preferred || wants.is_none())
                .or_else(|| p.entry.model.clone());
            let tank = tanks.iter().find(|t| t.provider == *name);
            let elsewhere = bead
                .convoy_provider
                .as_ref()
                .is_some_and(|only| only != name);
            let room = if elsewhere {
                Room::Never {
                    reason: "the goal is for another provider".into(),
                }
            } else {
                room(p, bead, tank, &ask(bead, model.as_deref()), now)
            };
            Candidate {
                provider: name.clone(),
                room,
                affinity: affinity(
                    name,
                    p.kind,
                    &p.entry,
                    &ctx.settings.routing,
                    bead.task_type,
                ),
                place: place(&ctx.settings.routing, name, p.kind),
                ratio: tank.and_then(|t| t.ratio),
                red: tank.is_some_and(|t| matches!(t.health, Health::Red | Health::Empty)),
                green: tank.is_none_or(|t| matches!(t.health, Health::Green | Health::Unknown)),
                next_reset: tank.and_then(|t| t.next_reset),
                spare: tank.map_or(0.0, |t| t.spare),
                has_session: Continuation::of(p, name, last).session.is_some(),
                preferred,
                model,
            }
        })
        .collect()
}

/// Where `routing.fallback_order` names the provider, or its kind; behind all that it names
/// otherwise.
fn place(
    routing: &crate::config::RoutingSettings,
    name: &ProviderName,
    kind: crate::core::ProviderKind,
) -> usize {
    let order = &routing.fallback_order;
    let named = |word: &str| order.iter().position(|o| o.as_str() == word);
    let place = named(name.as_str()).or_else(|| named(kind.as_str()));
    place.unwrap_or(order.len())
}

fn room(
    p: &Provider,
    bead: &Ready,
    tank: Option<&Tank>,
    ask: &Ask,
    now: crate::core::Timestamp,
) -> Room {
    let never = |reason: &str| Room::Never {
        reason: reason.to_owned(),
    };
    let edits = bead.has_repo && bead.task_type.changes_files();
    if let Some(reason) = &p.unusable {
        return never(reason);
    }
    if edits && !p.entry.can(Capability::Edit) {
        return never("it cannot edit files");
    }
    if edits && bead.permission > p.entry.permission {
        return Room::Never {
            reason: format!(
                "it may {} at most, the bead needs {}",
                p.entry.permission, bead.permission
            ),
        };
    }
    let Some(Admit::No(refusal)) = tank.map(|t| admit(t, ask, now)) else {
        return Room::Yes;
    };
    let window = refusal.window.unwrap_or_default();
    match (refusal.why, refusal.until) {
        (Why::Disabled, _) => Room::Never {
            reason: refusal.reason,
        },
        (Why::TooLarge, _) => Room::TooLarge { window },
        (_, Some(until)) => Room::Closed {
            window,
            until,
            reason: refusal.reason,
        },
        (_, None) => Room::Busy {
            reason: refusal.reason,
        },
    }
}

/// Where a bead of this kind would go now, and why or what it would wait for.
pub(crate) async fn route(
    ctx: &Context,
    task: TaskType,
    has_repo: bool,
    tokens_p80: u64,
) -> Result<(Option<ProviderName>, String), ForemanError> {
    let tokens = i64::try_from(tokens_p80).unwrap_or(i64::MAX);
    let bead = Ready {
        id: ctx.ids.bead(5),
        title: String::new(),
        task_type: task,
        priority: crate::core::Priority::Normal,
        permission: crate::core::Permission::Edit,
        estimated_tokens: tokens,
        estimate_p80: tokens,
        estimate_p95: tokens,
        estimate_source: crate::core::EstimateSource::Given,
        preferred_provider: None,
        preferred_model: None,
        assigned_provider: None,
        attempt: 0,
        convoy_id: None,
        has_repo,
        convoy_provider: None,
        strategy: None,
        convoy_max_parallel: None,
        budget_tokens: None,
        budget_micro_usd: None,
    };
    let mut conn = ctx.db.read().await?;
    let tanks = refinery::load(&mut conn, &ctx.tanks, ctx.clock.now()).await?;
    let (decision, considered) = decide(
        &candidates(ctx, &bead, &tanks, None),
        ctx.settings.routing.strategy,
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
        } => (None, format!("waits for {provider} until {until}")),
        Decision::Wait { reason }
        | Decision::TooLarge { reason }
        | Decision::Impossible { reason } => (None, reason),
    })
}
