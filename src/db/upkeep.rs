//! Looking after the file: whether it is sound, and copies of it.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Connection, SqliteConnection};

use super::{Conn, DbError};

/// The most that is told about one store.
const TOLD: i64 = 100;

/// Number of migrations that made the schema.
pub(crate) async fn schema(conn: &mut Conn) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(conn)
        .await?)
}

/// What SQLite finds wrong with the file, and rows that refer to nothing; empty when it is sound.
pub(crate) async fn problems(conn: &mut Conn) -> Result<Vec<String>, DbError> {
    let mut found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(100)")
        .fetch_all(&mut *conn)
        .await?;
    found.retain(|line| line != "ok");
    let loose: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check
         GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?1",
    )
    .bind(TOLD)
    .fetch_all(conn)
    .await?;
    found.extend(
        loose
            .into_iter()
            .map(|(table, parent, n)| format!("{n} rows of {table} refer to no row of {parent}")),
    );
    Ok(found)
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    #[error("{0} is there already")]
    Exists(String),
    #[error("cannot write {path}")]
    Io {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the copy is not sound: {0}")]
    Unsound(String),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Writes a copy of the whole store as of now to `to`, for its owner only; others may go on
/// writing meanwhile. A file that is there is never touched. The copy is checked, and a failed one
/// is taken away.
pub(crate) async fn backup(conn: &mut Conn, to: &Path) -> Result<u64, BackupError> {
    let io = |source| BackupError::Io {
        path: to.display().to_string(),
        source,
    };
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    match made {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(to.display().to_string()));
        }
        Err(e) => return Err(io(e)),
    }
    let written = write(conn, to).await;
    match written {
        Ok(()) => {
            let file = std::fs::File::open(to).map_err(io)?;
            file.sync_all().map_err(io)?;
            if let Some(dir) = to.parent().filter(|d| !d.as_os_str().is_empty()) {
                std::fs::File::open(dir)
                    .and_then(|d| d.sync_all())
                    .map_err(io)?;
            }
            Ok(file.metadata().map_err(io)?.len())
        }
        Err(error) => {
            if let Err(left) = std::fs::remove_file(to) {
                tracing::warn!("{} is left: {left}", to.display());
            }
            Err(error)
        }
    }
}

async fn write(conn: &mut Conn, to: &Path) -> Result<(), BackupError> {
    sqlx::query("VACUUM INTO ?1")
        .bind(to.to_string_lossy())
        .execute(conn)
        .await
        .map_err(DbError::from)?;
    // As a store that was just made: a copy that is put in its place works like it.
    let options = SqliteConnectOptions::new()
        .filename(to)
        .journal_mode(SqliteJournalMode::Wal);
    let mut copy = SqliteConnection::connect_with(&options)
        .await
        .map_err(DbError::from)?;
    let problems = problems(&mut copy).await?;
    copy.close().await.map_err(DbError::from)?;
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(BackupError::Unsound(first.clone())),
    }
}

/// Writes the file anew without the room that is free in it. Nobody else may write meanwhile.
pub(crate) async fn compact(conn: &mut Conn) -> Result<(), DbError> {
    sqlx::raw_sql("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::db::{Db, Mode};
    use crate::testing::TestDb;

    #[tokio::test]
    async fn a_copy_is_a_store_of_its_own_and_nothing_is_overwritten() {
        let t = TestDb::new().await;
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("copy.db");
        let mut conn = t.db.read().await.unwrap();
        let bytes = backup(&mut conn, &to).await.unwrap();
        let meta = std::fs::metadata(&to).unwrap();
        assert_eq!(
            (meta.len(), meta.permissions().mode() & 0o777),
            (bytes, 0o600)
        );
        let again = backup(&mut conn, &to).await.unwrap_err();
        assert!(matches!(again, BackupError::Exists(_)), "{again}");
        let there: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(there.len(), 1, "nothing lies beside it: {there:?}");

        let copy = Db::open(&to, Mode::Foreman).await.unwrap();
        let mut read = copy.read().await.unwrap();
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut *read)
            .await
            .unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(
            schema(&mut read).await.unwrap(),
            schema(&mut conn).await.unwrap()
        );
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_written_leaves_nothing() {
        let t = TestDb::new().await;
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("missing/copy.db");
        let mut conn = t.db.read().await.unwrap();
        let error = backup(&mut conn, &to).await.unwrap_err();
        assert!(matches!(error, BackupError::Io { .. }), "{error}");
        assert!(!to.exists());
    }

    #[tokio::test]
    async fn rows_that_refer_to_nothing_are_found() {
        let t = TestDb::new().await;
        let mut conn = t.db.write().await.unwrap();
        assert_eq!(problems(&mut conn).await.unwrap(), Vec::<String>::new());
        drop(conn);
        let mut raw = SqliteConnection::connect(&format!("sqlite://{}", t.db.path().display()))
            .await
            .unwrap();
        sqlx::query("PRAGMA foreign_keys = OFF")
            .execute(&mut raw)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO dependencies (bead_id, depends_on_id, created_at)
             VALUES ('gt-aaaaa', 'gt-bbbbb', '2026-11-20T08:00:00.000Z')",
        )
        .execute(&mut raw)
        .await
        .unwrap();
        let found = problems(&mut raw).await.unwrap();
        assert_eq!(found, ["2 rows of dependencies refer to no row of beads"]);
    }
}
