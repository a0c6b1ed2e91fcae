//! Windows of the calendar, buckets, balances, and the kinds of tokens that each counts.

use super::*;
use crate::provider::Observation;
use crate::refinery::Why;
use pretty_assertions::assert_eq;

fn refill(unit: LimitUnit, amount: u64, burst: Option<u64>) -> WindowLimit {
    WindowLimit {
        burst,
        ..limit(LimitKind::Refill, unit, Duration::from_mins(1), amount)
    }
}

fn calendar(period: &str, zone: &str, amount: u64) -> WindowLimit {
    WindowLimit {
        window: Some(period.parse().unwrap()),
        zone: Some(zone.parse().unwrap()),
        ..limit(LimitKind::Calendar, LimitUnit::Tokens, HOUR, amount)
    }
}

fn balance(amount: Option<u64>) -> WindowLimit {
    WindowLimit {
        window: None,
        amount,
        ..limit(LimitKind::Balance, LimitUnit::MicroUsd, HOUR, 1)
    }
}

async fn spend(t: &TestDb, settings: &TankSettings, usage: Usage) {
    let claim = claim(t, 0);
    reserve_one(t, settings, &claim).await.unwrap();
    let slice = Slice {
        number: 0,
        model: None,
        usage,
    };
    let mut tx = t.db.write().await.unwrap();
    settle(
        &mut tx,
        &t.ids,
        t.clock.now(),
        claim.attempt,
        &[slice],
        true,
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn say(t: &TestDb, said: &Observation) {
    let mut tx = t.db.write().await.unwrap();
    observe(&mut tx, &t.ids, t.clock.now(), &provider(), None, said)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_bucket_fills_up_steadily_and_says_to_the_millisecond_when_it_will_do() {
    let t = TestDb::new().await;
    let settings = settings(&[refill(LimitUnit::Tokens, 600, Some(300))]);
    spend(&t, &settings, used_tokens(250)).await;
    let full = tank(&t, &settings).await;
    let window = &full.windows[0];
    assert_eq!(
        (window.used, window.limit, window.resets_at),
        (Some(250), Some(300), Some(clock_time("08:00:25")))
    );
    let refusal = reserve_one(&t, &settings, &claim(&t, 61))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.why, refusal.until),
        (Why::Full, Some(clock_time("08:00:01.100")))
    );
    t.time.set(clock_time("08:00:01.099"));
    reserve_one(&t, &settings, &claim(&t, 61))
        .await
        .unwrap_err();
    t.time.set(clock_time("08:00:01.100"));
    reserve_one(&t, &settings, &claim(&t, 61)).await.unwrap();
    assert_sound(&t).await;
}

#[tokio::test]
async fn headers_of_a_bucket_set_its_level_and_it_goes_on_filling_up_from_there() {
    let t = TestDb::new().await;
    let said = Observation {
        duration: Some(Duration::from_mins(1)),
        limit_amount: Some(80_000),
        remaining_amount: Some(20_000),
        kind: Some(LimitKind::Refill),
        unit: Some(LimitUnit::InputTokens),
        ..Observation::new("input-tokens", "header", t.clock.now())
    };
    say(&t, &said).await;
    let settings = settings(&[]);
    let used = async |t: &TestDb| tank(t, &settings).await.windows[0].used;
    assert_eq!(used(&t).await, Some(60_000));
    t.time.advance(Duration::from_secs(15));
    assert_eq!(used(&t).await, Some(40_000));
    // What comes out and what is read from a cache does not count there, what is written does.
    let usage = Usage {
        input: 1_000,
        output: 5_000,
        cache_write: 9_000,
        cache_read: 70_000,
        ..Usage::default()
    };
    spend(&t, &settings, usage).await;
    assert_eq!(used(&t).await, Some(50_000));
    t.time.advance(Duration::from_secs(45));
    assert_eq!(used(&t).await, Some(0));
}

#[tokio::test]
async fn a_bucket_of_unknown_length_fills_up_until_the_moment_that_was_stated() {
    let t = TestDb::new().await;
    let said = Observation {
        limit_amount: Some(100),
        remaining_amount: Some(40),
        resets_at: Some(clock_time("08:01:00")),
        kind: Some(LimitKind::Refill),
        ..Observation::new("requests", "header", t.clock.now())
    };
    say(&t, &said).await;
    t.time.advance(Duration::from_secs(30));
    let used = tank(&t, &settings(&[])).await.windows[0].used;
    assert_eq!(used, Some(30));
}

#[tokio::test]
async fn a_window_of_the_calendar_is_full_again_at_the_midnight_of_its_zone() {
    let t = TestDb::new().await;
    t.time.set("2026-03-08T07:59:59Z".parse().unwrap());
    let settings = settings(&[
        calendar("day", "America/Los_Angeles", 100),
        calendar("month", "UTC", 1000),
    ]);
    spend(&t, &settings, used_tokens(80)).await;
    let refusal = reserve_one(&t, &settings, &claim(&t, 50))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.window.as_deref(), refusal.until),
        (
            Some("day_tokens"),
            Some("2026-03-08T08:00:00Z".parse().unwrap())
        )
    );
    t.time.set(refusal.until.unwrap());
    spend(&t, &settings, used_tokens(100)).await;
    let refusal = reserve_one(&t, &settings, &claim(&t, 1)).await.unwrap_err();
    // That day has 23 hours.
    assert_eq!(refusal.until, Some("2026-03-09T07:00:00Z".parse().unwrap()));
    let tank = tank(&t, &settings).await;
    let used: Vec<_> = tank.windows.iter().map(|w| w.used).take(2).collect();
    assert_eq!(used, [Some(100), Some(180)]);
}

#[tokio::test]
async fn a_day_that_its_provider_ends_elsewhere_goes_by_the_stated_reset() {
    let t = TestDb::new().await;
    let said = Observation {
        duration: Some(24 * HOUR),
        limit_amount: Some(250),
        remaining_amount: Some(0),
        resets_at: Some(clock_time("08:30:00")),
        kind: Some(LimitKind::Calendar),
        ..Observation::new("requests_per_day", "body", t.clock.now())
    };
    say(&t, &said).await;
    let settings = settings(&[]);
    let one = claim(&t, 0);
    let refusal = reserve_one(&t, &settings, &one).await.unwrap_err();
    assert_eq!(refusal.until, Some(clock_time("08:30:00")));
    t.time.set(clock_time("08:30:00"));
    let window = tank(&t, &settings).await.windows[0].clone();
    let tomorrow = "2026-11-21T08:30:00Z".parse().unwrap();
    assert_eq!(
        (window.used, window.resets_at, window.unit),
        (Some(0), Some(tomorrow), LimitUnit::Requests)
    );
}

#[tokio::test]
async fn a_balance_goes_down_with_what_is_used_and_no_time_brings_it_back() {
    let t = TestDb::new().await;
    let settings = settings(&[balance(Some(1000))]);
    let cost = |micros| Usage {
        cost_micro_usd: MicroUsd(micros),
        ..Usage::default()
    };
    spend(&t, &settings, cost(400)).await;
    minutes(&t, 60 * 24 * 400);
    let dear = Claim {
        ask: Ask {
            cost: MicroUsd(700),
            ..claim(&t, 0).ask
        },
        ..claim(&t, 0)
    };
    let refusal = reserve_one(&t, &settings, &dear).await.unwrap_err();
    assert_eq!((refusal.why, refusal.until), (Why::Disabled, None));
    assert_eq!(
        refusal.reason,
        "claude balance: 700 micro_usd asked, 600 left; add credit, then `rigs tank refresh claude`"
    );
    // The provider says what there is; it does not expire.
    let said = Observation {
        remaining_amount: Some(5000),
        kind: Some(LimitKind::Balance),
        ..Observation::new("balance", "balance", t.clock.now())
    };
    say(&t, &said).await;
    reserve_one(&t, &settings, &dear).await.unwrap();
    minutes(&t, 60 * 24 * 400);
    let empty = Observation {
        remaining_amount: Some(0),
        observed_at: t.clock.now(),
        ..said
    };
    say(&t, &empty).await;
    minutes(&t, 60 * 24 * 400);
    let refusal = reserve_one(&t, &settings, &claim(&t, 0)).await.unwrap_err();
    assert_eq!(refusal.why, Why::Disabled);
}

#[tokio::test]
async fn what_is_kept_for_the_person_is_waited_for_until_their_hours_are_over() {
    let t = TestDb::new().await;
    let limit = |length, amount| limit(LimitKind::Anchored, LimitUnit::Tokens, length, amount);
    let with = |limits: Vec<WindowLimit>| {
        let hours = crate::config::settings::ReserveHours {
            hours: Some("07-09".parse().unwrap()),
            days: None,
            share: 0.5,
            zone: Some("UTC".parse().unwrap()),
        };
        let entry = ProviderSettings {
            limits,
            reserve_hours: vec![hours],
            reserve: 0.1,
            max_parallel: 9,
            ..ProviderSettings::default()
        };
        TankSettings::of(&provider(), &entry)
    };
    let day = with(vec![limit(24 * HOUR, 1000)]);
    spend(&t, &day, used_tokens(400)).await;
    let refusal = reserve_one(&t, &day, &claim(&t, 200)).await.unwrap_err();
    assert_eq!(
        (refusal.why, refusal.until),
        (Why::Full, Some(clock_time("09:00:00")))
    );
    // More than is free even then: the window's reset.
    let refusal = reserve_one(&t, &day, &claim(&t, 501)).await.unwrap_err();
    assert_eq!(refusal.until, Some("2026-11-21T08:00:00Z".parse().unwrap()));
    // The reset comes first.
    let half = with(vec![limit(HOUR / 2, 1000)]);
    let refusal = reserve_one(&t, &half, &claim(&t, 200)).await.unwrap_err();
    assert_eq!(refusal.until, Some(clock_time("08:30:00")));
    t.time.set(clock_time("09:00:00"));
    assert_eq!(tank(&t, &day).await.reserve, 0.1);
    reserve_one(&t, &day, &claim(&t, 200)).await.unwrap();
}
