use super::*;
use crate::provider::{Observation, WindowStatus};
use crate::refinery::forecast::Drift;
use pretty_assertions::assert_eq;

async fn use_tokens(t: &TestDb, tokens: u64) {
    let claim = claim(t, tokens);
    reserve_one(t, &settings(&[]), &claim).await.unwrap();
    settle_one(t, &claim, tokens).await;
}

async fn past_of(t: &TestDb) -> crate::refinery::forecast::Past {
    let mut conn = t.db.read().await.unwrap();
    past(&mut conn, &provider(), t.clock.now()).await.unwrap()
}

/// A percent window whose size of 1,000 tokens a person gave.
async fn say(t: &TestDb, share: f64) {
    let said = Observation {
        duration: Some(5 * HOUR),
        status: Some(WindowStatus::Allowed),
        used_fraction: Some(share),
        resets_at: Some(clock_time("12:30:00")),
        ..Observation::new("five_hour", "event", t.clock.now())
    };
    let mut tx = t.db.write().await.unwrap();
    observe(&mut tx, &t.ids, t.clock.now(), &provider(), None, &said)
        .await
        .unwrap();
    sqlx::query("UPDATE windows SET limit_amount = 1000")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_ledger_keeps_use_by_the_minute() {
    let t = TestDb::new().await;
    let start = t.clock.now();
    use_tokens(&t, 30).await;
    t.time.advance(Duration::from_secs(5));
    use_tokens(&t, 12).await;
    minutes(&t, 3);
    use_tokens(&t, 7).await;
    let minutes: Vec<(Timestamp, u64, u64)> = past_of(&t)
        .await
        .minutes
        .iter()
        .map(|m| (m.at, m.used.tokens, m.used.requests))
        .collect();
    assert_eq!(
        minutes,
        [(start, 42, 2), (start + Duration::from_secs(185), 7, 1)]
    );
}

#[tokio::test]
async fn what_is_older_than_60_days_is_not_looked_at() {
    let t = TestDb::new().await;
    use_tokens(&t, 30).await;
    t.time.advance(Duration::from_hours(61 * 24));
    assert_eq!(
        past_of(&t).await,
        crate::refinery::forecast::Past::default()
    );
}

#[tokio::test]
async fn a_figure_far_from_the_count_is_drift_and_the_providers_level_holds() {
    let t = TestDb::new().await;
    say(&t, 0.10).await;
    minutes(&t, 10);
    use_tokens(&t, 100).await;
    minutes(&t, 10);
    // 20 % were counted; 24 % is near enough.
    say(&t, 0.24).await;
    assert_eq!(past_of(&t).await.drifts, []);
    minutes(&t, 10);
    say(&t, 0.60).await;
    let drifts = past_of(&t).await.drifts;
    let [
        Drift {
            counted, said, at, ..
        },
    ] = drifts.as_slice()
    else {
        panic!("{drifts:?}");
    };
    assert_eq!((*counted, *said, *at), (0.24, 0.6, t.clock.now()));
    assert!((drifts[0].unseen() - 0.6).abs() < 1e-9);
    assert_eq!(
        event_types(&t)
            .await
            .iter()
            .filter(|e| *e == "window.drift")
            .count(),
        1
    );
    let tank = tank(&t, &settings(&[])).await;
    assert_eq!(tank.windows[0].share, Some(0.6));
}

#[tokio::test]
async fn what_running_attempts_may_have_used_is_no_drift_and_a_reset_is_none_either() {
    let t = TestDb::new().await;
    say(&t, 0.10).await;
    minutes(&t, 10);
    let running = claim(&t, 400);
    reserve_one(&t, &settings(&[]), &running).await.unwrap();
    minutes(&t, 10);
    say(&t, 0.45).await;
    assert_eq!(past_of(&t).await.drifts, []);
    // After the reset at 12:30 the window begins anew.
    t.time.advance(6 * HOUR);
    say(&t, 0.02).await;
    assert_eq!(past_of(&t).await.drifts, []);
}

#[tokio::test]
async fn a_tank_with_a_past_has_a_forecast_and_a_wall_is_kept_as_closed() {
    let t = TestDb::new().await;
    let settings = five_hours();
    for _ in 0..12 {
        for _ in 0..4 {
            use_tokens(&t, 150).await;
            minutes(&t, 30);
        }
        t.time.advance(4 * HOUR);
    }
    use_tokens(&t, 150).await;
    let tank = tank(&t, &settings).await;
    let mut conn = t.db.read().await.unwrap();
    let now = t.clock.now();
    let forecast = forecasts(&mut conn, std::slice::from_ref(&tank), now)
        .await
        .unwrap();
    let window = &forecast[0].windows[0];
    assert_eq!(window.unknown, None);
    let total = window.total.unwrap();
    assert!((150..=1500).contains(&total.p50), "{window:?}");
    assert_eq!(forecast[0].window.as_deref(), Some(window.id.as_str()));
    let order = CloseOrder {
        provider: provider(),
        scope: crate::provider::Scope::Account,
        limit_id: None,
        resets_at: Some(now + HOUR),
        class: crate::provider::Class::Limit,
        rule: "usage_limit".into(),
        jitter: Duration::ZERO,
        attempt: None,
    };
    drop(conn);
    let mut tx = t.db.write().await.unwrap();
    close(&mut tx, &t.ids, now, &order).await.unwrap();
    tx.commit().await.unwrap();
    t.time.advance(2 * HOUR);
    let shut = past_of(&t).await.shut;
    assert_eq!(
        shut.iter().map(|s| (s.from, s.until)).collect::<Vec<_>>(),
        [(now, now + HOUR)]
    );
}
