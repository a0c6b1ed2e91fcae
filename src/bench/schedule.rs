//! The scheduling benchmark: 500 tasks on three providers, played through with the planner asked at
//! every event. The world in here knows what a task really takes; the planner knows what an agent's
//! foreman would.

mod world;

use std::time::Instant;

use serde::Deserialize;

use self::world::World;
use super::replay::Request;
use crate::dispatch::plan::{
    Board, EFFORT, Fit, Lane, Memory, Progress, Start, Window, Work, plan,
};

const MAX_RUNNING: u32 = 32;
const MINUTE_MS: i64 = 60_000;

/// A file of the benchmark.
#[derive(Debug, Deserialize)]
pub struct Instance {
    pub preset: String,
    pub seed: u64,
    providers: Vec<Provider>,
    tasks: Vec<Task>,
    pub lower_bound_ms: i64,
    lp_ms: i64,
}

#[derive(Debug, Deserialize)]
struct Provider {
    concurrency: u32,
    requests_per_60s: u32,
    anchored_windows: Vec<Anchored>,
}

#[derive(Debug, Deserialize)]
struct Anchored {
    length_ms: i64,
    tokens: u64,
}

#[derive(Debug, Deserialize)]
struct Task {
    #[serde(rename = "type")]
    kind: String,
    deps: Vec<u32>,
    need: Vec<Option<u64>>,
    duration_ms: Vec<Option<i64>>,
}

/// What came of it.
pub struct Played {
    pub requests: Vec<Request>,
    /// How long the planner thought at each event, in microseconds.
    pub micros: Vec<f64>,
}

impl Instance {
    /// # Errors
    /// Not JSON, or not of this form.
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Factors by which the truth is off the estimates: log-normal, mean 1; of the instance's seed
    /// and the number of the draw.
    pub fn noise(&self, sigma: f64, draw: u64) -> Vec<f64> {
        let draw = draw.wrapping_mul(0x517C_C1B7_2722_0A95);
        let mut random = Random(self.seed.wrapping_mul(0x9E37_79B9) ^ 0x5EED ^ draw);
        (0..self.tasks.len())
            .map(|_| (sigma * random.normal() - sigma * sigma / 2.0).exp())
            .collect()
    }

    /// The lower bound of the file; with `factors` the critical path is that of the truth.
    pub fn bound_ms(&self, factors: &[f64]) -> i64 {
        if factors.is_empty() {
            return self.lower_bound_ms;
        }
        let mut ends: Vec<f64> = Vec::with_capacity(self.tasks.len());
        for (task, factor) in self.tasks.iter().zip(factors) {
            let ms = task.duration_ms.iter().flatten().min().copied();
            let begin = task.deps.iter().map(|d| ends[*d as usize]);
            ends.push(begin.fold(0.0, f64::max) + ms.unwrap_or(0) as f64 * factor);
        }
        let path = ends.into_iter().fold(0.0, f64::max);
        self.lp_ms.max(path.round() as i64)
    }

    fn board(&self) -> Board {
        let mut kinds: Vec<&str> = self.tasks.iter().map(|t| t.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let lane = |p: &Provider| Lane {
            slots: p.concurrency,
            per_minute: Some(p.requests_per_60s),
            windows: p
                .anchored_windows
                .iter()
                .map(|w| Window {
                    length_ms: w.length_ms,
                    limit: w.tokens,
                    until: 0,
                    used: 0,
                })
                .collect(),
            recent: Vec::new(),
        };
        let work = |(i, t): (usize, &Task)| Work {
            id: i as u64,
            kind: kinds.binary_search(&t.kind.as_str()).unwrap_or(0) as u8,
            rank: 0,
            from_ms: 0,
            due_ms: None,
            fits: t
                .need
                .iter()
                .zip(&t.duration_ms)
                .map(|(need, ms)| {
                    Some(Fit {
                        tokens: (*need)?,
                        ms: (*ms)?,
                    })
                })
                .collect(),
            deps: t.deps.clone(),
            progress: Progress::Open,
        };
        Board {
            now: 0,
            max_running: MAX_RUNNING,
            spread: 0.0,
            lanes: self.providers.iter().map(lane).collect(),
            works: self.tasks.iter().enumerate().map(work).collect(),
        }
    }

    /// Plays it through; with `factors` the planner sees estimates and the providers enforce the
    /// truth. Then a run's real need is known when it ends; one that takes longer than estimated is
    /// charged what it has used by then; a refused request (429) tells that the
    /// fullest window has no room for more than half of what was asked for.
    pub fn play(&self, factors: &[f64]) -> Played {
        let mut world = World::new(self, factors);
        let mut memory = Memory::default();
        let mut event = 0;
        loop {
            let began = Instant::now();
            let plan = plan(&world.board, &mut memory, event, EFFORT);
            world.micros.push(began.elapsed().as_secs_f64() * 1e6);
            event += 1;
            let now = world.board.now;
            let due: Vec<Start> = plan.due(now).copied().collect();
            for start in due {
                world.ask(start);
            }
            let planned = plan.starts.iter().map(|s| s.at_ms).find(|at| *at > now);
            if !world.go_on(planned) {
                break;
            }
        }
        Played {
            requests: world.requests,
            micros: world.micros,
        }
    }
}

/// How long the planner thinks when `ready` beads are ready at once and nothing is remembered of
/// them but what the last event left: microseconds, one figure per event.
pub fn pace(ready: usize, events: usize) -> Vec<f64> {
    let mut random = Random(ready as u64);
    let lane = |slots, per_minute, limit| Lane {
        slots,
        per_minute: Some(per_minute),
        windows: vec![
            Window {
                length_ms: MINUTE_MS,
                limit,
                until: 0,
                used: 0,
            },
            Window {
                length_ms: 300 * MINUTE_MS,
                limit: 100 * limit,
                until: 0,
                used: 0,
            },
        ],
        recent: Vec::new(),
    };
    let work = |i| {
        let tokens = (2_000.0 * (0.8 * random.normal()).exp()).clamp(200.0, 20_000.0);
        let fit = |by: f64, per_second: f64| {
            Some(Fit {
                tokens: (tokens * by) as u64,
                ms: 4_000 + (tokens * by / per_second * 1e3) as i64,
            })
        };
        Work {
            id: i,
            kind: (i % 5) as u8,
            rank: 0,
            from_ms: 0,
            due_ms: None,
            fits: vec![fit(1.0, 60.0), fit(1.1, 50.0), fit(1.2, 80.0)],
            deps: Vec::new(),
            progress: Progress::Open,
        }
    };
    let mut board = Board {
        now: 0,
        max_running: MAX_RUNNING,
        spread: 0.0,
        lanes: vec![
            lane(10, 20, 30_000),
            lane(10, 30, 35_000),
            lane(6, 8, 25_000),
        ],
        works: (0..ready as u64).map(work).collect(),
    };
    let mut memory = Memory::default();
    let mut micros = Vec::new();
    for event in 0..events as u64 {
        // Nothing starts: at every event all of them are ready.
        board.now += 1_000;
        let began = Instant::now();
        std::hint::black_box(plan(&board, &mut memory, event, EFFORT));
        micros.push(began.elapsed().as_secs_f64() * 1e6);
    }
    micros
}

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
