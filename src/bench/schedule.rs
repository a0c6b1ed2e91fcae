//! The scheduling benchmark: 500 tasks on three providers, played through with the planner asked at
//! every event. The world in here knows what a task really takes; the planner knows what an agent's
//! foreman would.

use std::time::Instant;

use serde::Deserialize;

use super::replay::Request;
use crate::dispatch::plan::{
    Board, EFFORT, Fit, Lane, Learned, Memory, Progress, Start, Window, Work, plan,
};

const MAX_RUNNING: u32 = 32;
const MINUTE_MS: i64 = 60_000;
/// A run that takes longer than expected is expected to take this part of its estimate more.
const OVERRUN: f64 = 0.15;

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

    /// Factors by which the truth is off the estimates: log-normal, mean 1; of the instance's seed.
    pub fn noise(&self, sigma: f64) -> Vec<f64> {
        let mut random = Random(self.seed.wrapping_mul(0x9E37_79B9) ^ 0x5EED);
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
    /// charged what it has used by then; a refused request (429) closes the provider's windows to
    /// further starts until the first of them is new.
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

struct World<'a> {
    factors: &'a [f64],
    /// What the planner is told.
    board: Board,
    /// The windows as they are, per lane.
    truth: Vec<Vec<Window>>,
    runs: Vec<Run>,
    learned: Learned,
    requests: Vec<Request>,
    micros: Vec<f64>,
}

struct Run {
    task: usize,
    lane: usize,
    end: i64,
    /// What the windows are charged for it on the board, and which windows by their ends.
    charged: u64,
    windows: Vec<i64>,
    estimate: Fit,
}

impl<'a> World<'a> {
    fn new(instance: &Instance, factors: &'a [f64]) -> Self {
        let mut board = instance.board();
        if !factors.is_empty() {
            board.spread = Learned::default().spread();
        }
        Self {
            factors,
            truth: board.lanes.iter().map(|l| l.windows.clone()).collect(),
            board,
            runs: Vec::new(),
            learned: Learned::default(),
            requests: Vec::new(),
            micros: Vec::new(),
        }
    }

    fn is_noisy(&self) -> bool {
        !self.factors.is_empty()
    }

    fn really(&self, task: usize, fit: Fit) -> Fit {
        let factor = self.factors.get(task).copied().unwrap_or(1.0);
        Fit {
            tokens: (fit.tokens as f64 * factor).round() as u64,
            ms: (fit.ms as f64 * factor).round() as i64,
        }
    }

    fn ask(&mut self, start: Start) {
        let (task, lane, now) = (start.work as usize, usize::from(start.lane), self.board.now);
        let Some(estimate) = self.board.works[task].fits[lane] else {
            return;
        };
        let real = self.really(task, estimate);
        let request = Request {
            task,
            provider: lane,
            start: now,
            end: Some(now + real.ms),
        };
        let on = &mut self.board.lanes[lane];
        on.recent.retain(|at| now - at < MINUTE_MS);
        on.recent.push(now);
        for window in &mut self.truth[lane] {
            if window.until <= now {
                window.used = 0;
            }
        }
        let fits = |w: &Window| w.used == 0 || w.used + real.tokens <= w.limit;
        if !self.truth[lane].iter().all(fits) {
            self.requests.push(Request {
                end: None,
                ..request
            });
            let open = on.windows.iter_mut().filter(|w| w.until > now);
            if let Some(first) = open.min_by_key(|w| w.until) {
                first.used = first.limit;
            }
            return;
        }
        for (window, charged) in self.truth[lane]
            .iter_mut()
            .map(|w| (w, real.tokens))
            .chain(on.windows.iter_mut().map(|w| (w, estimate.tokens)))
        {
            if window.until <= now {
                window.until = now + window.length_ms;
                window.used = 0;
            }
            window.used += charged;
        }
        self.runs.push(Run {
            task,
            lane,
            end: now + real.ms,
            charged: estimate.tokens,
            windows: on.windows.iter().map(|w| w.until).collect(),
            estimate,
        });
        self.board.works[task].progress = Progress::Running {
            lane: start.lane,
            since_ms: now,
            finish_ms: now + estimate.ms,
        };
        self.requests.push(request);
    }

    /// To the next event; false when there is none.
    fn go_on(&mut self, planned: Option<i64>) -> bool {
        let expected = self.board.works.iter().filter_map(|w| match w.progress {
            Progress::Running { finish_ms, .. } => Some(finish_ms),
            Progress::Open | Progress::Done => None,
        });
        let next = self
            .runs
            .iter()
            .map(|r| r.end)
            .chain(planned)
            .chain(expected.filter(|at| *at > self.board.now))
            .min();
        let Some(now) = next else {
            return false;
        };
        self.board.now = now;
        let (ended, running) = std::mem::take(&mut self.runs)
            .into_iter()
            .partition(|r| r.end <= now);
        self.runs = running;
        let ended: Vec<Run> = ended;
        for mut run in ended {
            let real = self.really(run.task, run.estimate);
            self.charge(&mut run, real.tokens);
            self.learned.observe(run.estimate.tokens, real.tokens);
            self.board.works[run.task].progress = Progress::Done;
        }
        let mut runs = std::mem::take(&mut self.runs);
        for run in &mut runs {
            self.overrun(run);
        }
        self.runs = runs;
        if self.is_noisy() {
            self.board.spread = self.learned.spread();
        }
        true
    }

    /// A run that goes on after its expected end has used more than its estimate, and will a bit
    /// more yet.
    fn overrun(&mut self, run: &mut Run) {
        let now = self.board.now;
        let Progress::Running {
            lane,
            since_ms,
            finish_ms,
        } = self.board.works[run.task].progress
        else {
            return;
        };
        if finish_ms > now {
            return;
        }
        let part = (now - since_ms) as f64 / run.estimate.ms as f64 + OVERRUN;
        self.charge(run, (run.estimate.tokens as f64 * part).round() as u64);
        self.board.works[run.task].progress = Progress::Running {
            lane,
            since_ms,
            finish_ms: since_ms
                + ((run.estimate.ms as f64 * part).round() as i64).max(now - since_ms + 1),
        };
    }

    /// The board charges `tokens` for the run instead of what it did, where the window is still open.
    fn charge(&mut self, run: &mut Run, tokens: u64) {
        for (window, until) in self.board.lanes[run.lane]
            .windows
            .iter_mut()
            .zip(&run.windows)
        {
            if window.until == *until {
                window.used = (window.used + tokens).saturating_sub(run.charged);
            }
        }
        run.charged = tokens;
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
