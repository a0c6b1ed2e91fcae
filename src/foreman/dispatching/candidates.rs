//! Everybody who could take a bead, with the room that tank, budgets and policy leave there.

use super::super::Context;
use super::super::context::Provider;
use super::budgets::Budgets;
use super::going_on::{Continuation, Refused};
use super::judge::ask;
use super::sight::Sight;
use crate::core::{Capability, MicroUsd, ProviderKind, ProviderName, Timestamp};
use crate::depot::{Attempt, Ready};
use crate::dispatch::affinity::{Affinity, prior};
use crate::dispatch::{Candidate, Room, rule};
use crate::policy::{Facts, Policy, WindowFacts, evaluate};
use crate::refinery::stored::scope_text;
use crate::refinery::{Admit, Ask, Health, Tank, Why, admit};

/// What candidates are made of, beside the bead.
pub(super) struct Ground<'a> {
    pub(super) ctx: &'a Context,
    pub(super) policy: &'a Policy,
    pub(super) sight: &'a Sight,
    pub(super) budgets: &'a Budgets,
    /// Whose work on the bead was refused so far.
    pub(super) refused: &'a Refused,
    pub(super) now: Timestamp,
}

/// Every enabled provider, with its room for this bead.
pub(super) fn candidates(g: &Ground<'_>, bead: &Ready, last: Option<&Attempt>) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let mut sent: Vec<(usize, ProviderName)> = Vec::new();
    for (name, p) in g.ctx.providers.iter() {
        let mut candidate = candidate(g, bead, last, name, p);
        let facts = facts(g, bead, name, candidate.model.as_deref());
        let verdict = evaluate(g.policy, &facts, g.now);
        if let Some(model) = verdict.modify.model.clone().filter(|_| !is_simulated(p)) {
            candidate.room = room_of(g, bead, name, p, Some(&model));
            candidate.affinity = affinity(g, bead, name, p, Some(&model));
            candidate.model = Some(model);
        }
        if let Some(to) = rule(&mut candidate, verdict) {
            sent.push((all.len(), to));
        }
        all.push(candidate);
    }
    for (from, to) in sent {
        match all.iter_mut().find(|c| c.provider == to) {
            Some(target) => target.preferred = true,
            None => {
                if let Room::Never { reason } = &mut all[from].room {
                    *reason =
                        format!("{reason}, and {to} is not among the providers that are enabled");
                    all[from].is_denied = true;
                }
            }
        }
    }
    all
}

fn candidate(
    g: &Ground<'_>,
    bead: &Ready,
    last: Option<&Attempt>,
    name: &ProviderName,
    p: &Provider,
) -> Candidate {
    let routing = &g.ctx.settings.routing;
    let preferred = wanted(bead) == Some(name);
    let model = model_for(bead, name, p);
    let tank = g.sight.tank(name);
    Candidate {
        provider: name.clone(),
        room: room_of(g, bead, name, p, model.as_deref()),
        affinity: affinity(g, bead, name, p, model.as_deref()),
        place: place(routing, name, p.kind),
        ratio: tank.and_then(|t| t.ratio),
        red: tank.is_some_and(|t| matches!(t.health, Health::Red | Health::Empty)),
        green: tank.is_none_or(|t| matches!(t.health, Health::Green | Health::Unknown)),
        next_reset: tank.and_then(|t| t.next_reset),
        spare: tank.map_or(0.0, |t| t.spare),
        has_session: Continuation::of(p, name, last, g.refused).session.is_some(),
        worn: g.refused.is_worn(name),
        preferred,
        model,
        ruled: None,
        is_denied: false,
    }
}

/// By the settings that hold for this bead and by what became of earlier work.
pub(super) fn affinity(
    g: &Ground<'_>,
    bead: &Ready,
    name: &ProviderName,
    p: &Provider,
    model: Option<&str>,
) -> Affinity {
    let task = bead.task_type;
    let prior = prior(name, p.kind, &p.entry, &g.ctx.settings.routing, task);
    Affinity::of(prior, g.sight.records.get(name, model, task), g.now)
}

/// The provider that the person named.
pub(super) fn wanted(bead: &Ready) -> Option<&ProviderName> {
    let own = bead.preferred_provider.as_ref();
    own.or(bead.convoy_provider.as_ref())
}

/// The model that the bead would get there.
pub(super) fn model_for(bead: &Ready, name: &ProviderName, p: &Provider) -> Option<String> {
    if is_simulated(p) {
        return Some(crate::core::kind::SIMULATED.to_owned());
    }
    bead.preferred_model
        .clone()
        .filter(|_| wanted(bead).is_none_or(|wants| wants == name))
        .or_else(|| p.entry.model.clone())
}

/// Nobody wants made-up work among the real one that did not ask for it.
pub(super) fn only_simulates(
    ctx: &Context,
    bead: &Ready,
    name: &ProviderName,
    p: &Provider,
) -> bool {
    is_simulated(p) && wanted(bead) != Some(name) && !ctx.providers.values().all(is_simulated)
}

fn is_simulated(p: &Provider) -> bool {
    p.kind == ProviderKind::Sim
}

/// What tank and budgets leave.
fn room_of(
    g: &Ground<'_>,
    bead: &Ready,
    name: &ProviderName,
    p: &Provider,
    model: Option<&str>,
) -> Room {
    if bead
        .convoy_provider
        .as_ref()
        .is_some_and(|only| only != name)
    {
        return Room::Never {
            reason: "the goal is for another provider".into(),
        };
    }
    if only_simulates(g.ctx, bead, name, p) {
        return Room::Never {
            reason: format!(
                "it only simulates, and does so for what names it: `--provider {name}`"
            ),
        };
    }
    let tank = g.sight.tank(name);
    let room = room(p, bead, tank, &ask(bead, model, p), g.now);
    if matches!(room, Room::Never { .. } | Room::TooLarge { .. }) {
        return room;
    }
    match (g.budgets.at(name).reached, &room) {
        (None, _) => room,
        (Some(reached), Room::Closed { until, .. })
            if reached.until.is_some_and(|at| at < *until) =>
        {
            room
        }
        (Some(reached), _) => match reached.until {
            Some(until) => Room::Closed {
                window: "budget".to_owned(),
                until,
                reason: reached.reason,
            },
            None => Room::Never {
                reason: reached.reason,
            },
        },
    }
}

/// Nothing, where use is not billed: models of this machine, and agents that log in to a plan.
fn unbilled(p: &Provider) -> Option<MicroUsd> {
    let e = &p.entry;
    let has_key =
        e.api_key_env.is_some() || e.api_key_file.is_some() || e.api_key_command.is_some();
    let is_free = match p.kind {
        ProviderKind::Ollama | ProviderKind::Embedded | ProviderKind::Sim => true,
        ProviderKind::Claude | ProviderKind::Codex | ProviderKind::Gemini => !has_key,
        ProviderKind::Openai
        | ProviderKind::Anthropic
        | ProviderKind::Google
        | ProviderKind::Command
        | ProviderKind::Opencode => false,
    };
    is_free.then_some(MicroUsd(0))
}

/// What the policy is told about the bead on this provider.
pub(super) fn facts(
    g: &Ground<'_>,
    bead: &Ready,
    name: &ProviderName,
    model: Option<&str>,
) -> Facts {
    let tank = g.sight.tank(name);
    let budget = g.budgets.all_at(name);
    let convoy = bead.convoy_id.as_ref().map(ToString::to_string);
    Facts {
        agent: "rigs".to_owned(),
        provider: Some(name.clone()),
        model: model.map(str::to_owned),
        effort: None,
        max_tokens: None,
        task_type: Some(bead.task_type),
        priority: Some(bead.priority),
        bead: Some(bead.id.to_string()),
        convoy: convoy.into_iter().chain(bead.convoy_name.clone()).collect(),
        repo: bead.repo.clone(),
        estimated_tokens: Some(g.budgets.need().p80),
        estimated_cost: g
            .budgets
            .need()
            .cost
            .or_else(|| unbilled(g.ctx.providers.get(name)?)),
        windows: tank.map(|tank| {
            let quotas = tank
                .windows
                .iter()
                .filter(|w| w.kind != crate::core::LimitKind::Concurrency && w.covers(model));
            quotas
                .map(|w| WindowFacts {
                    name: w.name.clone(),
                    ratio: w.ratio(),
                    resets_at: w.resets_at.or(w.closed_until),
                    p_exhausted: g.sight.exhausted(name, &scope_text(&w.key.scope), &w.name),
                })
                .collect()
        }),
        in_flight: tank.map_or(0, |t| t.in_flight),
        last_start: g.sight.last_start(name),
        budget_left: Some(budget.left),
        budget_resets_at: budget.renews_at,
    }
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

/// Why the provider can never take the bead, whatever its tank holds.
pub(super) fn barred(p: &Provider, bead: &Ready) -> Option<String> {
    let edits = bead.has_repo() && bead.task_type.changes_files();
    if let Some(reason) = &p.unusable {
        return Some(reason.clone());
    }
    if edits && !p.entry.can(Capability::Edit) {
        return Some("it cannot edit files".to_owned());
    }
    (edits && bead.permission > p.entry.permission).then(|| {
        format!(
            "it may {} at most, the bead needs {}",
            p.entry.permission, bead.permission
        )
    })
}

fn room(
    p: &Provider,
    bead: &Ready,
    tank: Option<&Tank>,
    ask: &Ask,
    now: crate::core::Timestamp,
) -> Room {
    if let Some(reason) = barred(p, bead) {
        return Room::Never { reason };
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
