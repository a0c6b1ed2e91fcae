use super::*;
use crate::testing::TestDb;

#[tokio::test]
async fn a_fresh_store_is_private_and_migrated_once() {
    use std::os::unix::fs::PermissionsExt;
    let t = TestDb::new().await;
    let mode = std::fs::metadata(t.db.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Db::open(t.db.path(), Mode::Foreman).await.unwrap();
    let mut conn = again.read().await.unwrap();
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(journal, "wal");
}

#[tokio::test]
async fn a_store_from_a_newer_rigs_is_refused_untouched() {
    let t = TestDb::new().await;
    let mut tx = t.db.write().await.unwrap();
    sqlx::query("PRAGMA user_version = 999")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let error = Db::open(t.db.path(), Mode::OneShot).await.unwrap_err();
    assert!(
        matches!(error, DbError::Newer { found: 999, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn files_that_are_no_store_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage.db");
    std::fs::write(
        &garbage,
        "this is not a database, not at all, not even a bit of one",
    )
    .unwrap();
    let error = Db::open(&garbage, Mode::OneShot).await.unwrap_err();
    assert!(matches!(error, DbError::Corrupt { .. }), "{error:?}");

    let foreign = dir.path().join("foreign.db");
    let options = SqliteConnectOptions::new()
        .filename(&foreign)
        .create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE other (x)")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let error = Db::open(&foreign, Mode::OneShot).await.unwrap_err();
    assert!(matches!(error, DbError::Foreign { .. }), "{error:?}");
}

#[tokio::test]
async fn many_processes_may_create_the_store_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rigs.db");
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let path = path.clone();
        openers.spawn(async move { Db::open(&path, Mode::OneShot).await.map(|_| ()) });
    }
    for opened in openers.join_all().await {
        opened.unwrap();
    }
}

#[tokio::test]
async fn readers_of_a_foreman_cannot_write() {
    let t = TestDb::new().await;
    let mut conn = t.db.read().await.unwrap();
    let error = sqlx::query("DELETE FROM circuits")
        .execute(&mut *conn)
        .await
        .unwrap_err();
    assert_eq!(
        DbError::from(error).to_string(),
        "the store cannot be written"
    );
}

#[tokio::test]
async fn what_is_not_committed_is_undone_before_the_next_write() {
    let t = TestDb::new().await;
    let one = Db::open(t.db.path(), Mode::OneShot).await.unwrap();
    let insert = "INSERT INTO circuits (provider, scope, state, updated_at)
        VALUES ('a', 'b', 'closed', '2026-11-20T08:00:00.000Z')";
    let count = "SELECT count(*) FROM circuits";
    let mut tx = one.write().await.unwrap();
    sqlx::query(insert).execute(&mut *tx).await.unwrap();
    drop(tx);
    // The same connection, and another one that may write at once.
    for db in [&one, &t.db] {
        let mut tx = db.write().await.unwrap();
        let found: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(found, 0);
    }
    let mut tx = one.write().await.unwrap();
    sqlx::query(insert).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut conn = one.read().await.unwrap();
    let found: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(found, 1);
}

#[tokio::test]
async fn a_task_that_is_dropped_while_it_begins_leaves_nothing_locked() {
    let t = TestDb::new().await;
    let one = Db::open(t.db.path(), Mode::OneShot).await.unwrap();
    let held = t.db.write().await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(20), one.write()).await;
    assert!(waits.is_err(), "two write at once");
    drop(held);
    t.db.write().await.unwrap();
    one.write().await.unwrap();
}

#[tokio::test]
async fn a_closed_store_takes_nothing_back() {
    let t = TestDb::new().await;
    let one = Db::open(t.db.path(), Mode::OneShot).await.unwrap();
    let lent = one.read().await.unwrap();
    one.clone().close().await.unwrap();
    drop(lent);
    let mut again = one.read().await.unwrap();
    let found: i64 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&mut *again)
        .await
        .unwrap();
    assert_eq!(found, 1, "a new connection");
}
