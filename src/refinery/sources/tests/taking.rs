//! What becomes of answers, and when closed tanks are looked at.

use pretty_assertions::assert_eq;

use super::*;

/// A block of ten thousand tokens.
fn ccusage() -> String {
    r#"[ "$1 $2 $3" = "blocks --json --offline" ] || exit 9
echo '{"blocks":[{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T12:00:00Z","isActive":true,
"isGap":false,"tokenCounts":{"inputTokens":9000,"outputTokens":1000}}]}'"#
        .to_owned()
}

#[tokio::test]
async fn an_estimate_counts_only_where_nobody_has_spoken() {
    let mut stage = Stage::new().await;
    stage.program("ccusage", &ccusage());
    stage.program("claude", "exit 1");
    let elsewhere = ProviderSettings {
        base_url: Some("http://127.0.0.1:9".into()),
        ..ProviderSettings::default()
    };
    stage.provider("claude", elsewhere);
    let name: ProviderName = "claude".parse().unwrap();
    let tank = tanks(&stage.settings).remove(0);
    let told = |told: Vec<String>| told[1].clone();
    let said = "about 10,000 tokens on this machine since the hour of the first";

    // How many tokens the window holds is not known: nothing follows.
    let alone = told(stage.refresh(Asker::Person).await);
    assert_eq!(alone, format!("claude ccusage: {said}"));
    assert_eq!(
        stage.windows("claude").await,
        ["five_hour ? default none", "seven_day ? default none"]
    );

    let mut tx = stage.t.db.write().await.unwrap();
    let now = stage.t.clock.now();
    let loaded = load_one(&mut tx, &tank, now).await.unwrap();
    let order = SetOrder {
        window: Some("5h".into()),
        limit: Some(40_000),
        ..SetOrder::default()
    };
    set(&mut tx, &stage.t.ids, now, &loaded, &order)
        .await
        .unwrap()
        .unwrap();
    tx.commit().await.unwrap();
    stage.t.time.advance(Duration::from_mins(2));
    let with_size = told(stage.refresh(Asker::Person).await);
    assert_eq!(with_size, format!("claude ccusage: five_hour; {said}"));
    let low = Confidence::Low;
    let windows = stage.windows("claude").await;
    assert_eq!(windows[0], format!("five_hour 25 ccusage {low}"));
    // The other window of the plan is still there: an estimate is no word of the provider.
    assert_eq!(windows.len(), 2);

    let mut tx = stage.t.db.write().await.unwrap();
    let now = stage.t.clock.now();
    let word = Observation {
        duration: Some(Duration::from_hours(5)),
        status: Some(WindowStatus::Allowed),
        used_fraction: Some(0.6),
        resets_at: Some(now + Duration::from_hours(2)),
        ..Observation::new("five_hour", "event", now)
    };
    observe(&mut tx, &stage.t.ids, now, &name, None, &word)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    stage.t.time.advance(Duration::from_mins(2));
    let outranked = told(stage.refresh(Asker::Person).await);
    assert_eq!(outranked, format!("claude ccusage: {said}"));
    assert_eq!(stage.windows("claude").await[0], "five_hour 60 event high");
}

#[tokio::test]
async fn a_status_line_that_is_drawn_again_and_again_leaves_one_trace() {
    let mut stage = Stage::new().await;
    stage.provider("claude", ProviderSettings::default());
    let name: ProviderName = "claude".parse().unwrap();
    let line = |used: u8| {
        let given = format!(
            r#"{{"session_id":"s","rate_limits":{{"five_hour":{{"used_percentage":{used},"resets_at":1795168800}}}}}}"#
        );
        probe::feed::read(&given, stage.t.clock.now())
            .unwrap()
            .windows
    };
    for (used, news) in [(40, 1), (40, 0), (30, 0), (45, 1)] {
        stage.t.time.advance(Duration::from_secs(5));
        let windows: Vec<Observation> = line(used).into_iter().map(|(_, w)| w).collect();
        let mut tx = stage.t.db.write().await.unwrap();
        let now = stage.t.clock.now();
        let taken = feed(&mut tx, &stage.t.ids, now, &name, &windows)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!((taken.news, taken.windows.len()), (news, 1), "{used}");
    }
    assert_eq!(
        stage.windows("claude").await,
        ["five_hour 45 statusline high"]
    );
    let mut conn = stage.t.db.read().await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM observations")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn a_closed_tank_is_looked_at_before_its_reset_and_at_it() {
    let mut stage = Stage::new().await;
    stage.provider("codex", ProviderSettings::default());
    let name: ProviderName = "codex".parse().unwrap();
    let now = stage.t.clock.now();
    let reset = now + Duration::from_mins(25);
    let full = Observation {
        duration: Some(Duration::from_hours(5)),
        status: Some(WindowStatus::Rejected),
        used_fraction: Some(1.0),
        resets_at: Some(reset),
        ..Observation::new("codex", "event", now)
    };
    let mut tx = stage.t.db.write().await.unwrap();
    observe(&mut tx, &stage.t.ids, now, &name, None, &full)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let tanks = async |at: Timestamp| {
        let mut conn = stage.t.db.read().await.unwrap();
        load(&mut conn, &tanks(&stage.settings), at).await.unwrap()
    };
    let mut looks = Looks::default();
    let minutes = |looks: &Looks| looks.next().map(|at| at.since(now).as_secs() / 60);
    assert_eq!(looks.plan(&tanks(now).await, |_| true, now, 0.5), []);
    assert_eq!(minutes(&looks), Some(10));
    let second = now + Duration::from_mins(10);
    let due = looks.plan(&tanks(second).await, |_| true, second, 1.0);
    assert_eq!((due, minutes(&looks)), (vec![name.clone()], Some(22)));
    let third = now + Duration::from_mins(23);
    let due = looks.plan(&tanks(third).await, |_| true, third, 1.0);
    assert_eq!((due, minutes(&looks)), (vec![name.clone()], Some(25)));
    // At the reset the tank is open by the clock; the look is taken all the same, and is the last.
    let due = looks.plan(&tanks(reset).await, |_| true, reset, 0.5);
    assert_eq!((due, minutes(&looks)), (vec![name], None));
    assert_eq!(looks.plan(&tanks(now).await, |_| false, now, 0.5), []);
    assert_eq!(minutes(&looks), None);
}
