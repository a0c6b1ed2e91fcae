//! The store and the tanks as a board of the planner.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{LimitUnit, ProviderSettings, Settings};
use crate::core::{
    BeadId, BeadStatus, Capability, ConvoyId, ConvoyStatus, LimitKind, Priority, ProviderName,
    Timestamp,
};
use crate::depot::{Bead, Convoy};
use crate::dispatch::affinity::{Affinity, prior};
use crate::dispatch::outcomes::Records;
use crate::dispatch::plan::{Board, Fit, Lane, MAX_LANES, Progress, Window, Work};
use crate::refinery::{Tank, TankWindow};

/// What a plan is made for.
pub(crate) struct Ground<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) tanks: &'a [Tank],
    /// What became of earlier attempts.
    pub(crate) records: &'a Records,
    pub(crate) now: Timestamp,
    pub(crate) what_if: &'a [WhatIf],
}

/// A change of one provider that is only supposed: `claude=off`, `claude=2x`, `claude=4`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WhatIf {
    provider: ProviderName,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Off,
    /// Its windows hold so many times as much.
    Times(f64),
    Slots(u32),
}

impl WhatIf {
    pub(crate) fn provider(&self) -> &ProviderName {
        &self.provider
    }
}

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            let text = crate::core::text::one_line(text, 60);
            format!("`{text}` is none of NAME=off, NAME=2x (its windows), NAME=4 (runs at once)")
        };
        let (name, change) = text.split_once('=').ok_or_else(bad)?;
        let times = |t: &str| t.parse().ok().filter(|t| (0.01..=1000.0).contains(t));
        let change = match (change, change.strip_suffix('x')) {
            ("off", _) => Change::Off,
            (_, Some(t)) => Change::Times(times(t).ok_or_else(bad)?),
            (n, None) => Change::Slots(n.parse().ok().filter(|n| *n <= 10_000).ok_or_else(bad)?),
        };
        Ok(Self {
            provider: name.parse().map_err(|_| bad())?,
            change,
        })
    }
}

/// The board with what its numbers stand for.
pub(super) struct Boarded {
    pub(super) board: Board,
    /// Of [`Board::works`].
    pub(super) beads: Vec<Bead>,
    /// Of [`Board::lanes`].
    pub(super) lanes: Vec<ProviderName>,
    /// Names of the lanes' windows; empty: nothing that is counted in tokens.
    pub(super) windows: Vec<Vec<String>>,
    /// Standard deviation of the logarithm of need over estimate, per bead.
    pub(super) spreads: Vec<f64>,
    /// Open beads that cannot be planned, and why.
    pub(super) held: Vec<(Bead, String)>,
}

/// How many tokens an agent uses in a minute: a guess.
const TOKENS_PER_MINUTE: f64 = 10_000.0;
const LEAST_RUN_MS: i64 = 30_000;
/// Of a bead that nobody has estimated yet.
const UNKNOWN_TOKENS: u64 = 20_000;
/// A provider that suits badly is not taken to need more than so many times as much.
const LEAST_AFFINITY: f64 = 0.2;
/// The normal quantile of 0.8.
const Z80: f64 = 0.8416;

pub(super) fn board(
    g: &Ground<'_>,
    beads: Vec<Bead>,
    waits: &BTreeMap<BeadId, Vec<BeadId>>,
    convoys: &BTreeMap<ConvoyId, Convoy>,
) -> Boarded {
    let mut all: Vec<(&ProviderName, &ProviderSettings, Lane, Vec<String>)> = Vec::new();
    for (name, entry) in &g.settings.providers {
        let change = g.what_if.iter().rev().find(|w| w.provider == *name);
        let change = change.map(|w| w.change);
        if !entry.enabled || entry.kind.is_none() || change == Some(Change::Off) {
            continue;
        }
        let tank = g.tanks.iter().find(|t| t.provider == *name);
        let (lane, windows) = lane(entry, tank, change, g.now);
        if lane.slots > 0 && all.len() < MAX_LANES {
            all.push((name, entry, lane, windows));
        }
    }
    let (beads, held) = in_order(beads, waits, convoys);
    let place: BTreeMap<&BeadId, u32> = beads.iter().map(|b| &b.id).zip(0..).collect();
    let works = beads.iter().enumerate().map(|(i, bead)| {
        let convoy = bead.convoy_id.as_ref().and_then(|id| convoys.get(id));
        let fits: Vec<Option<Fit>> = all
            .iter()
            .map(|(name, entry, ..)| {
                let suits = may(bead, convoy, name, entry);
                suits.then(|| fit(g, bead, name, entry))
            })
            .collect();
        let deps = waits.get(&bead.id).into_iter().flatten();
        Work {
            id: i as u64,
            kind: bead.task_type as u8,
            rank: (Priority::Critical.level() - bead.priority.level()).max(0) as u32,
            from_ms: [bead.not_before, bead.deferred_until]
                .into_iter()
                .flatten()
                .max()
                .map_or(i64::MIN, Timestamp::millis),
            due_ms: bead
                .deadline
                .or(convoy.and_then(|c| c.deadline))
                .map(Timestamp::millis),
            progress: progress(bead, &fits, &all, g.now),
            fits,
            deps: deps.filter_map(|d| place.get(d)).copied().collect(),
        }
    });
    let works = works.collect();
    let spread = |b: &Bead| {
        let e = b.estimate();
        if e.p50 == 0 || e.p80 <= e.p50 {
            return 0.0;
        }
        ((e.p80 as f64 / e.p50 as f64).ln() / Z80).clamp(0.0, 2.0)
    };
    Boarded {
        spreads: beads.iter().map(spread).collect(),
        lanes: all.iter().map(|(name, ..)| (*name).clone()).collect(),
        windows: all.iter().map(|(.., windows)| windows.clone()).collect(),
        board: Board {
            now: g.now.millis(),
            max_running: g.settings.general.max_parallel.max(1),
            spread: 0.0,
            lanes: all.into_iter().map(|(_, _, lane, _)| lane).collect(),
            works,
        },
        beads,
        held,
    }
}

/// Beads after what they depend on; those that wait for something that is not in the queue, or
/// whose convoy is paused, apart.
fn in_order(
    beads: Vec<Bead>,
    waits: &BTreeMap<BeadId, Vec<BeadId>>,
    convoys: &BTreeMap<ConvoyId, Convoy>,
) -> (Vec<Bead>, Vec<(Bead, String)>) {
    let is_paused = |b: &Bead| {
        let convoy = b.convoy_id.as_ref().and_then(|id| convoys.get(id));
        convoy.is_some_and(|c| c.status == ConvoyStatus::Paused)
    };
    let (paused, mut left): (Vec<Bead>, Vec<Bead>) = beads.into_iter().partition(is_paused);
    let mut held: Vec<(Bead, String)> = paused
        .into_iter()
        .map(|b| (b, "its convoy is paused".to_owned()))
        .collect();
    let mut ordered: Vec<Bead> = Vec::new();
    let mut is_in = std::collections::BTreeSet::new();
    loop {
        // `open_deps` counts what is not completed: all of it must be here.
        let is_next = |b: &Bead| {
            let mine = waits.get(&b.id).into_iter().flatten();
            mine.filter(|d| is_in.contains(*d)).count() as i64 >= b.open_deps
        };
        let (next, rest): (Vec<Bead>, Vec<Bead>) = left.into_iter().partition(is_next);
        left = rest;
        if next.is_empty() {
            break;
        }
        is_in.extend(next.iter().map(|b| b.id.clone()));
        ordered.extend(next);
    }
    held.extend(left.into_iter().map(|b| {
        let reason = "it depends on a bead that is blocked, failed or not looked at".to_owned();
        (b, reason)
    }));
    (ordered, held)
}

/// Whether the provider may take the bead at all.
fn may(
    bead: &Bead,
    convoy: Option<&Convoy>,
    name: &ProviderName,
    entry: &ProviderSettings,
) -> bool {
    let only = convoy.and_then(|c| c.provider.as_ref());
    let wants = only.or(bead.preferred_provider.as_ref());
    let edits = convoy.is_some_and(|c| c.repo.is_some()) && bead.task_type.changes_files();
    wants.is_none_or(|wants| wants == name)
        && (!edits || (entry.can(Capability::Edit) && bead.permission <= entry.permission))
}

/// What the bead takes there. One that suits the provider badly is expected to be done more than
/// once, in proportion to the affinity.
fn fit(g: &Ground<'_>, bead: &Bead, name: &ProviderName, entry: &ProviderSettings) -> Fit {
    let tokens = match bead.estimate().p50 {
        0 => UNKNOWN_TOKENS,
        known => known,
    };
    let suits = entry.kind.map_or(1.0, |kind| {
        let prior = prior(name, kind, entry, &g.settings.routing, bead.task_type);
        let model = bead.preferred_model.as_ref().or(entry.model.as_ref());
        let record = g
            .records
            .get(name, model.map(String::as_str), bead.task_type);
        Affinity::of(prior, record, g.now).value
    });
    let tokens = tokens as f64 / suits.clamp(LEAST_AFFINITY, 1.0);
    Fit {
        tokens: tokens as u64,
        ms: ((tokens / TOKENS_PER_MINUTE * 60e3) as i64).max(LEAST_RUN_MS),
    }
}

fn progress(
    bead: &Bead,
    fits: &[Option<Fit>],
    lanes: &[(&ProviderName, &ProviderSettings, Lane, Vec<String>)],
    now: Timestamp,
) -> Progress {
    let is_open = matches!(
        bead.status,
        BeadStatus::Pending | BeadStatus::Queued | BeadStatus::Deferred | BeadStatus::Optimizing
    );
    let mine = bead.assigned_provider.as_ref();
    let lane = lanes.iter().position(|(name, ..)| Some(*name) == mine);
    let Some(lane) = lane.filter(|_| !is_open) else {
        return Progress::Open;
    };
    let since_ms = bead.started_at.unwrap_or(now).millis().min(now.millis());
    let ms = fits[lane].map_or(LEAST_RUN_MS, |f| f.ms);
    Progress::Running {
        lane: lane as u8,
        since_ms,
        finish_ms: since_ms.saturating_add(ms).max(now.millis()),
    }
}

fn lane(
    entry: &ProviderSettings,
    tank: Option<&Tank>,
    change: Option<Change>,
    now: Timestamp,
) -> (Lane, Vec<String>) {
    let mut slots = entry.max_parallel;
    let mut per_minute: Option<u32> = None;
    let (mut windows, mut names) = (Vec::new(), Vec::new());
    let times = match change {
        Some(Change::Times(t)) => t,
        Some(Change::Slots(_) | Change::Off) | None => 1.0,
    };
    let kept = tank.map_or(0.0, |t| t.reserve.clamp(0.0, 1.0));
    for w in tank.into_iter().flat_map(|t| &t.windows) {
        if w.is_cautious {
            slots = slots.min(1);
        }
        if let Some(until) = w.closed_until.filter(|until| *until > now) {
            // Nothing until then; afterwards it is no limit.
            windows.push(Window {
                length_ms: 1,
                limit: u64::MAX / 4,
                until: until.millis(),
                used: u64::MAX / 4,
            });
            names.push(w.name.clone());
        }
        let Some(limit) = w.limit.filter(|l| *l > 0) else {
            continue;
        };
        if w.unit == LimitUnit::Requests && is_minute(w) {
            let n = (limit as f64 * times).max(1.0) as u32;
            per_minute = Some(per_minute.map_or(n, |p| p.min(n)));
        }
        if let Some(window) = tokens(w, limit, times * (1.0 - kept), now) {
            windows.push(window);
            names.push(w.name.clone());
        }
    }
    if let Some(Change::Slots(n)) = change {
        slots = n;
    }
    let lane = Lane {
        slots,
        per_minute,
        windows,
        recent: Vec::new(),
    };
    (lane, names)
}

fn is_minute(w: &TankWindow) -> bool {
    w.key.duration == Some(Duration::from_mins(1))
}

/// A window that is counted in tokens; the planner knows one kind, which comes near the others.
fn tokens(w: &TankWindow, limit: u64, share: f64, now: Timestamp) -> Option<Window> {
    let counts_tokens = match w.unit {
        LimitUnit::Tokens
        | LimitUnit::InputTokens
        | LimitUnit::OutputTokens
        | LimitUnit::AllTokens => true,
        LimitUnit::Percent => w.kind == LimitKind::Percent,
        LimitUnit::Requests | LimitUnit::MicroUsd | LimitUnit::Runs => false,
    };
    let length = w.key.duration.or(match w.kind {
        LimitKind::Calendar => Some(Duration::from_hours(24)),
        LimitKind::Refill
        | LimitKind::Anchored
        | LimitKind::Rolling
        | LimitKind::Concurrency
        | LimitKind::Balance
        | LimitKind::Percent => None,
    })?;
    if !counts_tokens {
        return None;
    }
    let length_ms = i64::try_from(length.as_millis()).ok()?.max(1);
    let used = match (w.used, w.share) {
        (Some(used), _) => used,
        (None, Some(share)) => (share.clamp(0.0, 10.0) * limit as f64) as u64,
        (None, None) => 0,
    };
    let used = used.saturating_add(w.reserved);
    let until = match w.resets_at {
        Some(at) => at.millis(),
        // Nobody said: as if it had begun now.
        None if used > 0 => now.millis().saturating_add(length_ms),
        None => i64::MIN,
    };
    Some(Window {
        length_ms,
        limit: ((limit as f64 * share) as u64).max(1),
        until,
        used: if until > now.millis() { used } else { 0 },
    })
}
