//! A month: beads arrive, are given out as the foreman does it, send their requests, and end.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

use super::Knobs;
use super::demand::Bead;
use super::known::Known;
use super::oracle::{self, Ahead};
use super::truth::{Answer, Provider, plans};
use crate::config::Strategy;
use crate::core::Timestamp;
use crate::dispatch::affinity::{Affinity, Prior, Says};
use crate::dispatch::{Candidate, Decision, Room, decide};
use crate::refinery::{Admit, Ask, Health, Tank, admit};

/// What came of a month.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) asked: usize,
    pub(super) approved: usize,
    /// Runs that met a limit; a wall stops all that are under way there.
    pub(super) refused: usize,
    pub(super) walls: usize,
    pub(super) second_requests: u64,
    pub(super) tokens: u64,
    /// Of each provider's scarcer window, what was used of all it could have given.
    pub(super) utilisation: Vec<(String, f64)>,
    pub(super) waiting: usize,
    pub(super) decisions: u64,
    /// One decision: all windows of all providers, and the choice.
    pub(super) microseconds: f64,
}

impl Tally {
    pub(super) fn finished(&self) -> usize {
        self.approved - self.refused
    }
}

/// A run under way.
pub(super) struct Run {
    id: usize,
    provider: usize,
    pub(super) bead: usize,
    pub(super) began_at: Timestamp,
    /// Sent so far.
    pub(super) requests: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(usize),
    Request(usize),
    Ends(usize),
    Wake,
}

struct Waiting {
    bead: usize,
    not_before: Timestamp,
}

struct Month<'a> {
    knobs: &'a Knobs,
    beads: &'a [Bead],
    foresight: bool,
    now: Timestamp,
    events: BinaryHeap<Reverse<(Timestamp, Event)>>,
    wakes: BTreeSet<Timestamp>,
    waiting: Vec<Waiting>,
    runs: Vec<Run>,
    truth: Vec<Provider>,
    known: Vec<Known>,
    tally: Tally,
    deciding: Duration,
}

pub(super) fn play(knobs: &Knobs, beads: &[Bead], foresight: bool) -> Tally {
    let plans = plans(knobs);
    let known = |plan| Known::new(plan, knobs.parallel, knobs.rpm);
    let arrivals = beads.iter().enumerate();
    let mut month = Month {
        knobs,
        beads,
        foresight,
        now: Timestamp::from_secs(0),
        events: arrivals
            .map(|(i, bead)| Reverse((bead.arrives, Event::Arrives(i))))
            .collect(),
        wakes: BTreeSet::new(),
        waiting: Vec::new(),
        runs: Vec::new(),
        truth: plans.iter().map(|p| Provider::new(p, knobs.rpm)).collect(),
        known: plans.iter().map(known).collect(),
        tally: Tally::default(),
        deciding: Duration::ZERO,
    };
    month.play();
    let days = knobs.days as f64;
    let could = |p: &super::truth::Plan| {
        (p.short as f64 * 24.0 / 5.0 * days).min(p.week as f64 * (days / 7.0))
    };
    let used = plans.iter().zip(&month.truth);
    Tally {
        asked: beads.len(),
        second_requests: month.truth.iter().map(|p| p.second_requests).sum(),
        tokens: month.truth.iter().map(|p| p.tokens).sum(),
        utilisation: used
            .map(|(plan, p)| (plan.name.to_owned(), p.tokens as f64 / could(plan)))
            .collect(),
        waiting: month.waiting.len(),
        microseconds: month.deciding.as_secs_f64() * 1e6 / month.tally.decisions.max(1) as f64,
        ..month.tally
    }
}

impl Month<'_> {
    fn play(&mut self) {
        let end = Timestamp::from_secs((self.knobs.days * 86_400) as i64);
        while let Some(Reverse((at, event))) = self.events.pop() {
            if at > end {
                break;
            }
            self.now = at;
            match event {
                Event::Arrives(bead) => self.waiting.push(Waiting {
                    bead,
                    not_before: at,
                }),
                Event::Request(run) => {
                    if !self.request(run) {
                        continue;
                    }
                }
                Event::Ends(run) => self.end(run),
                Event::Wake => {
                    self.wakes.remove(&at);
                }
            }
            // What happens at the same moment is decided about at once.
            let more = self.events.peek();
            if more.is_none_or(|Reverse((next, _))| *next > at) {
                self.pass();
            }
        }
    }

    /// Sends the next request of a run; whether it met a wall.
    fn request(&mut self, id: usize) -> bool {
        let Some(run) = self.runs.iter_mut().find(|run| run.id == id) else {
            // Stopped by a wall.
            return false;
        };
        let bead = &self.beads[run.bead];
        let (_, tokens) = bead.truth[run.requests];
        let known = &mut self.known[run.provider];
        match self.truth[run.provider].request(tokens, self.now) {
            Answer::Served(ends) => {
                for (length, end) in [5, 7 * 24].map(Duration::from_hours).into_iter().zip(ends) {
                    known.heard(length, end, self.now);
                }
                run.requests += 1;
                let next = match bead.truth.get(run.requests) {
                    Some((after, _)) => (run.began_at + *after, Event::Request(id)),
                    None => (run.began_at + bead.really_lasts, Event::Ends(id)),
                };
                self.events.push(Reverse(next));
                false
            }
            Answer::Refused(window, until) => {
                let length = self.truth[run.provider].limits[window].length;
                known.wall(length, until, self.now);
                let provider = run.provider;
                self.tally.walls += 1;
                let stopped = self.runs.extract_if(.., |run| run.provider == provider);
                for run in stopped {
                    self.tally.refused += 1;
                    settle(known, &run, self.beads, self.now);
                }
                true
            }
        }
    }

    fn end(&mut self, id: usize) {
        let Some(at) = self.runs.iter().position(|run| run.id == id) else {
            return;
        };
        let run = self.runs.swap_remove(at);
        let known = &mut self.known[run.provider];
        settle(known, &run, self.beads, self.now);
        known.went_well(run.began_at, self.now);
    }

    /// Gives ready beads out, oldest first, as far as there is room.
    fn pass(&mut self) {
        let began = Instant::now();
        let mut tanks: Vec<Tank> = self.known.iter().map(|k| k.tank(self.now)).collect();
        for provider in &mut self.truth {
            provider.advance(self.now);
        }
        let mut ahead: Vec<Ahead> = (0..tanks.len()).map(|p| self.ahead(p)).collect();
        let slots = u64::from(self.knobs.parallel);
        let (mut at, mut looked_at) = (0, 0);
        let most = self.knobs.ready * if self.foresight { 3 } else { 1 };
        while at < self.waiting.len()
            && looked_at < most
            && tanks.iter().any(|tank| tank.in_flight < slots)
        {
            let waiting = &self.waiting[at];
            if waiting.not_before > self.now {
                at += 1;
                continue;
            }
            let index = waiting.bead;
            let bead = &self.beads[index];
            let hopeless = |(tank, ahead): (&Tank, &Ahead)| {
                tank.in_flight >= slots || ahead.rules_out(bead, self.now)
            };
            if self.foresight && tanks.iter().zip(&ahead).all(hopeless) {
                at += 1;
                continue;
            }
            looked_at += 1;
            let ask = Ask {
                requests: bead.requests,
                lasts: Some(bead.lasts),
                ..Ask::of(&bead.estimate, None)
            };
            let candidates: Vec<Candidate> = tanks
                .iter()
                .enumerate()
                .map(|(i, tank)| {
                    let room = match self.foresight {
                        false => room(tank, &ask, self.now),
                        true if tank.in_flight >= slots => busy("slots".into()),
                        true => oracle::room(&self.truth[i], &ahead[i], bead, self.now),
                    };
                    candidate(tank, room, i)
                })
                .collect();
            self.tally.decisions += 1;
            match decide(&candidates, Strategy::Aggressive, None).0 {
                Decision::Run { provider, .. } => {
                    let i = tanks.iter().position(|t| t.provider == provider);
                    let i = i.expect("invariant: a candidate was chosen");
                    self.waiting.remove(at);
                    self.start(index, i, &ask);
                    tanks[i] = self.known[i].tank(self.now);
                    ahead[i] = self.ahead(i);
                }
                Decision::Defer { until, .. } => {
                    self.waiting[at].not_before = until;
                    self.wake(until);
                    at += 1;
                }
                Decision::Wait { .. }
                | Decision::Keep { .. }
                | Decision::TooLarge { .. }
                | Decision::Forbidden { .. }
                | Decision::Impossible { .. } => {
                    at += 1;
                }
            }
        }
        // Those that wait for a run to end are looked at then. The oracle waits for what falls
        // out of a rolling sum as well.
        if self.foresight && !self.waiting.is_empty() {
            // One wake a minute, however many passes there are in it.
            let minute = self.now.millis().div_euclid(60_000) + 1;
            self.wake(Timestamp::from_millis(minute * 60_000));
        }
        self.deciding += began.elapsed();
    }

    fn ahead(&self, provider: usize) -> Ahead {
        if !self.foresight {
            return Ahead::default();
        }
        let there = self.runs.iter().filter(|run| run.provider == provider);
        Ahead::of(&self.truth[provider], there, self.beads, self.now)
    }

    fn wake(&mut self, at: Timestamp) {
        if self.wakes.insert(at) {
            self.events.push(Reverse((at, Event::Wake)));
        }
    }

    fn start(&mut self, bead: usize, provider: usize, ask: &Ask) {
        let id = self.tally.approved;
        self.tally.approved += 1;
        self.known[provider].reserve(id, ask, self.now);
        self.events.push(Reverse((self.now, Event::Request(id))));
        self.runs.push(Run {
            id,
            provider,
            bead,
            began_at: self.now,
            requests: 0,
        });
    }
}

fn settle(known: &mut Known, run: &Run, beads: &[Bead], now: Timestamp) {
    let sent = &beads[run.bead].truth[..run.requests];
    let tokens = sent.iter().map(|(_, tokens)| tokens).sum();
    known.settle(run.id, tokens, run.requests as u64, now);
}

/// As the foreman turns an admission into room.
fn room(tank: &Tank, ask: &Ask, now: Timestamp) -> Room {
    match admit(tank, ask, now) {
        Admit::Yes => Room::Yes,
        Admit::No(refusal) => match refusal.until {
            Some(until) => Room::Closed {
                window: refusal.window.unwrap_or_default(),
                until,
                reason: refusal.reason,
            },
            None => busy(refusal.reason),
        },
    }
}

fn busy(reason: String) -> Room {
    Room::Busy { reason }
}

fn candidate(tank: &Tank, room: Room, place: usize) -> Candidate {
    Candidate {
        provider: tank.provider.clone(),
        model: None,
        room,
        affinity: Affinity::untried(Prior {
            value: 1.0,
            says: Says::BuiltIn,
        }),
        place,
        ratio: tank.ratio,
        red: matches!(tank.health, Health::Red | Health::Empty),
        green: matches!(tank.health, Health::Green | Health::Unknown),
        next_reset: tank.next_reset,
        spare: tank.spare,
        has_session: false,
        worn: false,
        preferred: false,
        ruled: None,
        is_denied: false,
    }
}
