//! The world of the scheduling benchmark: what tasks really take, and what the planner is told.

use super::super::replay::Request;
use super::{Instance, MINUTE_MS};
use crate::dispatch::plan::{Board, Fit, Learned, Progress, Start, Window};

/// A run that takes longer than expected is expected to take this part of its estimate more.
const OVERRUN: f64 = 0.15;

pub(super) struct World<'a> {
    factors: &'a [f64],
    /// What the planner is told.
    pub(super) board: Board,
    /// The windows as they are, per lane.
    truth: Vec<Vec<Window>>,
    runs: Vec<Run>,
    learned: Learned,
    pub(super) requests: Vec<Request>,
    pub(super) micros: Vec<f64>,
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
    pub(super) fn new(instance: &Instance, factors: &'a [f64]) -> Self {
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

    pub(super) fn ask(&mut self, start: Start) {
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
            // It does not fit, so smaller ones at best.
            let room = |w: &Window| w.limit.saturating_sub(w.used);
            let open = on.windows.iter_mut().filter(|w| w.until > now);
            if let Some(fullest) = open.min_by_key(|w| room(w)) {
                let left = room(fullest).min(estimate.tokens / 2);
                fullest.used = fullest.used.max(fullest.limit - left);
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
    pub(super) fn go_on(&mut self, planned: Option<i64>) -> bool {
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
