use super::*;
use crate::core::{Clock, Ids};
use crate::db::{Db, Mode};
use crate::refinery::Why;
use pretty_assertions::assert_eq;

#[tokio::test]
async fn a_reservation_holds_capacity_until_it_is_settled_with_what_was_used() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let first = claim(&t, 600);
    let reservation = reserve_one(&t, &settings, &first).await.unwrap();
    assert_eq!(
        (reservation.tokens, reservation.created_at),
        (600, t.clock.now())
    );
    let second = claim(&t, 500);
    let refusal = reserve_one(&t, &settings, &second).await.unwrap_err();
    let expected = Refusal {
        why: Why::Full,
        window: Some("5h_tokens".into()),
        until: Some(clock_time("13:00:00")),
        reason: "claude 5h_tokens: 500 tokens asked, 400 left".into(),
    };
    assert_eq!(refusal, expected);

    minutes(&t, 10);
    assert_eq!(
        settle_one(&t, &first, 200).await,
        Settled::Now(Outcome::Settled)
    );
    let window = tank(&t, &settings).await.windows.remove(0);
    assert_eq!((window.used, window.reserved), (Some(200), 0));
    assert_eq!(
        window.resets_at,
        Some(clock_time("13:00:00")),
        "the window began with the run, not with its bill"
    );
    reserve_one(&t, &settings, &second).await.unwrap();
    assert_eq!(
        event_types(&t).await,
        ["capacity.reserved", "capacity.settled", "capacity.reserved"]
    );
    assert_sound(&t).await;
}

#[tokio::test]
async fn more_than_was_reserved_is_charged_and_settling_twice_changes_nothing() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let claim = claim(&t, 100);
    reserve_one(&t, &settings, &claim).await.unwrap();
    settle_one(&t, &claim, 1500).await;
    assert_eq!(settle_one(&t, &claim, 99).await, Settled::Before);
    let tank = tank(&t, &settings).await;
    assert_eq!(tank.windows[0].used, Some(1500));
    assert_eq!(
        (tank.ratio, tank.next_reset),
        (Some(0.0), Some(clock_time("13:00:00")))
    );
}

#[tokio::test]
async fn unknown_use_is_charged_as_estimated_and_what_was_reported_of_it_only_once() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let mut charged = Vec::new();
    for reported in [0, 40, 250] {
        let claim = claim(&t, 100);
        reserve_one(&t, &settings, &claim).await.unwrap();
        let mut tx = t.db.write().await.unwrap();
        if reported > 0 {
            let row = UsageRow {
                attempt: claim.attempt,
                slice: 0,
                bead: bead(),
                convoy: None,
                provider: provider(),
                model: None,
                usage: used_tokens(reported),
                source: UsageSource::Reported,
                began_at: t.clock.now(),
                at: t.clock.now(),
            };
            record(&mut tx, &row).await.unwrap();
        }
        let settled = charge_estimate(&mut tx, &t.ids, t.clock.now(), claim.attempt)
            .await
            .unwrap();
        assert_eq!(settled, Settled::Now(Outcome::Charged));
        let of = Of::Attempt(claim.attempt);
        charged.push(used(&mut tx, of, None).await.unwrap().tokens());
        tx.commit().await.unwrap();
    }
    assert_eq!(charged, [100, 100, 250]);
}

#[tokio::test]
async fn slices_of_a_running_attempt_are_not_counted_twice() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let claim = claim(&t, 600);
    let reservation = reserve_one(&t, &settings, &claim).await.unwrap();
    let mut tx = t.db.write().await.unwrap();
    let slice = UsageRow {
        attempt: claim.attempt,
        slice: 0,
        bead: bead(),
        convoy: None,
        provider: provider(),
        model: None,
        usage: used_tokens(250),
        source: UsageSource::Reported,
        began_at: reservation.created_at,
        at: t.clock.now(),
    };
    record(&mut tx, &slice).await.unwrap();
    tx.commit().await.unwrap();
    let window = tank(&t, &settings).await.windows.remove(0);
    assert_eq!((window.used, window.reserved), (Some(250), 350));
}

#[tokio::test]
async fn a_run_that_never_started_gives_all_back_and_opens_no_window() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let claim = claim(&t, 600);
    reserve_one(&t, &settings, &claim).await.unwrap();
    assert!(tank(&t, &settings).await.windows[0].resets_at.is_some());
    let mut tx = t.db.write().await.unwrap();
    let released = release(&mut tx, &t.ids, t.clock.now(), claim.attempt)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(released, Settled::Now(Outcome::Released));
    let window = tank(&t, &settings).await.windows.remove(0);
    assert_eq!(
        (window.used, window.reserved, window.resets_at),
        (Some(0), 0, None)
    );
    assert_sound(&t).await;
}

#[tokio::test]
async fn a_run_that_used_nothing_counts_as_a_run() {
    let t = TestDb::new().await;
    let settings = settings(&[limit(LimitKind::Rolling, LimitUnit::Runs, HOUR, 2)]);
    for _ in 0..2 {
        let claim = claim(&t, 5);
        reserve_one(&t, &settings, &claim).await.unwrap();
        let mut tx = t.db.write().await.unwrap();
        settle(&mut tx, &t.ids, t.clock.now(), claim.attempt, &[], true)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let refusal = reserve_one(&t, &settings, &claim(&t, 5)).await.unwrap_err();
    assert_eq!(refusal.until, Some(clock_time("09:00:00")));
}

#[tokio::test]
async fn what_nobody_renews_is_found_as_expired() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let (lost, kept) = (claim(&t, 10), claim(&t, 10));
    let reservation = reserve_one(&t, &settings, &lost).await.unwrap();
    reserve_one(&t, &settings, &kept).await.unwrap();
    minutes(&t, 50);
    let mut tx = t.db.write().await.unwrap();
    let until = t.clock.now() + HOUR;
    assert!(renew(&mut tx, kept.attempt, until).await.unwrap());
    tx.commit().await.unwrap();
    minutes(&t, 10);
    let mut conn = t.db.read().await.unwrap();
    let found = expired(&mut conn, t.clock.now()).await.unwrap();
    assert_eq!(found, [reservation]);
    drop(conn);
    settle_one(&t, &lost, 1).await;
    let mut tx = t.db.write().await.unwrap();
    assert!(!renew(&mut tx, lost.attempt, until).await.unwrap());
}

#[tokio::test]
async fn all_windows_are_reserved_or_none() {
    let t = TestDb::new().await;
    let settings = settings(&[
        limit(LimitKind::Anchored, LimitUnit::Tokens, 5 * HOUR, 1000),
        limit(LimitKind::Anchored, LimitUnit::Tokens, 24 * HOUR, 1500),
    ]);
    let first = claim(&t, 900);
    reserve_one(&t, &settings, &first).await.unwrap();
    settle_one(&t, &first, 900).await;
    minutes(&t, 301);
    let refusal = reserve_one(&t, &settings, &claim(&t, 700))
        .await
        .unwrap_err();
    assert_eq!(refusal.window.as_deref(), Some("1d_tokens"));
    let tank = tank(&t, &settings).await;
    assert!(tank.windows.iter().all(|w| w.reserved == 0));
}

/// Two handles on one file stand for two processes: each has its own connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_reserve_at_once_never_exceed_a_window() {
    let t = TestDb::new().await;
    let other = Db::open(t.db.path(), Mode::OneShot).await.unwrap();
    let settings = settings(&[
        limit(LimitKind::Anchored, LimitUnit::Tokens, 5 * HOUR, 1000),
        limit(LimitKind::Rolling, LimitUnit::Requests, HOUR, 20),
    ]);
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..60_u64 {
        let db = if n % 2 == 0 {
            t.db.clone()
        } else {
            other.clone()
        };
        let (settings, claim) = (settings.clone(), claim(&t, 30 + n));
        let (ids, clock): (Ids, Clock) = (t.ids.clone(), t.clock.clone());
        asking.spawn(async move {
            let mut tx = db.write().await.unwrap();
            let answer = reserve(&mut tx, &ids, clock.now(), &settings, &claim)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            answer.map(|r| r.tokens)
        });
    }
    let answers = asking.join_all().await;
    let admitted: Vec<u64> = answers
        .iter()
        .filter_map(|a| a.as_ref().ok().copied())
        .collect();
    let sum: u64 = admitted.iter().sum();
    assert!(sum <= 1000 && admitted.len() <= 20, "{admitted:?}");
    let is_full = admitted.len() == 20 || sum + 89 > 1000;
    assert!(is_full, "room was left: {admitted:?}");
    let tank = tank(&t, &settings).await;
    assert_eq!(
        (tank.windows[0].reserved, tank.in_flight),
        (sum, admitted.len() as u64)
    );
}

#[tokio::test]
async fn many_tanks_are_loaded_at_once_each_with_its_own_figures() {
    let t = TestDb::new().await;
    let many: Vec<TankSettings> = (0..40)
        .map(|n| {
            let mut s = settings(&[
                limit(LimitKind::Anchored, LimitUnit::Tokens, 5 * HOUR, 1000),
                limit(LimitKind::Rolling, LimitUnit::Requests, HOUR, 20),
                limit(LimitKind::Percent, LimitUnit::Percent, 168 * HOUR, 0),
            ]);
            s.provider = format!("p{n}").parse().unwrap();
            s
        })
        .collect();
    let first = claim(&t, 7);
    reserve_one(&t, &many[3], &first).await.unwrap();
    let mut conn = t.db.read().await.unwrap();
    let tanks = load(&mut conn, &many, t.clock.now()).await.unwrap();
    let reserved: Vec<u64> = tanks.iter().map(|t| t.windows[0].reserved).collect();
    let expected: Vec<u64> = (0..40).map(|n| if n == 3 { 7 } else { 0 }).collect();
    assert_eq!(reserved, expected);
}
