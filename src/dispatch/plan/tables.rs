//! The board in the shape that playing it through thousands of times wants: only what is open,
//! numbered anew, in flat arrays.

use super::{Board, MAX_LANES, Progress};

/// No need a window could ever hold.
pub(super) const NEVER: u64 = u64::MAX;

pub(super) struct Tables {
    pub(super) now: i64,
    pub(super) lanes: usize,
    pub(super) all: Vec<LaneTable>,
    pub(super) max_running: u32,
    pub(super) spread: f64,
    /// Places in the board, by own number.
    pub(super) works: Vec<u32>,
    /// `work * lanes + lane`.
    pub(super) need: Vec<u64>,
    pub(super) ms: Vec<i64>,
    /// The shortest of its times.
    pub(super) quickest: Vec<i64>,
    pub(super) kind: Vec<u8>,
    pub(super) rank: Vec<u32>,
    pub(super) from: Vec<i64>,
    pub(super) due: Vec<i64>,
    /// Lanes where it may run, a bit each.
    pub(super) allowed: Vec<u32>,
    /// Dependencies that are not done.
    pub(super) open: Vec<u32>,
    /// Those that wait for a bead, `next[first[i]..first[i + 1]]`.
    pub(super) first: Vec<u32>,
    pub(super) next: Vec<u32>,
    pub(super) running: Vec<Running>,
}

pub(super) struct LaneTable {
    pub(super) slots: u32,
    pub(super) per_minute: usize,
    pub(super) windows: Vec<super::Window>,
    pub(super) recent: Vec<i64>,
}

pub(super) struct Running {
    pub(super) lane: u8,
    pub(super) since: i64,
    pub(super) finish: i64,
    pub(super) tokens: u64,
    /// Numbers of those it holds up.
    pub(super) next: Vec<u32>,
}

impl Tables {
    /// `horizon` bounds how many open beads are looked at: the first by rank, then by how much work
    /// depends on them.
    pub(super) fn new(board: &Board, horizon: usize) -> Self {
        let lanes = board.lanes.len().min(MAX_LANES);
        let works = chosen(board, lanes, horizon);
        let mut number = vec![u32::MAX; board.works.len()];
        for (i, &w) in works.iter().enumerate() {
            number[w as usize] = i as u32;
        }
        let n = works.len();
        let mut tables = Self {
            now: board.now,
            lanes,
            all: board.lanes[..lanes].iter().map(LaneTable::new).collect(),
            max_running: board.max_running,
            spread: board.spread.clamp(0.0, 2.0),
            need: Vec::with_capacity(n * lanes),
            ms: Vec::with_capacity(n * lanes),
            quickest: Vec::with_capacity(n),
            kind: Vec::with_capacity(n),
            rank: Vec::with_capacity(n),
            from: Vec::with_capacity(n),
            due: Vec::with_capacity(n),
            allowed: Vec::with_capacity(n),
            open: Vec::with_capacity(n),
            first: vec![0; n + 1],
            next: Vec::new(),
            running: Vec::new(),
            works,
        };
        let mut waits: Vec<(u32, u32)> = Vec::new();
        let mut held: Vec<(u32, u32)> = Vec::new();
        for (i, &w) in tables.works.iter().enumerate() {
            let work = &board.works[w as usize];
            let mut allowed = 0;
            for lane in 0..lanes {
                let fit = work.fits.get(lane).copied().flatten();
                tables.need.push(fit.map_or(NEVER, |f| f.tokens));
                tables.ms.push(fit.map_or(0, |f| f.ms.max(1)));
                allowed |= u32::from(fit.is_some()) << lane;
            }
            let quickest = work.fits.iter().take(lanes).flatten().map(|f| f.ms.max(1));
            tables.quickest.push(quickest.min().unwrap_or(1));
            tables.kind.push(work.kind);
            tables.rank.push(work.rank);
            tables.from.push(work.from_ms);
            tables.due.push(work.due_ms.unwrap_or(i64::MAX));
            tables.allowed.push(allowed);
            let mut open = 0;
            for &d in &work.deps {
                match board.works[d as usize].progress {
                    Progress::Done => {}
                    Progress::Running { .. } => {
                        open += 1;
                        held.push((d, i as u32));
                    }
                    Progress::Open => {
                        open += 1;
                        waits.push((number[d as usize], i as u32));
                    }
                }
            }
            tables.open.push(open);
        }
        // A stable sort by who is waited for gives every bead its followers in order.
        waits.sort_by_key(|(d, _)| *d);
        for &(d, i) in &waits {
            tables.first[d as usize + 1] += 1;
            tables.next.push(i);
        }
        for i in 0..n {
            tables.first[i + 1] += tables.first[i];
        }
        held.sort_by_key(|(d, _)| *d);
        for (d, work) in board.works.iter().enumerate() {
            if let Progress::Running {
                lane,
                since_ms,
                finish_ms,
            } = work.progress
            {
                let from = held.partition_point(|(x, _)| (*x as usize) < d);
                tables.running.push(Running {
                    lane,
                    since: since_ms,
                    finish: finish_ms.max(board.now),
                    tokens: work
                        .fits
                        .get(usize::from(lane))
                        .copied()
                        .flatten()
                        .map_or(0, |f| f.tokens),
                    next: held[from..]
                        .iter()
                        .take_while(|(x, _)| *x as usize == d)
                        .map(|(_, i)| *i)
                        .collect(),
                });
            }
        }
        tables
    }

    pub(super) fn len(&self) -> usize {
        self.works.len()
    }

    pub(super) fn followers(&self, work: usize) -> &[u32] {
        &self.next[self.first[work] as usize..self.first[work + 1] as usize]
    }
}

impl LaneTable {
    fn new(lane: &super::Lane) -> Self {
        Self {
            slots: lane.slots,
            // 0 stands for no limit: a ring of one that is always old.
            per_minute: lane.per_minute.map_or(0, |n| n.max(1) as usize),
            windows: lane.windows.clone(),
            recent: lane.recent.clone(),
        }
    }
}

/// Open beads that some lane may take and whose dependencies are chosen too, in board order.
fn chosen(board: &Board, lanes: usize, horizon: usize) -> Vec<u32> {
    let n = board.works.len();
    let mut able = vec![false; n];
    for (i, work) in board.works.iter().enumerate() {
        able[i] = work.progress == Progress::Open
            && work.fits.iter().take(lanes).any(Option::is_some)
            && work.deps.iter().all(|&d| {
                (d as usize) < i
                    && (able[d as usize] || board.works[d as usize].progress != Progress::Open)
            });
    }
    let mut all: Vec<u32> = (0..n as u32).filter(|i| able[*i as usize]).collect();
    if all.len() <= horizon {
        return all;
    }
    // Work that depends on a bead, itself included: never less than that of a follower, so a
    // prefix holds every dependency of its members, if ranks allow; the rest is dropped below.
    let mut level = vec![0_i64; n];
    for i in (0..n).rev() {
        if !able[i] {
            continue;
        }
        let fits = board.works[i].fits.iter().take(lanes).flatten();
        level[i] += fits.map(|f| f.ms.max(1)).min().unwrap_or(1);
        for &d in &board.works[i].deps {
            level[d as usize] = level[d as usize].max(level[i]);
        }
    }
    let order = |i: &u32| {
        let work = &board.works[*i as usize];
        (work.rank, std::cmp::Reverse(level[*i as usize]), *i)
    };
    all.select_nth_unstable_by_key(horizon, order);
    all.truncate(horizon);
    all.sort_unstable();
    let mut is_in = vec![false; n];
    all.retain(|&i| {
        let work = &board.works[i as usize];
        is_in[i as usize] = work
            .deps
            .iter()
            .all(|&d| is_in[d as usize] || board.works[d as usize].progress != Progress::Open);
        is_in[i as usize]
    });
    all
}
