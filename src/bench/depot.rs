//! A store with many beads: filled, claimed from, worked through.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::decide::{ask, tanks};
use crate::core::{
    BeadId, BeadStatus, Clock, Estimate, EstimateSource, Ids, Priority, TaskType, Timestamp,
};
use crate::db::{Db, Mode, Tx};
use crate::depot::{Act, Arrival, AttemptEnd, Fence, NewBead, store as depot};
use crate::refinery::TankSettings;
use crate::refinery::store::{self as refinery, Claim as Reserve};

/// Beads of one transaction while a store is filled.
const BATCH: u64 = 5_000;

/// A store in a file, as one process has it open.
pub struct Depot {
    runtime: tokio::runtime::Runtime,
    db: Db,
    clock: Clock,
    ids: Ids,
    tank: TankSettings,
    owner: String,
}

impl Depot {
    /// `who` tells processes apart: each takes capacity of a provider of its own.
    #[must_use]
    pub fn open(path: &Path, who: usize, is_foreman: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mode = if is_foreman {
            Mode::Foreman
        } else {
            Mode::OneShot
        };
        let db = runtime.block_on(Db::open(path, mode)).expect("a store");
        let clock = Clock::system();
        Self {
            runtime,
            db,
            ids: Ids::random(clock.clone()),
            clock,
            tank: tanks(16).swap_remove(who % 16),
            owner: format!("bench-{who}"),
        }
    }

    /// Ends with what a command or foreman ends with.
    pub fn close(self) {
        self.runtime
            .block_on(self.db.close())
            .expect("a store that closes");
    }

    /// Stores ready beads of all priorities by bulk import; gives how long that took.
    #[must_use]
    pub fn fill(&self, beads: u64) -> Duration {
        let started = self.clock.now().minus(Duration::from_secs(beads));
        self.timed(beads, |n| {
            let at = started + Duration::from_secs(n);
            let mut a = self.arrival(n, at);
            a.status = BeadStatus::Queued;
            a
        })
    }

    /// Stores beads of the highest priority that all wait for one that is not completed: what
    /// stands at the head of the queue and cannot go on.
    pub fn fill_head(&self, beads: u64) {
        let gate = self.arrival(0, self.clock.now());
        let gate = Arrival {
            status: BeadStatus::Pending,
            ..gate
        };
        let on = gate.id.clone();
        self.insert(&[gate]);
        let _ = self.timed(beads, |n| {
            let mut a = self.arrival(n, self.clock.now());
            a.status = BeadStatus::Queued;
            a.new.priority = Priority::Critical;
            a.new.depends_on = vec![on.clone()];
            a
        });
    }

    fn timed(&self, beads: u64, arrival: impl Fn(u64) -> Arrival) -> Duration {
        let mut took = Duration::ZERO;
        let mut from = 0;
        while from < beads {
            let to = (from + BATCH).min(beads);
            let batch: Vec<Arrival> = (from..to).map(&arrival).collect();
            let began = Instant::now();
            self.insert(&batch);
            took += began.elapsed();
            from = to;
        }
        took
    }

    fn insert(&self, batch: &[Arrival]) {
        self.runtime.block_on(async {
            let mut tx = self.db.write().await.expect("a transaction");
            depot::insert_many(&mut tx, self.act(), batch)
                .await
                .expect("stored");
            tx.commit().await.expect("a commit");
        });
    }

    fn arrival(&self, n: u64, at: Timestamp) -> Arrival {
        let mut new = NewBead::new(
            &format!("Change number {n}: the parser reports the line of an unclosed bracket"),
            TaskType::Implementation,
        );
        new.estimate = Some(Estimate {
            p50: 20_000,
            p80: 40_000,
            p95: 80_000,
            source: EstimateSource::Given,
        });
        new.priority = if n.is_multiple_of(10) {
            Priority::High
        } else {
            Priority::Normal
        };
        Arrival {
            id: self.ids.bead(8),
            new,
            status: BeadStatus::Pending,
            reason: None,
            output: None,
            created_at: at,
            completed_at: None,
        }
    }

    fn act(&self) -> Act<'_> {
        Act {
            ids: &self.ids,
            now: self.clock.now(),
            who: "bench",
        }
    }

    /// Claims as many beads and keeps them: their ids with how long each claim took.
    #[must_use]
    pub fn claim(&self, beads: u32) -> Vec<(String, Duration)> {
        self.runtime.block_on(async {
            let mut all = Vec::new();
            for _ in 0..beads {
                let began = Instant::now();
                let Some((bead, _)) = self.claim_one().await else {
                    break;
                };
                all.push((bead.to_string(), began.elapsed()));
            }
            all
        })
    }

    /// The same, but each bead is completed before the next is claimed, which is not timed.
    #[must_use]
    pub fn claims(&self, beads: u32) -> Vec<Duration> {
        self.runtime.block_on(async {
            let mut took = Vec::new();
            for _ in 0..beads {
                let began = Instant::now();
                let (bead, fence) = self.claim_one().await.expect("a ready bead");
                took.push(began.elapsed());
                self.complete(&bead, &fence).await;
            }
            took
        })
    }

    /// Enqueue, claim and complete, each with its events in a transaction of its own.
    #[must_use]
    pub fn cycles(&self, beads: u32) -> Vec<Duration> {
        self.runtime.block_on(async {
            let mut took = Vec::new();
            for n in 0..beads {
                let began = Instant::now();
                self.enqueue(u64::from(n)).await;
                let (bead, fence) = self.claim_one().await.expect("a ready bead");
                self.complete(&bead, &fence).await;
                took.push(began.elapsed());
            }
            took
        })
    }

    async fn enqueue(&self, n: u64) {
        let arrival = self.arrival(n, self.clock.now());
        let estimate = arrival.new.estimate.expect("it has one");
        let mut tx = self.db.write().await.expect("a transaction");
        let act = self.act();
        let bead = depot::insert(&mut tx, act, arrival.new)
            .await
            .expect("stored");
        depot::assay(&mut tx, act, &bead.id, &self.owner, act.now)
            .await
            .expect("assayed");
        depot::queue(&mut tx, act, &bead.id, estimate, "", None)
            .await
            .expect("queued");
        tx.commit().await.expect("a commit");
    }

    /// Chooses, checks, claims and reserves on all windows of the provider, with the events.
    async fn claim_one(&self) -> Option<(BeadId, Fence)> {
        let mut tx = self.db.write().await.expect("a transaction");
        let now = self.clock.now();
        let ready = depot::ready(&mut tx, None, 1).await.expect("the queue");
        let ready = ready.into_iter().next()?;
        let claim = depot::Claim {
            bead: &ready.id,
            after_attempt: ready.attempt,
            provider: &self.tank.provider,
            model: None,
            owner: &self.owner,
            lease_until: now + Duration::from_mins(5),
            resumes: None,
            marker: "bench",
            log_path: "log",
            decision: json!({ "chosen": self.tank.provider }),
        };
        let attempt = depot::claim(&mut tx, self.act(), claim)
            .await
            .expect("claimed");
        let reserve = Reserve {
            attempt,
            bead: ready.id.clone(),
            convoy: None,
            owner: self.owner.clone(),
            ask: ask(),
            expires_at: now + Duration::from_mins(5),
        };
        let reserved = refinery::reserve(&mut tx, &self.ids, now, &self.tank, &reserve)
            .await
            .expect("a store that works");
        assert!(reserved.is_ok(), "{reserved:?}");
        tx.commit().await.expect("a commit");
        let fence = Fence {
            attempt: ready.attempt + 1,
            owner: self.owner.clone(),
        };
        Some((ready.id, fence))
    }

    async fn complete(&self, bead: &BeadId, fence: &Fence) {
        let mut tx: Tx = self.db.write().await.expect("a transaction");
        let act = self.act();
        let attempt = depot::last_attempt(&mut tx, bead)
            .await
            .expect("attempts")
            .expect("the attempt");
        depot::start(&mut tx, act, bead, fence)
            .await
            .expect("started");
        depot::finish(&mut tx, act, bead, fence, "done")
            .await
            .expect("finished");
        depot::accept(&mut tx, act, bead, fence, json!([]))
            .await
            .expect("accepted");
        depot::complete(&mut tx, act, bead, fence, None)
            .await
            .expect("completed");
        let end = AttemptEnd {
            status: "success".into(),
            rule: None,
            message: None,
            session_id: None,
            model: None,
            commit_id: None,
            exit_code: Some(0),
        };
        depot::end_attempt(&mut tx, act, &attempt, &end)
            .await
            .expect("ended");
        refinery::release(&mut tx, &self.ids, act.now, attempt.id)
            .await
            .expect("given back");
        tx.commit().await.expect("a commit");
    }
}
