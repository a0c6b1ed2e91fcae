//! What a plan says about windows, and what each bead of it waits for.

use super::{Board, Plan, Progress, Start};

/// One stretch of one window, as the plan uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) lane: u8,
    /// Place in [`super::Lane::windows`].
    pub(crate) window: usize,
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
    /// Tokens at its end, those from before the plan included.
    pub(crate) used: u64,
    /// Work waited for its end: a wall.
    pub(crate) is_wall: bool,
}

/// What a bead waits for until its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Nothing,
    /// The last of its dependencies; a place in [`Board::works`].
    Bead(u32),
    /// Its own time.
    Time,
    /// A window of its lane.
    Window(usize),
    /// The others before it.
    Turn,
}

/// All stretches of all windows that the plan uses, by lane, window and time.
pub(crate) fn stretches(board: &Board, plan: &Plan) -> Vec<Stretch> {
    let mut all = Vec::new();
    for (l, lane) in board.lanes.iter().enumerate() {
        let starts = || plan.starts.iter().filter(|s| usize::from(s.lane) == l);
        for (w, window) in lane.windows.iter().enumerate() {
            let fresh = |from_ms: i64, used| Stretch {
                lane: l as u8,
                window: w,
                from_ms,
                until_ms: from_ms.saturating_add(window.length_ms),
                used,
                is_wall: false,
            };
            let mut open = (window.until > board.now).then(|| Stretch {
                until_ms: window.until,
                ..fresh(window.until.saturating_sub(window.length_ms), window.used)
            });
            for start in starts() {
                let tokens = board.works[start.work as usize].fits[l].map_or(0, |f| f.tokens);
                if let Some(open) = open.as_mut().filter(|o| start.at_ms < o.until_ms) {
                    open.used = open.used.saturating_add(tokens);
                } else {
                    // Whoever starts in the moment of the end has waited for it.
                    all.extend(open.map(|o| Stretch {
                        is_wall: o.until_ms == start.at_ms,
                        ..o
                    }));
                    open = Some(fresh(start.at_ms, tokens));
                }
            }
            all.extend(open);
        }
    }
    all
}

/// What the bead of `start` waits for.
pub(crate) fn wait(board: &Board, plan: &Plan, stretches: &[Stretch], start: &Start) -> Wait {
    let at = start.at_ms;
    if at <= board.now {
        return Wait::Nothing;
    }
    let work = &board.works[start.work as usize];
    let ends = |d: u32| match board.works[d as usize].progress {
        Progress::Running { finish_ms, .. } => Some(finish_ms.max(board.now)),
        Progress::Done => None,
        Progress::Open => plan
            .starts
            .iter()
            .find(|s| s.work == d)
            .map(|s| s.finish_ms),
    };
    if let Some(last) = work.deps.iter().copied().find(|d| ends(*d) == Some(at)) {
        return Wait::Bead(last);
    }
    if work.from_ms == at {
        return Wait::Time;
    }
    let walls = stretches.iter().filter(|s| s.is_wall);
    let mut mine = walls.filter(|s| s.lane == start.lane && s.until_ms == at);
    mine.next().map_or(Wait::Turn, |s| Wait::Window(s.window))
}
