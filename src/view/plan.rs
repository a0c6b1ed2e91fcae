//! What will run where and when: the plan of the queue with its times.

mod times;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::text::one_line;
use crate::core::{BeadId, BeadStatus, ConvoyId, ConvoyStatus, ProviderName, Timestamp};
use crate::db::Conn;
use crate::depot::{Bead, BeadFilter, DepotError, store as depot};
use crate::dispatch::board::{Boarded, Tie};
use crate::dispatch::by_age;
use crate::dispatch::plan::{EFFORT, Memory, Plan, Progress, Start, Wait, plan, stretches, wait};

/// The queue played through.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Planned {
    /// The moment that it begins at.
    pub(crate) at: Timestamp,
    /// The rule whose plan was the best of those tried.
    pub(crate) rule: String,
    /// When everything is done, if runs use what is estimated; `null`: nothing is to be done.
    pub(crate) finish: Option<Timestamp>,
    /// In half of the futures that the estimates allow.
    pub(crate) finish_p50: Option<Timestamp>,
    /// In nine of ten.
    pub(crate) finish_p90: Option<Timestamp>,
    /// In order of their start.
    pub(crate) beads: Vec<PlannedBead>,
    pub(crate) convoys: Vec<PlannedConvoy>,
    pub(crate) windows: Vec<PlannedWindow>,
    /// Ends of windows that work waits for.
    pub(crate) walls: Vec<Wall>,
    pub(crate) unplanned: Vec<Unplanned>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PlannedBead {
    pub(crate) bead_id: BeadId,
    pub(crate) title: String,
    pub(crate) convoy_id: Option<ConvoyId>,
    pub(crate) provider: ProviderName,
    /// In the past: it runs.
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Timestamp,
    pub(crate) ends_p50: Timestamp,
    pub(crate) ends_p90: Timestamp,
    pub(crate) tokens: u64,
    /// What it waits for until then; `null`: it starts at once, or runs.
    pub(crate) waits_for: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PlannedConvoy {
    pub(crate) convoy_id: ConvoyId,
    pub(crate) name: String,
    pub(crate) beads: usize,
    pub(crate) finish_p50: Timestamp,
    pub(crate) finish_p90: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PlannedWindow {
    pub(crate) provider: ProviderName,
    pub(crate) window: String,
    /// Tokens in one stretch, without what is kept for the person.
    pub(crate) limit: u64,
    /// How often it opens, the open one included.
    pub(crate) stretches: usize,
    /// Mean share used of them, 0 to 1 and above.
    pub(crate) used: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Wall {
    pub(crate) provider: ProviderName,
    pub(crate) window: String,
    pub(crate) until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Unplanned {
    pub(crate) bead_id: BeadId,
    pub(crate) title: String,
    pub(crate) reason: String,
}

/// Beads that are looked at beside those of the board.
const MOST: i64 = 1000;

/// Plays the queue of `of` through. The same store, board and `seed` give the same answer.
pub(crate) async fn planned(
    conn: &mut Conn,
    of: &Boarded,
    seed: u64,
) -> Result<Planned, DepotError> {
    let mut convoys = BTreeMap::new();
    for id in of.jobs.iter().filter_map(|j| j.convoy.as_ref()) {
        if !convoys.contains_key(id)
            && let Some(convoy) = depot::convoy(conn, id).await?
        {
            convoys.insert(id.clone(), convoy.name);
        }
    }
    let left_out = left_out(conn, of).await?;
    let mut memory = Memory::default();
    // Nobody waits for it: some more effort than at an event of the foreman.
    let plan = plan(&of.board, &mut memory, seed, 4 * EFFORT);
    let plan = by_age(of, &plan);
    let mut planned = told(of, &plan, &memory, &convoys, seed);
    planned.unplanned.extend(left_out);
    Ok(planned)
}

/// What waits and is not on the board, and why.
async fn left_out(conn: &mut Conn, of: &Boarded) -> Result<Vec<Unplanned>, DepotError> {
    let waiting = [
        BeadStatus::Pending,
        BeadStatus::Queued,
        BeadStatus::Deferred,
    ];
    let filter = BeadFilter {
        statuses: waiting.to_vec(),
        limit: MOST,
        ..BeadFilter::default()
    };
    let known = of.jobs.iter().chain(&of.held).map(|j| &j.id);
    let known: BTreeSet<&BeadId> = known.collect();
    let mut others = depot::list(conn, &filter).await?;
    others.retain(|b| !known.contains(&b.id));
    others.sort_by(|a, b| a.created_at.cmp(&b.created_at).then(a.id.cmp(&b.id)));
    let mut paused = BTreeMap::new();
    let mut left_out = Vec::new();
    for Bead {
        id,
        title,
        convoy_id,
        open_deps,
        ..
    } in others
    {
        let is_paused = match &convoy_id {
            Some(convoy) if paused.contains_key(convoy) => paused[convoy],
            Some(convoy) => {
                let found = depot::convoy(conn, convoy).await?;
                let is_paused = found.is_some_and(|c| c.status == ConvoyStatus::Paused);
                paused.insert(convoy.clone(), is_paused);
                is_paused
            }
            None => false,
        };
        let reason = match (is_paused, open_deps > 0) {
            (true, _) => "its convoy is paused",
            (false, true) => BEHIND,
            (false, false) => "a budget of it is used up, or it comes after those looked at",
        };
        left_out.push(Unplanned {
            bead_id: id,
            title,
            reason: reason.to_owned(),
        });
    }
    Ok(left_out)
}

const BEHIND: &str = "it depends on a bead that is blocked, failed or not looked at";

fn told(
    of: &Boarded,
    plan: &Plan,
    memory: &Memory,
    names: &BTreeMap<ConvoyId, String>,
    seed: u64,
) -> Planned {
    let time = Timestamp::from_millis;
    let times = times::quantiles(of, plan, memory, seed);
    let stretches = stretches(&of.board, plan);
    let mut beads = Vec::new();
    let mut convoys: BTreeMap<ConvoyId, (usize, i64, i64)> = BTreeMap::new();
    let window = |lane: u8, w: usize| of.windows[usize::from(lane)][w].clone();
    for run in runs(of, plan) {
        let job = &of.jobs[run.work as usize];
        let (p50, p90) = times.beads[run.work as usize];
        if let Some(id) = &job.convoy {
            let sum = convoys.entry(id.clone()).or_default();
            *sum = (sum.0 + 1, sum.1.max(p50), sum.2.max(p90));
        }
        let waits_for = match wait(&of.board, plan, &stretches, &run) {
            Wait::Nothing => None,
            Wait::Bead(d) => Some(match of.ties.get(&(run.work, d)) {
                None => of.jobs[d as usize].id.to_string(),
                Some(tie) => tied(tie, &of.jobs[d as usize].id),
            }),
            Wait::Time => Some("its time".to_owned()),
            Wait::Window(w) => Some(format!("the reset of {}", window(run.lane, w))),
            Wait::Turn => Some("its turn".to_owned()),
        };
        let fit = of.board.works[run.work as usize].fits[usize::from(run.lane)];
        beads.push(PlannedBead {
            bead_id: job.id.clone(),
            title: job.title.clone(),
            convoy_id: job.convoy.clone(),
            provider: of.lanes[usize::from(run.lane)].clone(),
            starts_at: time(run.at_ms),
            ends_at: time(run.finish_ms),
            ends_p50: time(p50),
            ends_p90: time(p90),
            tokens: fit.map_or(0, |f| f.tokens),
            waits_for,
        });
    }
    let mut windows = Vec::new();
    for (l, lane) in of.board.lanes.iter().enumerate() {
        for (w, limits) in lane.windows.iter().enumerate() {
            let mine: Vec<u64> = stretches
                .iter()
                .filter(|s| usize::from(s.lane) == l && s.window == w)
                .map(|s| s.used)
                .collect();
            if mine.is_empty() || of.windows[l][w].is_empty() {
                continue;
            }
            let mean = mine.iter().sum::<u64>() as f64 / mine.len() as f64;
            windows.push(PlannedWindow {
                provider: of.lanes[l].clone(),
                window: of.windows[l][w].clone(),
                limit: limits.limit,
                stretches: mine.len(),
                used: (mean / limits.limit.max(1) as f64 * 1e4).round() / 1e4,
            });
        }
    }
    let walls = stretches.iter().filter(|s| s.is_wall).map(|s| Wall {
        provider: of.lanes[usize::from(s.lane)].clone(),
        window: window(s.lane, s.window),
        until: time(s.until_ms),
    });
    let convoys = convoys.into_iter().map(|(convoy_id, sum)| PlannedConvoy {
        name: names.get(&convoy_id).cloned().unwrap_or_default(),
        convoy_id,
        beads: sum.0,
        finish_p50: time(sum.1),
        finish_p90: time(sum.2),
    });
    let is_some = !beads.is_empty();
    Planned {
        at: time(of.board.now),
        rule: plan.rule.to_owned(),
        finish: is_some.then(|| time(plan.finish_ms)),
        finish_p50: is_some.then(|| time(times.all.0)),
        finish_p90: is_some.then(|| time(times.all.1)),
        walls: walls.collect(),
        convoys: convoys.collect(),
        unplanned: unplanned(of, plan),
        beads,
        windows,
    }
}

fn tied(tie: &Tie, other: &BeadId) -> String {
    match tie {
        Tie::Parallel(n) => format!("{other}: {n} of its convoy at once"),
        Tie::File(path) => format!("{other}: both touch {}", one_line(path, 60)),
    }
}

/// What runs and what will, in order of time.
fn runs(of: &Boarded, plan: &Plan) -> Vec<Start> {
    let running = of.board.works.iter().enumerate();
    let running = running.filter_map(|(i, w)| match w.progress {
        Progress::Running {
            lane,
            since_ms,
            finish_ms,
        } => Some(Start {
            work: i as u32,
            lane,
            at_ms: since_ms,
            finish_ms: finish_ms.max(of.board.now),
        }),
        Progress::Open | Progress::Done => None,
    });
    let mut all: Vec<_> = running.chain(plan.starts.iter().copied()).collect();
    all.sort_by_key(|s| (s.at_ms, s.work));
    all
}

fn unplanned(of: &Boarded, plan: &Plan) -> Vec<Unplanned> {
    let mut is_planned = vec![false; of.jobs.len()];
    for start in &plan.starts {
        is_planned[start.work as usize] = true;
    }
    let works = of.board.works.iter().enumerate();
    let left = works.filter(|(i, w)| w.progress == Progress::Open && !is_planned[*i]);
    let unplanned = left.map(|(i, w)| {
        let reason = if w.fits.iter().all(Option::is_none) {
            "no provider that is enabled may take it"
        } else if w.deps.iter().any(|d| !is_planned[*d as usize]) {
            "it depends on a bead that is not planned"
        } else {
            "it comes after the beads that are planned together"
        };
        Unplanned {
            bead_id: of.jobs[i].id.clone(),
            title: of.jobs[i].title.clone(),
            reason: reason.to_owned(),
        }
    });
    let held = of.held.iter().map(|job| Unplanned {
        bead_id: job.id.clone(),
        title: job.title.clone(),
        reason: BEHIND.to_owned(),
    });
    unplanned.chain(held).collect()
}
