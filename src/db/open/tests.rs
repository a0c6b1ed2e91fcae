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
