use super::*;
use crate::core::AttemptId;
use crate::provider::{Class, Observation, Scope, WindowStatus};
use crate::refinery::{Health, Why};
use pretty_assertions::assert_eq;

pub(super) fn observation(t: &TestDb, share: Option<f64>) -> Observation {
    Observation {
        duration: Some(5 * HOUR),
        status: Some(WindowStatus::Allowed),
        used_fraction: share,
        resets_at: Some(clock_time("12:30:00")),
        ..Observation::new("five_hour", "event", t.clock.now())
    }
}

pub(super) async fn say(t: &TestDb, attempt: Option<AttemptId>, said: &Observation) -> bool {
    let mut tx = t.db.write().await.unwrap();
    let news = observe(&mut tx, &t.ids, t.clock.now(), &provider(), attempt, said)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    news
}

pub(super) fn wall(limit_id: Option<&str>, resets_at: Option<Timestamp>) -> CloseOrder {
    CloseOrder {
        provider: provider(),
        scope: Scope::Account,
        limit_id: limit_id.map(str::to_owned),
        resets_at,
        class: Class::Limit,
        rule: "usage_limit".into(),
        jitter: Duration::from_secs(7),
        attempt: None,
    }
}

pub(super) async fn hit(t: &TestDb, order: &CloseOrder) -> Timestamp {
    let mut tx = t.db.write().await.unwrap();
    let until = close(&mut tx, &t.ids, t.clock.now(), order).await.unwrap();
    tx.commit().await.unwrap();
    until
}

async fn went_well(t: &TestDb, began_at: Timestamp) {
    let mut tx = t.db.write().await.unwrap();
    success(&mut tx, &t.ids, t.clock.now(), &provider(), None, began_at)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

pub(super) fn subscription() -> TankSettings {
    settings(&[limit(LimitKind::Percent, LimitUnit::Percent, 5 * HOUR, 0)])
}

#[tokio::test]
async fn an_observation_becomes_the_window_and_an_event_when_it_is_news() {
    let t = TestDb::new().await;
    assert!(say(&t, None, &observation(&t, Some(0.42))).await);
    minutes(&t, 1);
    assert!(!say(&t, None, &observation(&t, Some(0.421))).await);
    minutes(&t, 1);
    assert!(say(&t, None, &observation(&t, Some(0.55))).await);
    assert_eq!(
        event_types(&t).await,
        ["window.observed", "window.observed"]
    );
    let tank = tank(&t, &subscription()).await;
    insta::assert_json_snapshot!(tank.view(t.clock.now()));
    assert_sound(&t).await;
}

#[tokio::test]
async fn an_unheard_tank_runs_one_bead_at_a_time_until_an_observation_comes() {
    let t = TestDb::new().await;
    let settings = subscription();
    reserve_one(&t, &settings, &claim(&t, 10)).await.unwrap();
    let refusal = reserve_one(&t, &settings, &claim(&t, 10))
        .await
        .unwrap_err();
    assert_eq!((refusal.why, refusal.until), (Why::OneAtATime, None));
    say(&t, None, &observation(&t, None)).await;
    reserve_one(&t, &settings, &claim(&t, 10)).await.unwrap();
}

#[tokio::test]
async fn a_wall_closes_the_window_until_its_reset_and_one_probe_goes_first() {
    let t = TestDb::new().await;
    let settings = subscription();
    say(&t, None, &observation(&t, Some(0.61))).await;
    // The window is known by its reset.
    let reset = clock_time("12:30:20");
    let until = hit(&t, &wall(None, Some(reset))).await;
    assert_eq!(until, clock_time("12:30:27"));
    let closed = tank(&t, &settings).await;
    assert_eq!(
        (closed.health, closed.next_reset),
        (Health::Empty, Some(until))
    );
    let refusal = reserve_one(&t, &settings, &claim(&t, 10))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.why, refusal.window.as_deref(), refusal.until),
        (Why::Closed, Some("five_hour"), Some(until))
    );

    t.time.set(until);
    let probe = claim(&t, 10);
    reserve_one(&t, &settings, &probe).await.unwrap();
    assert!(reserve_one(&t, &settings, &claim(&t, 10)).await.is_err());
    minutes(&t, 1);
    settle_one(&t, &probe, 10).await;
    went_well(&t, until).await;
    say(
        &t,
        None,
        &Observation {
            resets_at: Some(clock_time("17:30:00")),
            ..observation(&t, None)
        },
    )
    .await;
    for _ in 0..2 {
        reserve_one(&t, &settings, &claim(&t, 10)).await.unwrap();
    }
    assert_sound(&t).await;
}

#[tokio::test]
async fn a_wall_without_a_reset_is_left_alone_for_a_bounded_time() {
    let t = TestDb::new().await;
    let settings = settings(&[]);
    let until = hit(&t, &wall(None, None)).await;
    assert_eq!(until, clock_time("08:30:07"));
    let shown = tank(&t, &settings).await;
    assert_eq!(shown.windows[0].name, "wall");
    t.time.set(until);
    reserve_one(&t, &settings, &claim(&t, 10)).await.unwrap();
    went_well(&t, until).await;
    let after = tank(&t, &settings).await;
    assert_eq!(after.windows.len(), 1, "the wall is gone");
    assert_sound(&t).await;
}

#[tokio::test]
async fn a_run_from_before_the_wall_neither_proves_nor_opens_anything() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let early = claim(&t, 10);
    reserve_one(&t, &settings, &early).await.unwrap();
    minutes(&t, 1);
    let until = hit(&t, &wall(Some("five_hour"), Some(clock_time("12:30:00")))).await;
    minutes(&t, 1);
    say(&t, Some(early.attempt), &observation(&t, None)).await;
    went_well(&t, clock_time("08:00:00")).await;
    assert_eq!(tank(&t, &settings).await.next_reset, Some(until));

    let late = Observation {
        status: Some(WindowStatus::Allowed),
        ..observation(&t, None)
    };
    say(&t, None, &late).await;
    assert_eq!(
        tank(&t, &settings).await.next_reset,
        None,
        "an early reset that a refresh found reopens at once"
    );
    assert_sound(&t).await;
}

#[tokio::test]
async fn tokens_per_percent_are_learned_from_the_ledger() {
    let t = TestDb::new().await;
    let settings = subscription();
    say(&t, None, &observation(&t, Some(0.10))).await;
    let run = claim(&t, 10);
    reserve_one(&t, &settings, &run).await.unwrap();
    minutes(&t, 5);
    settle_one(&t, &run, 10_000).await;
    minutes(&t, 5);
    say(&t, None, &observation(&t, Some(0.20))).await;
    let window = tank(&t, &settings).await.windows.remove(0);
    // A tenth is 10,000 tokens; half of what that makes is relied on.
    assert_eq!((window.limit, window.used), (Some(50_757), Some(10_152)));
    assert!(
        reserve_one(&t, &settings, &claim(&t, 40_606))
            .await
            .is_err()
    );
    assert!(reserve_one(&t, &settings, &claim(&t, 40_605)).await.is_ok());
    assert_sound(&t).await;
}

#[tokio::test]
async fn use_that_the_observation_already_holds_is_not_added_again() {
    let t = TestDb::new().await;
    let settings = subscription();
    let told = Observation {
        limit_amount: Some(1000),
        remaining_amount: Some(400),
        limit_id: "tokens".into(),
        ..observation(&t, None)
    };
    let early = claim(&t, 100);
    reserve_one(&t, &settings, &early).await.unwrap();
    minutes(&t, 1);
    let told = Observation {
        observed_at: t.clock.now(),
        ..told
    };
    say(&t, Some(early.attempt), &told).await;
    minutes(&t, 1);
    settle_one(&t, &early, 90).await;
    let late = claim(&t, 50);
    reserve_one(&t, &settings, &late).await.unwrap();
    minutes(&t, 1);
    settle_one(&t, &late, 60).await;
    let tank = tank(&t, &settings).await;
    let window = tank
        .windows
        .iter()
        .find(|w| w.key.limit_id == "tokens")
        .unwrap();
    assert_eq!(window.used, Some(660));
}

#[tokio::test]
async fn a_person_sets_size_use_and_reset() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let order = SetOrder {
        window: Some("5h".into()),
        limit: Some(35_000),
        used: Some(0.4),
        resets_at: Some(clock_time("10:00:00")),
    };
    let before = tank(&t, &settings).await;
    let mut tx = t.db.write().await.unwrap();
    let now = t.clock.now();
    let id = set(&mut tx, &t.ids, now, &before, &order).await.unwrap();
    assert_eq!(id, Ok("5h_tokens".into()));
    let nowhere = SetOrder {
        window: Some("fortnight".into()),
        ..SetOrder::default()
    };
    let error = set(&mut tx, &t.ids, now, &before, &nowhere)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "claude has no window `fortnight` (it has: 5h_tokens)"
    );
    tx.commit().await.unwrap();
    let window = tank(&t, &settings).await.windows.remove(0);
    assert_eq!(
        (
            window.limit,
            window.used,
            window.resets_at,
            window.source.as_str()
        ),
        (
            Some(35_000),
            Some(14_000),
            Some(clock_time("10:00:00")),
            "manual"
        )
    );
    t.time.set(clock_time("10:00:00"));
    assert_eq!(tank(&t, &settings).await.windows[0].used, Some(0));
    assert_sound(&t).await;
}

#[tokio::test]
async fn errors_in_a_row_pause_a_provider_and_a_success_ends_it() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let mut tx = t.db.write().await.unwrap();
    for _ in 0..3 {
        let (now, class) = (t.clock.now(), Class::Overloaded);
        failure(&mut tx, &t.ids, now, &provider(), &Scope::Account, class)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let refusal = reserve_one(&t, &settings, &claim(&t, 1)).await.unwrap_err();
    assert_eq!(
        (refusal.why, refusal.until),
        (Why::Paused, Some(clock_time("08:01:00")))
    );
    minutes(&t, 1);
    went_well(&t, t.clock.now()).await;
    assert_eq!(tank(&t, &settings).await.circuits, []);
    assert_eq!(
        event_types(&t).await,
        ["circuit.changed", "circuit.changed"]
    );
}

#[tokio::test]
async fn what_only_a_person_can_mend_says_so_until_it_is_lifted() {
    let t = TestDb::new().await;
    let settings = five_hours();
    let mut tx = t.db.write().await.unwrap();
    let reason = "Invalid API key sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789";
    let (now, scope) = (t.clock.now(), Scope::Account);
    disable(&mut tx, &t.ids, now, &settings, &scope, Class::Auth, reason)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let refusal = reserve_one(&t, &settings, &claim(&t, 1)).await.unwrap_err();
    assert_eq!(refusal.why, Why::Disabled);
    assert_eq!(
        refusal.reason,
        "claude is disabled (auth): Invalid API key [redacted]; log in or set the key again, then run `rigs provider test claude`"
    );
    went_well(&t, now).await;
    assert!(reserve_one(&t, &settings, &claim(&t, 1)).await.is_err());

    let reconfigured = TankSettings {
        fingerprint: "another".into(),
        ..settings.clone()
    };
    assert_eq!(tank(&t, &reconfigured).await.circuits, []);
    let mut tx = t.db.write().await.unwrap();
    lift(&mut tx, &t.ids, now, &provider()).await.unwrap();
    tx.commit().await.unwrap();
    reserve_one(&t, &settings, &claim(&t, 1)).await.unwrap();
}

#[tokio::test]
async fn a_person_has_walls_and_spent_levels_forgotten() {
    let t = TestDb::new().await;
    let settings = subscription();
    say(&t, None, &observation(&t, Some(1.0))).await;
    hit(&t, &wall(None, None)).await;
    let mut tx = t.db.write().await.unwrap();
    let opened = lift(&mut tx, &t.ids, t.clock.now(), &provider())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(opened, ["five_hour", "wall"]);
    let tank = tank(&t, &settings).await;
    assert_eq!((tank.health, tank.next_reset), (Health::Unknown, None));
    assert_sound(&t).await;
}

#[tokio::test]
async fn the_reset_that_a_wall_states_empties_no_rolling_window() {
    let t = TestDb::new().await;
    let settings = settings(&[limit(LimitKind::Rolling, LimitUnit::Tokens, HOUR, 1000)]);
    let said = Observation {
        duration: Some(HOUR),
        remaining_amount: Some(1000),
        resets_at: Some(clock_time("08:05:00")),
        ..Observation::new("1h", "event", t.clock.now())
    };
    say(&t, None, &said).await;
    for tokens in [100, 850] {
        settle_one(&t, &reserved(&t, &settings, tokens).await, tokens).await;
        minutes(&t, 10);
    }
    let limit_id = tank(&t, &settings).await.windows[0].key.limit_id.clone();
    hit(&t, &wall(Some(&limit_id), Some(clock_time("09:00:00")))).await;
    t.time.set(clock_time("09:01:00"));
    // What was used first is out by then, and no more than that.
    assert_eq!(tank(&t, &settings).await.windows[0].used, Some(850));
    let refusal = reserve_one(&t, &settings, &claim(&t, 200))
        .await
        .unwrap_err();
    assert_eq!(refusal.until, Some(clock_time("09:10:00")));
    let fits = reserved(&t, &settings, 100).await;
    settle_one(&t, &fits, 100).await;
    went_well(&t, clock_time("09:01:00")).await;
    assert_eq!(tank(&t, &settings).await.windows[0].used, Some(950));
    assert_sound(&t).await;
}

async fn reserved(t: &TestDb, settings: &TankSettings, tokens: u64) -> Claim {
    let claim = claim(t, tokens);
    reserve_one(t, settings, &claim).await.unwrap();
    claim
}
