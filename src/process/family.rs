//! Who belongs to a run, and the end of all of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::table::{self, Entry};
use super::{MARKER, children};
use crate::core::Clock;
use crate::core::clock::Moment;

/// How long killed processes may take to vanish; one that waits for a dead disk never does.
const VANISH: Duration = Duration::from_secs(5);

/// The processes of one run. Grows with every look; ids are remembered with their start times,
/// so that a member whose parent has ended stays one.
#[derive(Debug)]
pub(super) struct Family<'a> {
    marker: &'a str,
    /// The first process of the run: its id is the id of its session.
    leader: Option<(u32, u64)>,
    /// Where it was started, when this process did that, which adopts its orphans.
    own: Option<&'a Path>,
    known: BTreeSet<(u32, u64)>,
}

impl<'a> Family<'a> {
    /// A run that this process started.
    pub(super) fn of_child(marker: &'a str, pid: u32, started: u64, place: &'a Path) -> Self {
        Self {
            marker,
            leader: Some((pid, started)),
            own: Some(place),
            known: BTreeSet::from([(pid, started)]),
        }
    }

    /// A run that some earlier process started.
    pub(super) fn of_other(marker: &'a str, leader: Option<(u32, u64)>) -> Self {
        Self {
            marker,
            leader,
            own: None,
            known: BTreeSet::new(),
        }
    }

    /// Members that are alive now.
    pub(super) fn look(&mut self) -> Vec<Entry> {
        let me = std::process::id();
        let all = table::all();
        children::reap(&all);
        // Only while its leader is there is a session's number certainly this run's.
        let session = self
            .leader
            .filter(|(pid, started)| all.iter().any(|e| e.pid == *pid && e.started == *started));
        // What is older than the run's first process cannot be of the run.
        let oldest = match self.leader {
            Some((_, started)) if self.own.is_some() => started,
            _ => 0,
        };
        let candidates: Vec<Entry> = all
            .into_iter()
            .filter(|e| e.pid != me && e.pid > 1 && e.started >= oldest)
            .collect();
        for e in &candidates {
            let belongs = self.known.contains(&e.name())
                || session.is_some_and(|(pid, _)| e.session == pid)
                || table::variable(e.pid, MARKER).is_some_and(|m| m == self.marker.as_bytes())
                || self.own.is_some_and(|place| self.has_orphan(e, place));
            if belongs {
                self.known.insert(e.name());
            }
        }
        self.add_descendants(&candidates);
        candidates
            .into_iter()
            .filter(|e| !e.zombie && self.known.contains(&e.name()))
            .collect()
    }

    /// An orphan without any mark that nobody else can have left, or that still stands where the
    /// run was started.
    fn has_orphan(&self, e: &Entry, place: &Path) -> bool {
        let Some((leader, _)) = self.leader else {
            return false;
        };
        children::is_stray(e, leader)
            || place.parent().is_some()
                && children::is_unmarked(e)
                && table::folder(e.pid).is_some_and(|folder| folder.starts_with(place))
    }

    fn add_descendants(&mut self, candidates: &[Entry]) {
        loop {
            let before = self.known.len();
            for e in candidates {
                let child = candidates.iter().any(|parent| {
                    parent.pid == e.parent
                        && parent.started <= e.started
                        && self.known.contains(&parent.name())
                });
                if child {
                    self.known.insert(e.name());
                }
            }
            if self.known.len() == before {
                return;
            }
        }
    }

    /// One look, and `signal` to each member found, but not to the group `except`, which has
    /// got it: a second TERM means "at once" to some programs. True when nobody was found.
    pub(super) fn signal(&mut self, signal: Signal, except: Option<u32>) -> bool {
        let alive = self.look();
        for e in alive.iter().filter(|e| Some(e.group) != except) {
            send(e.pid, e.started, signal);
        }
        alive.is_empty()
    }

    /// KILL until two looks find nobody (a process that is just starting another program shows
    /// no environment, and a look takes a moment); gives the ids that would not go. Processes are
    /// real, so this waits in real time.
    /// `empty_looks` is how many have found nobody just before.
    pub(super) async fn kill(&mut self, mut empty_looks: u32) -> Vec<u32> {
        let clock = Clock::system();
        let deadline = clock.moment() + VANISH;
        let mut pause = Pause::default();
        loop {
            let gone = self.signal(Signal::SIGKILL, None);
            empty_looks = if gone { empty_looks + 1 } else { 0 };
            if empty_looks == 2 {
                return Vec::new();
            }
            if gone {
                continue;
            }
            if clock.moment() >= deadline {
                return self.look().iter().map(|e| e.pid).collect();
            }
            pause.wait(&clock).await;
        }
    }
}

/// Signals exactly that process: its start time is compared right before.
fn send(pid: u32, started: u64, signal: Signal) {
    if table::is_alive(pid, started) {
        // It may have ended in between, or belong to someone else; the next look tells.
        let _sent = kill(Pid::from_raw(pid as i32), signal);
    }
}

/// Growing pauses between looks: quick for what ends at once, cheap for what does not.
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(3))
    }
}

impl Pause {
    pub(super) async fn wait(&mut self, clock: &Clock) {
        clock.sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_millis(100));
    }

    /// When the next look is due.
    pub(super) fn next(&mut self, clock: &Clock) -> Moment {
        let at = clock.moment() + self.0;
        self.0 = (self.0 * 2).min(Duration::from_millis(100));
        at
    }
}

/// Processes that carry the marker of some run, with it. Of another user's nothing is known.
pub(crate) fn marked() -> Vec<(u32, String)> {
    let me = std::process::id();
    let marker = |e: &Entry| String::from_utf8(table::variable(e.pid, MARKER)?).ok();
    table::all()
        .into_iter()
        .filter(|e| e.pid != me && !e.zombie)
        .filter_map(|e| Some((e.pid, marker(&e)?)))
        .collect()
}

/// Ends what an earlier process (one that was killed) left of a run: TERM, `grace`, KILL to
/// every live process that carries `marker`, to the session of `leader` (its id and start time)
/// while that very process leads it, and to all their descendants. Never by a bare id.
/// Gives the ids still alive; must be empty. Without `/proc` nothing can be told apart, and
/// nothing is done.
pub(crate) async fn end_marked(
    marker: &str,
    leader: Option<(i32, u64)>,
    grace: Duration,
    clock: &Clock,
) -> Vec<u32> {
    let leader = leader.and_then(|(pid, started)| Some((u32::try_from(pid).ok()?, started)));
    let mut family = Family::of_other(marker, leader);
    if family.signal(Signal::SIGTERM, None) {
        return Vec::new();
    }
    let real = Clock::system();
    let mut pause = Pause::default();
    let over = clock.sleep(grace);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => break,
            () = pause.wait(&real) => if family.look().is_empty() { break },
        }
    }
    family.kill(0).await
}
