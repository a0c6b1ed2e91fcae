use crate::testing::TestDb;

#[tokio::test]
async fn the_schema_is_what_the_snapshot_says() {
    let t = TestDb::new().await;
    let mut conn = t.db.read().await.unwrap();
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY type DESC, name",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    insta::assert_snapshot!(rows.join(";\n\n"));
}

#[tokio::test]
async fn the_event_log_refuses_change() {
    use crate::db::{EventType, NewEvent, events};
    let t = TestDb::new().await;
    let mut tx = t.db.write().await.unwrap();
    let event = NewEvent::new(EventType::ForemanRecovered, "foreman")
        .payload(serde_json::json!({ "key": "sk-ant-REDACTED" }));
    events::append(&mut tx, &t.ids, t.clock.now(), event)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for change in ["UPDATE events SET actor = 'x'", "DELETE FROM events"] {
        let mut tx = t.db.write().await.unwrap();
        let error = sqlx::query(change).execute(&mut *tx).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    let mut conn = t.db.read().await.unwrap();
    let stored = events::list(&mut conn, &events::EventFilter::default(), 10)
        .await
        .unwrap();
    assert_eq!(
        stored[0].payload,
        serde_json::json!({ "key": "[redacted]" })
    );
}
