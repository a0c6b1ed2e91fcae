//! Noticing that somebody changed the store, this process or another one.

use sqlx::SqliteConnection;

use super::{Db, DbError, Lent};

/// Looks at the store's version, which is kept in shared memory: a look reads no page and takes no
/// lock. Only values of one and the same connection can be compared, so it keeps one for itself.
#[derive(Debug)]
pub(crate) struct Changes {
    conn: Lent,
    seen: i64,
}

impl Changes {
    /// From now on.
    pub(crate) async fn of(db: &Db) -> Result<Self, DbError> {
        let mut conn = db.read().await?;
        let seen = version(&mut conn).await?;
        Ok(Self { conn, seen })
    }

    /// Whether anything was committed since the last look.
    pub(crate) async fn look(&mut self) -> Result<bool, DbError> {
        let now = version(&mut self.conn).await?;
        Ok(std::mem::replace(&mut self.seen, now) != now)
    }
}

async fn version(conn: &mut SqliteConnection) -> Result<i64, DbError> {
    Ok(sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(conn)
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Mode;
    use crate::testing::TestDb;

    #[tokio::test]
    async fn each_commit_of_anybody_is_noticed_once_and_no_look_is_one() {
        let t = TestDb::new().await;
        let other = Db::open(t.db.path(), Mode::OneShot).await.unwrap();
        let mut changes = Changes::of(&t.db).await.unwrap();
        assert!(!changes.look().await.unwrap());
        for (db, scope) in [(&t.db, "ours"), (&other, "theirs")] {
            let mut tx = db.write().await.unwrap();
            sqlx::query(
                "INSERT INTO circuits (provider, scope, state, updated_at)
                 VALUES ('a', ?1, 'closed', '2026-11-20T08:00:00.000Z')",
            )
            .bind(scope)
            .execute(&mut *tx)
            .await
            .unwrap();
            assert!(!changes.look().await.unwrap());
            tx.commit().await.unwrap();
            assert!(changes.look().await.unwrap());
            assert!(!changes.look().await.unwrap());
        }
    }
}
