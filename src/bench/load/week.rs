//! A week goes by: beads arrive, agents that are free ask for the next one, and what rigs decides
//! is written down for the judge, who decides nothing.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::walls::known::Known;
use super::super::walls::truth::{Answer, Provider};
use super::Knobs;
use super::demand::{Bead, Offer, RPM};
use crate::config::{ProviderSettings, RoutingSettings, Strategy};
use crate::core::{Priority, ProviderName, Timestamp};
use crate::depot::rank::rank;
use crate::dispatch::affinity::{Affinity, prior};
use crate::dispatch::{Candidate, Decision, Room, decide, rule};
use crate::policy::{Facts, Policy, WindowFacts, evaluate, read};
use crate::refinery::{Admit, Ask, Health, Tank, admit};

/// The rule that the person of this week made.
const POLICY: &str = "[[rule]]\nname = \"no reviews there\"\nscope = \"provider\"\n\
    when = { provider = \"gemini\", task_type = [\"review\"] }\naction = \"deny\"\n";

/// What decides. The tests put in something else, to see the judge find it.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) rank: fn(Priority, Timestamp, Option<Timestamp>) -> i64,
    pub(super) admit: fn(&Tank, &Ask, Timestamp) -> Admit,
}

impl Rules {
    pub(super) const REAL: Self = Self { rank, admit };
}

/// What happened, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    Start {
        bead: usize,
        provider: usize,
    },
    Served {
        provider: usize,
        tokens: u64,
    },
    /// A request did not fit; all runs there are stopped, and their beads wait again.
    Refused {
        provider: usize,
    },
    Stopped {
        bead: usize,
        provider: usize,
    },
    Done {
        bead: usize,
        provider: usize,
    },
}

pub(super) struct Log {
    pub(super) records: Vec<(Timestamp, Did)>,
    pub(super) decisions: u64,
    pub(super) second_requests: u64,
    pub(super) deciding: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(usize),
    Request(usize),
    Ends(usize),
    Wake,
}

struct Run {
    id: usize,
    provider: usize,
    bead: usize,
    began_at: Timestamp,
    /// Sent so far.
    requests: usize,
}

struct Week<'a> {
    knobs: &'a Knobs,
    beads: &'a [Bead],
    offers: &'a [Offer],
    rules: Rules,
    policy: Policy,
    now: Timestamp,
    events: BinaryHeap<Reverse<(Timestamp, Event)>>,
    wakes: BTreeSet<Timestamp>,
    /// As the depot's index has it: greatest rank, then the one made first.
    ready: BTreeSet<(Reverse<i64>, Timestamp, usize)>,
    deferred: BTreeSet<(Timestamp, usize)>,
    runs: Vec<Run>,
    begun: usize,
    truth: Vec<Provider>,
    known: Vec<Known>,
    names: Vec<ProviderName>,
    log: Log,
}

pub(super) fn play(knobs: &Knobs, beads: &[Bead], offers: &[Offer], rules: Rules) -> Log {
    let file = Arc::new(PathBuf::from("policy.toml"));
    let arrivals = beads.iter().enumerate();
    let mut week = Week {
        knobs,
        beads,
        offers,
        rules,
        policy: read(&file, POLICY.as_bytes()).expect("invariant: the rule of this file"),
        now: Timestamp::from_secs(0),
        events: arrivals
            .map(|(i, bead)| Reverse((bead.created, Event::Arrives(i))))
            .collect(),
        wakes: BTreeSet::new(),
        ready: BTreeSet::new(),
        deferred: BTreeSet::new(),
        runs: Vec::new(),
        begun: 0,
        truth: offers.iter().map(|o| Provider::new(&o.plan, RPM)).collect(),
        known: offers
            .iter()
            .map(|o| Known::new(&o.plan, o.slots, RPM))
            .collect(),
        names: offers
            .iter()
            .map(|o| o.plan.name.parse().expect("invariant: a fixed name"))
            .collect(),
        log: Log {
            records: Vec::new(),
            decisions: 0,
            second_requests: 0,
            deciding: Duration::ZERO,
        },
    };
    week.play();
    week.log.second_requests = week.truth.iter().map(|p| p.second_requests).sum();
    week.log
}

impl Week<'_> {
    fn play(&mut self) {
        let end = Timestamp::from_secs((self.knobs.days * 86_400) as i64);
        while let Some(Reverse((at, event))) = self.events.pop() {
            if at > end {
                break;
            }
            self.now = at;
            let freed = match event {
                Event::Arrives(bead) => {
                    self.queue(bead);
                    true
                }
                Event::Request(run) => self.request(run),
                Event::Ends(run) => self.end(run),
                Event::Wake => self.wakes.remove(&at),
            };
            // What happens at the same moment is decided about at once.
            let more = self.events.peek();
            if freed && more.is_none_or(|Reverse((next, _))| *next > at) {
                self.pass();
            } else if freed {
                self.wake(at);
            }
        }
    }

    fn did(&mut self, did: Did) {
        self.log.records.push((self.now, did));
    }

    fn queue(&mut self, bead: usize) {
        let b = &self.beads[bead];
        let place = (self.rules.rank)(b.priority, b.created, b.deadline);
        self.ready.insert((Reverse(place), b.created, bead));
    }

    /// Sends the next request of a run; whether that stopped anything.
    fn request(&mut self, id: usize) -> bool {
        let Some(at) = self.runs.iter().position(|run| run.id == id) else {
            return false;
        };
        let run = &mut self.runs[at];
        let (bead, provider) = (&self.beads[run.bead], run.provider);
        let (_, tokens) = bead.truth[run.requests];
        match self.truth[provider].request(tokens, self.now) {
            Answer::Served(ends) => {
                run.requests += 1;
                let next = match bead.truth.get(run.requests) {
                    Some((after, _)) => (run.began_at + *after, Event::Request(id)),
                    None => (run.began_at + bead.really_lasts, Event::Ends(id)),
                };
                self.events.push(Reverse(next));
                for (length, end) in [5, 7 * 24].map(Duration::from_hours).into_iter().zip(ends) {
                    self.known[provider].heard(length, end, self.now);
                }
                self.did(Did::Served { provider, tokens });
                false
            }
            Answer::Refused(window, until) => {
                let length = self.truth[provider].limits[window].length;
                self.known[provider].wall(length, until, self.now);
                self.did(Did::Refused { provider });
                let stopped: Vec<Run> = self
                    .runs
                    .extract_if(.., |run| run.provider == provider)
                    .collect();
                for run in stopped {
                    self.settle(&run);
                    self.did(Did::Stopped {
                        bead: run.bead,
                        provider,
                    });
                    // It goes on when the wall falls, as the foreman has it.
                    self.deferred.insert((until, run.bead));
                }
                self.wake(until);
                true
            }
        }
    }

    fn end(&mut self, id: usize) -> bool {
        let Some(at) = self.runs.iter().position(|run| run.id == id) else {
            return false;
        };
        let run = self.runs.swap_remove(at);
        self.settle(&run);
        self.known[run.provider].went_well(run.began_at, self.now);
        self.did(Did::Done {
            bead: run.bead,
            provider: run.provider,
        });
        true
    }

    fn settle(&mut self, run: &Run) {
        let sent = &self.beads[run.bead].truth[..run.requests];
        let tokens = sent.iter().map(|(_, tokens)| tokens).sum();
        self.known[run.provider].settle(run.id, tokens, run.requests as u64, self.now);
    }

    /// Gives ready beads to the agents that are free, as far as there is room.
    fn pass(&mut self) {
        let began = Instant::now();
        while let Some((until, bead)) = self.deferred.first().copied() {
            if until > self.now {
                break;
            }
            self.deferred.pop_first();
            self.queue(bead);
        }
        let mut tanks: Vec<Tank> = self.known.iter().map(|k| k.tank(self.now)).collect();
        let first = self.ready.iter().take(self.knobs.ready).copied();
        for place in first.collect::<Vec<_>>() {
            if self.runs.len() >= self.knobs.agents as usize {
                break;
            }
            let (_, _, bead) = place;
            self.log.decisions += 1;
            match self.decide(bead, &tanks) {
                Decision::Run { provider, .. } => {
                    let at = self.names.iter().position(|name| *name == provider);
                    let at = at.expect("invariant: a candidate was chosen");
                    self.ready.remove(&place);
                    self.start(bead, at);
                    tanks[at] = self.known[at].tank(self.now);
                }
                Decision::Defer { until, .. } => {
                    self.ready.remove(&place);
                    self.deferred.insert((until, bead));
                    self.wake(until);
                }
                Decision::Wait { .. }
                | Decision::Keep { .. }
                | Decision::TooLarge { .. }
                | Decision::Forbidden { .. }
                | Decision::Impossible { .. } => {}
            }
        }
        self.log.deciding += began.elapsed();
    }

    /// As the foreman asks about one ready bead: rules, room in every window, choice.
    fn decide(&self, bead: usize, tanks: &[Tank]) -> Decision {
        let bead = &self.beads[bead];
        let ask = ask(bead);
        let (entry, routing) = (ProviderSettings::default(), RoutingSettings::default());
        let candidates: Vec<Candidate> = tanks
            .iter()
            .zip(self.offers)
            .enumerate()
            .map(|(place, (tank, offer))| {
                let room = room((self.rules.admit)(tank, &ask, self.now));
                let known = prior(&tank.provider, offer.kind, &entry, &routing, bead.task);
                let mut candidate = candidate(tank, room, place, Affinity::untried(known));
                let verdict = evaluate(&self.policy, &facts(bead, tank), self.now);
                rule(&mut candidate, verdict);
                candidate
            })
            .collect();
        decide(&candidates, Strategy::Aggressive, None).0
    }

    fn wake(&mut self, at: Timestamp) {
        if self.wakes.insert(at) {
            self.events.push(Reverse((at, Event::Wake)));
        }
    }

    fn start(&mut self, bead: usize, provider: usize) {
        let id = self.begun;
        self.begun += 1;
        self.known[provider].reserve(id, &ask(&self.beads[bead]), self.now);
        self.events.push(Reverse((self.now, Event::Request(id))));
        self.did(Did::Start { bead, provider });
        self.runs.push(Run {
            id,
            provider,
            bead,
            began_at: self.now,
            requests: 0,
        });
    }
}

fn ask(bead: &Bead) -> Ask {
    Ask {
        requests: bead.requests,
        lasts: Some(bead.lasts),
        ..Ask::of(&bead.estimate, None)
    }
}

fn facts(bead: &Bead, tank: &Tank) -> Facts {
    let windows = tank.windows.iter().map(|w| WindowFacts {
        name: w.name.clone(),
        ratio: w.ratio(),
        resets_at: w.resets_at,
        p_exhausted: None,
    });
    Facts {
        agent: "rigs".into(),
        provider: Some(tank.provider.clone()),
        task_type: Some(bead.task),
        priority: Some(bead.priority),
        estimated_tokens: Some(bead.estimate.p80),
        windows: Some(windows.collect()),
        in_flight: tank.in_flight,
        ..Facts::default()
    }
}

/// As the foreman turns an admission into room.
fn room(admitted: Admit) -> Room {
    match admitted {
        Admit::Yes => Room::Yes,
        Admit::No(refusal) => match refusal.until {
            Some(until) => Room::Closed {
                window: refusal.window.unwrap_or_default(),
                until,
                reason: refusal.reason,
            },
            None => Room::Busy {
                reason: refusal.reason,
            },
        },
    }
}

fn candidate(tank: &Tank, room: Room, place: usize, affinity: Affinity) -> Candidate {
    Candidate {
        provider: tank.provider.clone(),
        model: None,
        room,
        affinity,
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
