//! What is asked for in the week, and who could do it: beads of several kinds, sizes, priorities
//! and convoys, in bursts; agents of four providers with their windows.

use std::time::Duration;

use super::super::walls::truth::Plan;
use super::Knobs;
use crate::config::LimitKind;
use crate::core::dice::Dice;
use crate::core::{Estimate, EstimateSource, Priority, ProviderKind, TaskType, Timestamp};

/// Tokens of the median bead, of one request, and how long requests are apart.
const MEDIAN: f64 = 300_000.0;
const STEP: f64 = 20_000.0;
const SETUP: Duration = Duration::from_mins(1);
const PER_REQUEST: Duration = Duration::from_secs(75);
/// Model calls a minute that each provider takes.
pub(super) const RPM: u64 = 60;
const DAY: f64 = 86_400.0;

/// How much of what is asked for has which priority. With the load of the week the urgent ones
/// alone are more than can be done, so that without ageing nothing else would ever begin.
const MIX: [(Priority, f64); 4] = [
    (Priority::Critical, 0.07),
    (Priority::High, 0.75),
    (Priority::Normal, 0.11),
    (Priority::Low, 0.07),
];

const KINDS: [TaskType; 6] = [
    TaskType::Implementation,
    TaskType::Implementation,
    TaskType::Test,
    TaskType::Review,
    TaskType::Research,
    TaskType::Documentation,
];

/// One bead of the week.
pub(super) struct Bead {
    pub(super) created: Timestamp,
    pub(super) priority: Priority,
    pub(super) deadline: Option<Timestamp>,
    /// Those of priority high have one convoy each of `knobs.convoys`.
    pub(super) convoy: Option<u32>,
    pub(super) task: TaskType,
    pub(super) estimate: Estimate,
    /// Expected.
    pub(super) requests: u64,
    pub(super) lasts: Duration,
    /// After how long each request comes, and its tokens; known to the provider only.
    pub(super) truth: Vec<(Duration, u64)>,
    pub(super) tokens: u64,
    pub(super) really_lasts: Duration,
}

/// A provider of the week.
pub(super) struct Offer {
    pub(super) plan: Plan,
    pub(super) kind: ProviderKind,
    /// Its agents.
    pub(super) slots: u32,
}

/// Four providers with a quarter of the agents each. A 5 h window holds what its agents do in two
/// thirds of it; the weekly windows are in turn scarcer and wider than that.
pub(super) fn offers(knobs: &Knobs) -> Vec<Offer> {
    let mean = mean(knobs);
    let minutes = duration(mean / STEP).as_secs_f64() / 60.0;
    let (anchored, rolling) = (LimitKind::Anchored, LimitKind::Rolling);
    [
        ("claude", ProviderKind::Claude, anchored, 26.0, true),
        ("codex", ProviderKind::Codex, anchored, 40.0, true),
        ("gemini", ProviderKind::Gemini, rolling, 30.0, false),
        ("opencode", ProviderKind::Opencode, rolling, 40.0, false),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, (name, kind, limit, weeks, tells))| {
        let slots = (knobs.agents + 3 - n as u32) / 4;
        let short = (0.65 * f64::from(slots) * 300.0 / minutes).max(4.0) * mean;
        Offer {
            plan: Plan {
                name,
                kind: limit,
                short: short as u64,
                week: (short * weeks) as u64,
                tells,
            },
            kind,
            slots,
        }
    })
    .filter(|offer| offer.slots > 0)
    .collect()
}

/// Tokens that can be had in a day.
fn daily(offers: &[Offer]) -> f64 {
    let of = |p: &Plan| (p.short as f64 * 24.0 / 5.0).min(p.week as f64 / 7.0);
    offers.iter().map(|offer| of(&offer.plan)).sum()
}

fn mean(knobs: &Knobs) -> f64 {
    MEDIAN * f64::midpoint(knobs.sizes.powi(2), knobs.sigma.powi(2)).exp()
}

fn duration(requests: f64) -> Duration {
    SETUP + PER_REQUEST.mul_f64(requests)
}

/// All beads in the order of their creation, and the same for the same knobs.
pub(super) fn beads(knobs: &Knobs, offers: &[Offer]) -> Vec<Bead> {
    let mut dice = Dice::new(knobs.seed.wrapping_mul(7919).wrapping_add(17));
    let asked = daily(offers) * knobs.load / mean(knobs);
    let mut beads = Vec::new();
    for (priority, share) in MIX {
        let between = DAY * knobs.burst / (asked * share);
        let mut at = between * dice.unit();
        // Every convoy has its turn, so that all ask for about as much.
        let mut turn = 0;
        while at < knobs.days as f64 * DAY {
            let many = (knobs.burst * (0.5 + dice.unit())).round() as usize;
            let convoy = (priority == Priority::High).then_some(turn % knobs.convoys);
            turn += 1;
            for _ in 0..many {
                let created = at + 600.0 * dice.unit();
                beads.push(bead(knobs, &mut dice, priority, convoy, created));
            }
            at -= between * (1.0 - dice.unit()).ln();
        }
    }
    beads.sort_by_key(|bead| bead.created);
    beads
}

fn bead(
    knobs: &Knobs,
    dice: &mut Dice,
    priority: Priority,
    convoy: Option<u32>,
    created: f64,
) -> Bead {
    let p50 = MEDIAN * (knobs.sizes * dice.normal()).exp();
    let off = (knobs.sigma * dice.normal()).exp();
    let expected = (p50 / STEP).ceil();
    let requests = ((expected * off).round() as u64).max(1);
    let tokens = ((p50 * off).round() as u64).max(requests);
    let really_lasts = duration(requests as f64);
    let truth = (0..requests)
        .map(|i| {
            let at = really_lasts.mul_f64(i as f64 / requests as f64);
            (at, tokens / requests + u64::from(i < tokens % requests))
        })
        .collect();
    let created = Timestamp::from_millis((created * 1000.0) as i64);
    let due = (priority == Priority::Critical).then(|| 3600.0 * 48.0 * dice.unit());
    let quantile = |z: f64| (p50 * (knobs.sigma * z).exp()).round() as u64;
    Bead {
        created,
        priority,
        deadline: due.map(|seconds| created + Duration::from_secs_f64(seconds)),
        convoy,
        task: KINDS[(dice.unit() * KINDS.len() as f64) as usize % KINDS.len()],
        estimate: Estimate {
            p50: quantile(0.0),
            p80: quantile(0.8416),
            p95: quantile(1.6449),
            source: EstimateSource::History,
        },
        requests: expected as u64,
        lasts: duration(expected),
        truth,
        tokens,
        really_lasts,
    }
}
