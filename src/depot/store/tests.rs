mod archived;
mod changed;
mod conflicts;
mod kept;
mod many;
mod plans;

use pretty_assertions::assert_eq;
use serde_json::json;

use super::*;
use crate::core::{
    BeadEvent, BlockCause, ConvoyStatus, Estimate, EstimateSource, ProviderName, TaskType,
};
use crate::db::{Conn, Tx, events};
use crate::depot::{Act, AttemptEnd, Bead, BeadFilter, Deferral, Fence, NewBead, NewConvoy};
use crate::testing::TestDb;

const ESTIMATE: Estimate = Estimate {
    p50: 10,
    p80: 20,
    p95: 40,
    source: EstimateSource::Prior,
};

/// A transaction with an actor; every test commits or drops it as a whole.
struct Desk {
    t: TestDb,
    tx: Tx,
}

impl Desk {
    async fn new() -> Self {
        let t = TestDb::new().await;
        let tx = t.db.write().await.unwrap();
        Self { t, tx }
    }

    fn parts(&mut self) -> (&mut Conn, Act<'_>) {
        (
            &mut self.tx,
            Act {
                ids: &self.t.ids,
                now: self.t.clock.now(),
                who: "user",
            },
        )
    }

    async fn bead(&mut self, title: &str, deps: &[&BeadId]) -> BeadId {
        let (conn, act) = self.parts();
        let mut new = NewBead::new(title, TaskType::Test);
        new.depends_on = deps.iter().map(|d| (*d).clone()).collect();
        insert(conn, act, new).await.unwrap().id
    }

    async fn get(&mut self, id: &BeadId) -> Bead {
        get(&mut self.tx, id).await.unwrap().unwrap()
    }

    async fn queue(&mut self, id: &BeadId) {
        let (conn, act) = self.parts();
        let until = act.now;
        assay(conn, act, id, "me", until).await.unwrap();
        queue(conn, act, id, ESTIMATE, "", None).await.unwrap();
    }

    async fn claim(&mut self, id: &BeadId) -> Fence {
        let after = self.get(id).await.attempt;
        let provider: ProviderName = "claude".parse().unwrap();
        let (conn, act) = self.parts();
        let request = Claim {
            bead: id,
            after_attempt: after,
            provider: &provider,
            model: None,
            owner: "me",
            lease_until: act.now,
            resumes: None,
            marker: "m",
            log_path: "log",
            decision: json!({}),
        };
        claim(conn, act, request).await.unwrap();
        Fence {
            attempt: after + 1,
            owner: "me".into(),
        }
    }

    async fn complete(&mut self, id: &BeadId) {
        self.queue(id).await;
        let fence = self.claim(id).await;
        let (conn, act) = self.parts();
        start(conn, act, id, &fence).await.unwrap();
        finish(conn, act, id, &fence, "done").await.unwrap();
        accept(conn, act, id, &fence, json!([])).await.unwrap();
        complete(conn, act, id, &fence, Some("abc")).await.unwrap();
    }

    async fn ready_ids(&mut self) -> Vec<BeadId> {
        ready(&mut self.tx, None, 100)
            .await
            .unwrap()
            .into_iter()
            .map(|r| r.id)
            .collect()
    }
}

#[tokio::test]
async fn a_bead_becomes_ready_when_its_last_dependency_completes() {
    let mut d = Desk::new().await;
    let (a, b) = (d.bead("a", &[]).await, d.bead("b", &[]).await);
    let c = d.bead("c", &[&a, &b]).await;
    d.queue(&c).await;
    assert_eq!(d.ready_ids().await, []);
    d.complete(&a).await;
    assert_eq!(d.get(&c).await.open_deps, 1);
    d.complete(&b).await;
    assert_eq!(d.ready_ids().await, [c.clone()]);
    let late = d.bead("late", &[&a]).await;
    assert_eq!(d.get(&late).await.open_deps, 0);
}

#[tokio::test]
async fn beads_of_the_same_moment_are_taken_in_the_order_of_their_plan() {
    let mut d = Desk::new().await;
    let mut made = Vec::new();
    for n in 0..20 {
        made.push(d.bead(&n.to_string(), &[]).await);
    }
    let pending = pending(&mut d.tx, None, 100).await.unwrap();
    let pending: Vec<_> = pending.into_iter().map(|b| b.id).collect();
    assert_eq!(pending, made);
    for id in &made {
        d.queue(id).await;
    }
    assert_eq!(d.ready_ids().await, made);
    let all = BeadFilter {
        limit: 100,
        ..BeadFilter::default()
    };
    let newest_first = list(&mut d.tx, &all).await.unwrap();
    let listed: Vec<_> = newest_first.into_iter().rev().map(|b| b.id).collect();
    assert_eq!(listed, made);
}

#[tokio::test]
async fn every_step_leaves_its_event_and_the_counters_agree() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    d.complete(&id).await;
    let log = events::list(
        &mut d.tx,
        &events::EventFilter {
            bead: Some(id.clone()),
            ..Default::default()
        },
        99,
    )
    .await
    .unwrap();
    let kinds: Vec<&str> = log.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "bead.created",
            "bead.assay",
            "bead.queue",
            "bead.claim",
            "bead.start",
            "bead.finish",
            "bead.accept",
            "bead.complete"
        ]
    );
    assert_eq!(
        status_counts(&mut d.tx, None).await.unwrap(),
        [(BeadStatus::Completed, 1)]
    );
    let done = d.get(&id).await;
    assert_eq!(
        (done.lease_owner, done.output.as_deref()),
        (None, Some("done"))
    );
}

#[tokio::test]
async fn a_completion_with_an_old_fence_is_refused() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    d.queue(&id).await;
    let old = d.claim(&id).await;
    let (conn, act) = d.parts();
    release(conn, act, &id, BeadStatus::Assigned, Some(&old), "lost")
        .await
        .unwrap();
    d.claim(&id).await;
    let (conn, act) = d.parts();
    let error = start(conn, act, &id, &old).await.unwrap_err();
    assert!(
        matches!(error, DepotError::Fenced { attempt: 1, .. }),
        "{error}"
    );
    let stranger = Fence {
        attempt: 2,
        owner: "other".into(),
    };
    let error = start(conn, act, &id, &stranger).await.unwrap_err();
    assert!(
        matches!(error, DepotError::Fenced { attempt: 2, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_bead_is_claimed_once() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    d.queue(&id).await;
    d.claim(&id).await;
    let provider: ProviderName = "codex".parse().unwrap();
    let (conn, act) = d.parts();
    let again = Claim {
        bead: &id,
        after_attempt: 0,
        provider: &provider,
        model: None,
        owner: "other",
        lease_until: act.now,
        resumes: None,
        marker: "m",
        log_path: "log",
        decision: json!({}),
    };
    let error = claim(conn, act, again).await.unwrap_err();
    assert!(
        matches!(
            error,
            DepotError::LostRace {
                now: BeadStatus::Assigned,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_cycle_is_refused_and_its_path_named() {
    let mut d = Desk::new().await;
    let a = d.bead("a", &[]).await;
    let b = d.bead("b", &[&a]).await;
    let c = d.bead("c", &[&b]).await;
    let (conn, act) = d.parts();
    let error = add_dependency(conn, act, &a, &c).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("that would make a cycle: {c} -> {b} -> {a} -> {c}")
    );
    add_dependency(conn, act, &c, &a).await.unwrap();
    assert_eq!(d.get(&c).await.open_deps, 2);
}

#[tokio::test]
async fn a_failure_blocks_what_waits_for_it_and_a_retry_lifts_that() {
    let mut d = Desk::new().await;
    let a = d.bead("a", &[]).await;
    let b = d.bead("b", &[&a]).await;
    let c = d.bead("c", &[&b]).await;
    d.queue(&c).await;
    let (conn, act) = d.parts();
    fail(conn, act, &a, BeadStatus::Pending, None, "broken")
        .await
        .unwrap();
    for id in [&b, &c] {
        let bead = d.get(id).await;
        assert_eq!(
            (bead.status, bead.block_cause),
            (BeadStatus::Blocked, Some(BlockCause::Dependency))
        );
    }
    let late = d.bead("late", &[&a]).await;
    assert_eq!(d.get(&late).await.status, BeadStatus::Blocked);
    let (conn, act) = d.parts();
    retry(conn, act, &a).await.unwrap();
    for id in [&a, &b, &c, &late] {
        assert_eq!(d.get(id).await.status, BeadStatus::Queued, "{id}");
    }
    assert_eq!(d.ready_ids().await, [a]);
}

#[tokio::test]
async fn a_deferred_bead_comes_back_at_its_time_and_not_before() {
    let mut d = Desk::new().await;
    let id = d.bead("a", &[]).await;
    d.queue(&id).await;
    let until = d.t.clock.now() + std::time::Duration::from_hours(5);
    let wait = Deferral {
        provider: None,
        window: Some("five_hour".into()),
        reason: "limit".into(),
    };
    let (conn, act) = d.parts();
    defer(conn, act, &id, BeadStatus::Queued, None, until, &wait)
        .await
        .unwrap();
    assert_eq!(promote_due(conn, act, 10).await.unwrap(), []);
    assert_eq!(next_due(conn, None).await.unwrap(), Some(until));
    assert_eq!(d.get(&id).await.deferral, Some(wait));
    d.t.time.set(until);
    let (conn, act) = d.parts();
    assert_eq!(promote_due(conn, act, 10).await.unwrap(), [id.clone()]);
    let bead = d.get(&id).await;
    assert_eq!(
        (bead.status, bead.deferral, bead.failures),
        (BeadStatus::Queued, None, 0)
    );
}

#[tokio::test]
async fn a_bead_with_a_start_time_waits_for_it() {
    let mut d = Desk::new().await;
    let until = d.t.clock.now() + std::time::Duration::from_hours(1);
    let (conn, act) = d.parts();
    let mut new = NewBead::new("later", TaskType::Test);
    new.not_before = Some(until);
    let id = insert(conn, act, new).await.unwrap().id;
    d.queue(&id).await;
    let bead = d.get(&id).await;
    assert_eq!(
        (bead.status, bead.deferred_until),
        (BeadStatus::Deferred, Some(until))
    );
}

#[tokio::test]
async fn a_convoy_follows_its_beads() {
    let mut d = Desk::new().await;
    let (conn, act) = d.parts();
    let cv = insert_convoy(
        conn,
        act,
        NewConvoy {
            name: "n".into(),
            ..Default::default()
        },
    )
    .await
    .unwrap()
    .id;
    let (a, b) = (d.bead("a", &[]).await, d.bead("b", &[]).await);
    for id in [&a, &b] {
        let (conn, act) = d.parts();
        add_bead(conn, act, &cv, id).await.unwrap();
    }
    d.complete(&a).await;
    assert_eq!(
        convoy(&mut d.tx, &cv).await.unwrap().unwrap().status,
        ConvoyStatus::InProgress
    );
    let (conn, act) = d.parts();
    pause(conn, act, &cv).await.unwrap();
    d.queue(&b).await;
    assert_eq!(d.ready_ids().await, []);
    let (conn, act) = d.parts();
    resume(conn, act, &cv).await.unwrap();
    assert_eq!(d.ready_ids().await, [b.clone()]);
    let (conn, act) = d.parts();
    fail(conn, act, &b, BeadStatus::Queued, None, "x")
        .await
        .unwrap();
    assert_eq!(
        convoy(conn, &cv).await.unwrap().unwrap().status,
        ConvoyStatus::Failed
    );
    retry(conn, act, &b).await.unwrap();
    assert_eq!(
        convoy(conn, &cv).await.unwrap().unwrap().status,
        ConvoyStatus::InProgress
    );
    assert_eq!(cancel_convoy(conn, act, &cv, "enough").await.unwrap(), [b]);
    let error = pause(conn, act, &cv).await.unwrap_err();
    assert!(matches!(
        error,
        DepotError::ConvoyOver {
            status: ConvoyStatus::Cancelled,
            ..
        }
    ));
}
