//! The decision about one run: by the rules, on all windows, in the store.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{ProviderSettings, RoutingSettings, Strategy};
use crate::core::{Clock, EstimateSource, Ids, Timestamp, Usage};
use crate::core::{Estimate, ProviderName, TaskType};
use crate::db::{Db, EventType, Mode, NewEvent, events};
use crate::dispatch::affinity::{Affinity, prior};
use crate::dispatch::{Candidate, Room, decide, rule};
use crate::policy::{Action, Facts, Policy, WindowFacts, evaluate, read};
use crate::refinery::store::{self, Claim, UsageRow, UsageSource};
use crate::refinery::{Admit, Ask, Tank, TankSettings, admit};

const LIMITS: &str = r#"
kind = "claude"
max_parallel = 1000
limits = [
    { window = "5h", kind = "anchored", unit = "tokens", amount = 900000000000 },
    { window = "7d", kind = "rolling", unit = "tokens", amount = 900000000000 },
    { window = "1m", kind = "refill", unit = "requests", amount = 900000 },
    { window = "day", kind = "calendar", zone = "America/Los_Angeles", unit = "requests", amount = 900000 },
]
"#;

pub(super) fn provider(n: usize) -> ProviderName {
    format!("provider-{n}").parse().expect("a name")
}

fn entry() -> ProviderSettings {
    toml::from_str(LIMITS).expect("the settings of a provider")
}

/// With the slots of `max_parallel` these are five windows.
pub(super) fn tanks(providers: usize) -> Vec<TankSettings> {
    let entry = entry();
    (0..providers)
        .map(|n| TankSettings::of(&provider(n), &entry))
        .collect()
}

/// 100 rules in five scopes, none of which matches: all are looked at to the end.
fn policy() -> Policy {
    let mut text = String::new();
    let subjects = ["", "provider", "repo", "convoy", "bead"];
    let scopes = ["global", "provider", "repo", "convoy", "bead"];
    for n in 0..100 {
        let (scope, subject) = (scopes[n % 5], subjects[n % 5]);
        let subject = if subject.is_empty() {
            String::new()
        } else {
            format!("{subject} = \"*\", ")
        };
        let rest = match n / 5 % 4 {
            0 => "window_ratio = \"< 5%\", model = [\"opus*\", \"*-large\"]",
            1 => "priority = [\"low\"], hours = \"22-06\", timezone = \"Europe/Berlin\"",
            2 => "estimated_tokens = \"> 5000000\", task_type = [\"test\", \"review\"]",
            _ => "window = \"5h*\", seconds_to_reset = \"< 1m\", p_exhausted = \"> 90%\"",
        };
        write!(
            text,
            "[[rule]]\nname = \"rule {n}\"\nscope = \"{scope}\"\nwhen = {{ {subject}{rest} }}\naction = \"deny\"\n"
        )
        .expect("text");
    }
    let file = Arc::new(PathBuf::from("policy.toml"));
    read(&file, text.as_bytes()).expect("a policy")
}

pub(super) fn ask() -> Ask {
    let estimate = Estimate {
        p50: 110_000,
        p80: 255_000,
        p95: 570_000,
        source: EstimateSource::Prior,
    };
    Ask::of(&estimate, Some("sonnet"))
}

fn facts(tank: &Tank) -> Facts {
    let windows = tank.windows.iter().map(|w| WindowFacts {
        name: w.name.clone(),
        ratio: w.ratio(),
        resets_at: w.resets_at,
        p_exhausted: Some(0.1),
    });
    Facts {
        agent: "rigs".into(),
        provider: Some(tank.provider.clone()),
        model: Some("sonnet".into()),
        task_type: Some(TaskType::Implementation),
        priority: "normal".parse().ok(),
        bead: Some("gt-a1b2c".into()),
        convoy: vec!["cv-a1b2c".into(), "the whole goal".into()],
        repo: Some("/home/somebody/project".into()),
        estimated_tokens: Some(255_000),
        windows: Some(windows.collect()),
        budget_left: Some(0.7),
        ..Facts::default()
    }
}

/// Work without a store.
pub struct Pure {
    policy: Policy,
    tanks: Vec<Tank>,
    ask: Ask,
    facts: Facts,
    now: Timestamp,
    entry: ProviderSettings,
    routing: RoutingSettings,
}

impl Pure {
    /// Tanks out of a store with some history.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let tanks = store.tanks();
        Self {
            policy: policy(),
            facts: facts(&tanks[0]),
            tanks,
            ask: ask(),
            now: store.clock.now(),
            entry: entry(),
            routing: RoutingSettings::default(),
        }
    }

    /// Five windows.
    #[must_use]
    pub fn admit(&self) -> bool {
        matches!(admit(&self.tanks[0], &self.ask, self.now), Admit::Yes)
    }

    /// A hundred rules.
    #[must_use]
    pub fn policy(&self) -> bool {
        evaluate(&self.policy, &self.facts, self.now).action == Action::Approve
    }

    /// Both, for one run on one provider.
    #[must_use]
    pub fn pure(&self) -> bool {
        let facts = facts(&self.tanks[0]);
        evaluate(&self.policy, &facts, self.now).action == Action::Approve && self.admit()
    }

    /// Ten providers of five windows each, without rules.
    #[must_use]
    pub fn route(&self) -> usize {
        self.choose(None)
    }

    /// The same with a hundred rules about each.
    #[must_use]
    pub fn route_by_rules(&self) -> usize {
        self.choose(Some(&self.policy))
    }

    fn choose(&self, policy: Option<&Policy>) -> usize {
        let all: Vec<Candidate> = self
            .tanks
            .iter()
            .map(|tank| {
                let room = match admit(tank, &self.ask, self.now) {
                    Admit::Yes => Room::Yes,
                    Admit::No(refusal) => Room::Busy {
                        reason: refusal.reason,
                    },
                };
                let kind = crate::core::ProviderKind::Claude;
                let mut candidate = Candidate {
                    provider: tank.provider.clone(),
                    model: None,
                    room,
                    affinity: Affinity::untried(prior(
                        &tank.provider,
                        kind,
                        &self.entry,
                        &self.routing,
                        TaskType::Implementation,
                    )),
                    place: 0,
                    ratio: tank.ratio,
                    red: false,
                    green: true,
                    next_reset: tank.next_reset,
                    spare: 0.0,
                    has_session: false,
                    worn: false,
                    preferred: false,
                    ruled: None,
                    is_denied: false,
                };
                if let Some(policy) = policy {
                    let verdict = evaluate(policy, &facts(tank), self.now);
                    rule(&mut candidate, verdict);
                }
                candidate
            })
            .collect();
        decide(&all, Strategy::Balanced, None).1.len()
    }
}

/// A store in a file, with WAL and full syncs, as the foreman has it.
pub struct Store {
    runtime: tokio::runtime::Runtime,
    db: Db,
    clock: Clock,
    ids: Ids,
    settings: Arc<Vec<TankSettings>>,
    policy: Arc<Policy>,
}

/// How agents come: each asks so many times, so far apart.
#[derive(Debug, Clone, Copy)]
pub struct Herd {
    pub agents: u32,
    pub rounds: u32,
    /// Between two questions of one agent; the agents are spread evenly over it.
    pub every: Duration,
}

impl Store {
    /// Ten providers, `history` settled runs among them.
    #[must_use]
    pub fn new(dir: &Path, history: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let clock = Clock::system();
        let ids = Ids::random(clock.clone());
        let settings = Arc::new(tanks(10));
        let db = runtime.block_on(async {
            let db = Db::open(&dir.join("rigs.db"), Mode::Foreman)
                .await
                .expect("a store");
            let mut tx = db.write().await.expect("a transaction");
            for n in 0..history {
                let at = clock.now().minus(Duration::from_secs(u64::from(n) * 60));
                let row = UsageRow {
                    attempt: ids.attempt(),
                    slice: 0,
                    bead: ids.bead(6),
                    convoy: None,
                    provider: provider(n as usize % 10),
                    model: Some("sonnet".into()),
                    usage: Usage {
                        input: 40_000,
                        output: 3_000,
                        requests: 12,
                        ..Usage::default()
                    },
                    source: UsageSource::Reported,
                    began_at: at.minus(Duration::from_secs(30)),
                    at,
                };
                store::record(&mut tx, &row).await.expect("a row");
            }
            tx.commit().await.expect("a commit");
            db
        });
        Self {
            runtime,
            db,
            clock,
            ids,
            settings,
            policy: Arc::new(policy()),
        }
    }

    fn tanks(&self) -> Vec<Tank> {
        self.runtime.block_on(async {
            let mut conn = self.db.read().await.expect("a reader");
            store::load(&mut conn, &self.settings, self.clock.now())
                .await
                .expect("tanks")
        })
    }

    /// The yardstick: one event in a transaction of its own.
    #[must_use]
    pub fn bare_commits(&self, n: u32) -> Vec<Duration> {
        self.runtime.block_on(async {
            let mut took = Vec::new();
            for _ in 0..n {
                let began = Instant::now();
                let mut tx = self.db.write().await.expect("a transaction");
                let event = NewEvent::new(EventType::DispatchDecided, "bench");
                events::append(&mut tx, &self.ids, self.clock.now(), event)
                    .await
                    .expect("an event");
                tx.commit().await.expect("a commit");
                took.push(began.elapsed());
            }
            took
        })
    }

    /// Whole decisions: the tank is read, the rules are asked, capacity is reserved on all
    /// windows with its event in one transaction. What was reserved is given back, which is
    /// not timed. Each latency is from the moment the agent wanted to ask.
    #[must_use]
    pub fn decisions(&self, herd: Herd) -> Vec<Duration> {
        let Herd {
            agents,
            rounds,
            every,
        } = herd;
        let start = self.clock.moment() + Duration::from_millis(50);
        let began = Instant::now() + Duration::from_millis(50);
        let mut tasks = tokio::task::JoinSet::new();
        for agent in 0..agents {
            let (db, clock, ids) = (self.db.clone(), self.clock.clone(), self.ids.clone());
            let (settings, policy) = (Arc::clone(&self.settings), Arc::clone(&self.policy));
            tasks.spawn_on(
                async move {
                    let mut took = Vec::new();
                    for round in 0..rounds {
                        let offset = every * round + every * agent / agents;
                        clock.sleep_to(start + offset).await;
                        // A timer counts in milliseconds; what was waited beyond is not ours.
                        let asked = Instant::now().max(began + offset);
                        let tank = &settings[agent as usize % settings.len()];
                        let reserved = decision(&db, &clock, &ids, &policy, tank).await;
                        took.push(asked.elapsed());
                        let mut tx = db.write().await.expect("a transaction");
                        store::release(&mut tx, &ids, clock.now(), reserved)
                            .await
                            .expect("given back");
                        tx.commit().await.expect("a commit");
                    }
                    took
                },
                self.runtime.handle(),
            );
        }
        self.runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(took) = tasks.join_next().await {
                all.extend(took.expect("an agent"));
            }
            all
        })
    }
}

async fn decision(
    db: &Db,
    clock: &Clock,
    ids: &Ids,
    policy: &Policy,
    settings: &TankSettings,
) -> crate::core::AttemptId {
    let now = clock.now();
    let mut conn = db.read().await.expect("a reader");
    let tank = store::load_one(&mut conn, settings, now)
        .await
        .expect("a tank");
    drop(conn);
    let verdict = evaluate(policy, &facts(&tank), now);
    assert_eq!(verdict.action, Action::Approve);
    let attempt = ids.attempt();
    let claim = Claim {
        attempt,
        bead: ids.bead(6),
        convoy: None,
        owner: "bench".into(),
        ask: ask(),
        expires_at: now + Duration::from_mins(5),
    };
    let mut tx = db.write().await.expect("a transaction");
    let reserved = store::reserve(&mut tx, ids, now, settings, &claim)
        .await
        .expect("a store that works");
    assert!(reserved.is_ok(), "{reserved:?}");
    tx.commit().await.expect("a commit");
    attempt
}
