//! How sure the times of a plan are: it is made again with needs drawn from the estimates.

use crate::dispatch::board::Boarded;
use crate::dispatch::plan::{Board, Memory, Plan, Progress, plan};

/// Futures that are played through.
const FUTURES: u64 = 50;

/// Milliseconds at which nine of ten, and half of the futures are done.
pub(super) struct Times {
    pub(super) all: (i64, i64),
    /// Per bead of the board; as planned where it never runs.
    pub(super) beads: Vec<(i64, i64)>,
}

/// The p50 and p90 of every end.
pub(super) fn quantiles(of: &Boarded, base: &Plan, memory: &Memory, seed: u64) -> Times {
    let mut ends: Vec<Vec<i64>> = vec![Vec::new(); of.board.works.len()];
    let mut all = Vec::new();
    for future in 0..FUTURES {
        let board = drawn(of, seed ^ (future + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let plan = plan(&board, &mut memory.clone(), seed, 0);
        all.push(plan.finish_ms);
        for start in &plan.starts {
            ends[start.work as usize].push(start.finish_ms);
        }
        for (i, work) in board.works.iter().enumerate() {
            if let Progress::Running { finish_ms, .. } = work.progress {
                ends[i].push(finish_ms);
            }
        }
    }
    Times {
        all: both(&mut all).unwrap_or((base.finish_ms, base.finish_ms)),
        beads: ends
            .iter_mut()
            .map(|e| both(e).unwrap_or((base.finish_ms, base.finish_ms)))
            .collect(),
    }
}

fn both(of: &mut [i64]) -> Option<(i64, i64)> {
    of.sort_unstable();
    let at = |q: f64| of.get(((of.len().max(1) - 1) as f64 * q).ceil() as usize);
    Some((*at(0.5)?, *at(0.9)?))
}

/// The board with needs and times as they may turn out: log-normal through the estimate's
/// quantiles.
fn drawn(of: &Boarded, seed: u64) -> Board {
    let mut board = of.board.clone();
    let mut state = seed;
    let now = board.now;
    for (work, spread) in board.works.iter_mut().zip(&of.spreads) {
        let factor = (spread * normal(&mut state)).exp();
        for fit in work.fits.iter_mut().flatten() {
            fit.tokens = (fit.tokens as f64 * factor) as u64;
            fit.ms = ((fit.ms as f64 * factor) as i64).max(1);
        }
        if let Progress::Running {
            since_ms,
            finish_ms,
            ..
        } = &mut work.progress
        {
            let took = (*finish_ms - *since_ms).max(0) as f64 * factor;
            *finish_ms = since_ms.saturating_add(took as i64).max(now);
        }
    }
    board
}

/// Box and Muller, on splitmix64.
fn normal(state: &mut u64) -> f64 {
    let mut unit = || {
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let (u, v) = (unit(), unit());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
