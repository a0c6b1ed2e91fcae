use super::*;
use crate::core::AttemptId;
use crate::refinery::quota::Anchored;
use pretty_assertions::assert_eq;
use proptest::prelude::*;

fn row(attempt: AttemptId, slice: u32, tokens: u64, at: Timestamp) -> UsageRow {
    UsageRow {
        attempt,
        slice,
        bead: bead(),
        convoy: Some("cv-a1b2c".parse().unwrap()),
        provider: provider(),
        model: Some("opus".into()),
        usage: used_tokens(tokens),
        source: UsageSource::Reported,
        began_at: at,
        at,
    }
}

async fn add(t: &TestDb, rows: &[UsageRow]) {
    let mut tx = t.db.write().await.unwrap();
    for row in rows {
        record(&mut tx, row).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_slice_is_charged_once() {
    let t = TestDb::new().await;
    let row = row(t.ids.attempt(), 0, 70, t.clock.now());
    let mut tx = t.db.write().await.unwrap();
    assert!(record(&mut tx, &row).await.unwrap());
    assert!(!record(&mut tx, &row).await.unwrap());
    let all = used(&mut tx, Of::All, None).await.unwrap();
    assert_eq!(all, used_tokens(70));
}

#[tokio::test]
async fn the_ledger_refuses_change() {
    let t = TestDb::new().await;
    add(&t, &[row(t.ids.attempt(), 0, 70, t.clock.now())]).await;
    for change in ["UPDATE usage SET input = 0", "DELETE FROM usage"] {
        let mut tx = t.db.write().await.unwrap();
        let error = sqlx::query(change).execute(&mut *tx).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn use_is_summed_by_bead_convoy_attempt_provider_and_day() {
    let t = TestDb::new().await;
    let (first, second) = (t.ids.attempt(), t.ids.attempt());
    let (today, tomorrow) = (t.clock.now(), t.clock.now() + 24 * HOUR);
    let other = UsageRow {
        bead: "gt-zzzzz".parse().unwrap(),
        convoy: None,
        provider: "codex".parse().unwrap(),
        ..row(second, 0, 5, tomorrow)
    };
    add(
        &t,
        &[row(first, 0, 70, today), row(first, 1, 30, tomorrow), other],
    )
    .await;
    let mut conn = t.db.read().await.unwrap();
    let mut sums = Vec::new();
    let convoy = "cv-a1b2c".parse().unwrap();
    for of in [
        Of::Bead(&bead()),
        Of::Convoy(&convoy),
        Of::Attempt(second),
        Of::All,
    ] {
        for since in [None, Some(tomorrow)] {
            sums.push(used(&mut conn, of, since).await.unwrap().tokens());
        }
    }
    assert_eq!(sums, [100, 30, 100, 30, 5, 5, 105, 35]);

    let mut sums = Vec::new();
    for by in [By::Provider, By::Day, By::Convoy] {
        for row in spent(&mut conn, by, today).await.unwrap() {
            let key = row.key.unwrap_or_else(|| "-".into());
            let known = row.runs - row.unpriced;
            sums.push(format!(
                "{key}: {} in {} runs, {known} priced",
                row.usage.tokens(),
                row.runs
            ));
        }
    }
    assert_eq!(
        sums,
        [
            "claude: 100 in 1 runs, 0 priced",
            "codex: 5 in 1 runs, 0 priced",
            "2026-11-20: 70 in 1 runs, 0 priced",
            "2026-11-21: 35 in 2 runs, 0 priced",
            "-: 5 in 1 runs, 0 priced",
            "cv-a1b2c: 100 in 1 runs, 0 priced",
        ]
    );
}

#[tokio::test]
async fn a_provider_that_counts_nonsense_cannot_break_the_sums() {
    let t = TestDb::new().await;
    let rows: Vec<_> = (0..5)
        .map(|_| row(t.ids.attempt(), 0, u64::MAX, t.clock.now()))
        .collect();
    add(&t, &rows).await;
    let tank = tank(&t, &five_hours()).await;
    assert_eq!(tank.windows[0].used, Some(5 * MOST));
}

#[tokio::test]
async fn a_rolling_window_is_the_exact_sum_of_its_length() {
    let t = TestDb::new().await;
    let minute = Duration::from_mins(1);
    let settings = settings(&[limit(LimitKind::Rolling, LimitUnit::Requests, minute, 3)]);
    for _ in 0..3 {
        add(&t, &[row(t.ids.attempt(), 0, 1, t.clock.now())]).await;
        t.time.advance(Duration::from_secs(20));
    }
    // The first is exactly a minute old and out.
    assert_eq!(tank(&t, &settings).await.windows[0].used, Some(2));
    add(&t, &[row(t.ids.attempt(), 0, 1, t.clock.now())]).await;
    let refusal = reserve_one(&t, &settings, &claim(&t, 1)).await.unwrap_err();
    assert_eq!(refusal.until, Some(clock_time("08:01:20")));
}

#[tokio::test]
async fn more_uses_than_a_thousand_still_sum_exactly() {
    let t = TestDb::new().await;
    let settings = settings(&[limit(LimitKind::Rolling, LimitUnit::Tokens, HOUR, 9_000)]);
    let rows: Vec<_> = (0..3000_u32)
        .map(|i| {
            let at = t.clock.now() + Duration::from_secs(u64::from(i));
            row(t.ids.attempt(), 0, 3, at)
        })
        .collect();
    add(&t, &rows).await;
    t.time.advance(Duration::from_mins(50));
    let window = tank(&t, &settings).await.windows.remove(0);
    assert_eq!((window.used, window.falls.len()), (Some(9000), 1000));
    let refusal = reserve_one(&t, &settings, &claim(&t, 9)).await.unwrap_err();
    // Nine tokens are the first three uses.
    assert_eq!(refusal.until, Some(clock_time("09:00:02")));
}

#[tokio::test]
async fn a_clock_that_steps_back_neither_frees_a_window_nor_blocks_it_for_ever() {
    let t = TestDb::new().await;
    let rolling = settings(&[limit(LimitKind::Rolling, LimitUnit::Tokens, HOUR, 100)]);
    add(&t, &[row(t.ids.attempt(), 0, 100, t.clock.now())]).await;
    t.time.set(clock_time("07:30:00"));
    assert_eq!(tank(&t, &rolling).await.windows[0].used, Some(100));
    assert_eq!(tank(&t, &five_hours()).await.windows[0].used, Some(100));
    t.time.set("2026-11-10T00:00:00Z".parse().unwrap());
    assert_eq!(tank(&t, &rolling).await.windows[0].used, Some(0));
    assert_eq!(tank(&t, &five_hours()).await.windows[0].used, Some(0));
}

#[tokio::test]
async fn a_window_of_one_model_counts_that_model_only() {
    let t = TestDb::new().await;
    let opus = WindowLimit {
        model: Some("opus".into()),
        ..limit(LimitKind::Anchored, LimitUnit::Tokens, HOUR, 100)
    };
    let settings = settings(&[opus]);
    let haiku = UsageRow {
        model: Some("haiku".into()),
        ..row(t.ids.attempt(), 0, 500, t.clock.now())
    };
    add(&t, &[row(t.ids.attempt(), 0, 70, t.clock.now()), haiku]).await;
    assert_eq!(tank(&t, &settings).await.windows[0].used, Some(70));
    let ask = |model: &str| {
        let mut claim = claim(&t, 31);
        claim.ask.model = Some(model.into());
        claim
    };
    assert!(reserve_one(&t, &settings, &ask("opus")).await.is_err());
    assert!(reserve_one(&t, &settings, &ask("haiku")).await.is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The store follows the chain of windows by look-ups from a cached start; the fold reads
    /// the whole ledger. Rows come in any order, as after a clock that stepped back.
    #[test]
    fn an_anchored_window_in_the_store_is_the_fold_over_the_ledger(
        uses in proptest::collection::vec((0_u64..3000, 1_u64..20), 1..25),
        length in 1_u64..600,
        reserve_each in 1_usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let t = TestDb::new().await;
            let start = t.clock.now();
            let length = Duration::from_secs(length);
            let settings = settings(&[limit(LimitKind::Anchored, LimitUnit::Tokens, length, 1_000_000)]);
            let mut seen: Vec<(Timestamp, u64)> = Vec::new();
            for (i, (second, tokens)) in uses.iter().enumerate() {
                let at = start + Duration::from_secs(*second);
                t.time.set(at);
                add(&t, &[row(t.ids.attempt(), 0, *tokens, at)]).await;
                seen.push((at, *tokens));
                if i % reserve_each == 0 {
                    // Keeps the cache moving, and is a use itself.
                    reserve_one(&t, &settings, &claim(&t, 0)).await.unwrap();
                    seen.push((at, 0));
                }
            }
            t.time.set(start + Duration::from_mins(50));
            let now = t.clock.now();
            seen.sort_unstable();
            let fold = seen.iter().fold(Anchored::new(length), |w, (at, n)| w.add(*at, *n));
            let window = tank(&t, &settings).await.windows.remove(0);
            let running = fold.running(now);
            assert_eq!(window.used, Some(running.map_or(0, |s| s.used)));
            assert_eq!(window.resets_at, running.map(|s| s.end));
            reserve_one(&t, &settings, &claim(&t, 0)).await.unwrap();
            assert_sound(&t).await;
        });
    }
}
