//! What the depot is compared with: one table, one statement, the same file settings.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Executor};

/// A bare queue through sqlx: WAL, full syncs, one connection.
pub(crate) struct Yard {
    runtime: tokio::runtime::Runtime,
    conn: SqliteConnection,
}

const CLAIM: &str = "UPDATE jobs SET status = 'taken' WHERE id = (
    SELECT id FROM jobs WHERE status = 'queued' ORDER BY priority DESC, created_at LIMIT 1) RETURNING id";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, status TEXT NOT NULL, priority INTEGER NOT NULL,
    created_at TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS jobs_queued ON jobs (priority DESC, created_at) WHERE status = 'queued';";

const ROWS: &str = "
INSERT INTO jobs (id, body, status, priority, created_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
SELECT printf('job-%08d', i), 'Change number ' || i || ': the parser reports the line of an unclosed bracket',
    'queued', i % 10 = 0, datetime(1763625600 + i, 'unixepoch') FROM n";

impl Yard {
    pub(crate) fn open(path: &Path, rows: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(5))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let conn = runtime.block_on(async {
            let mut conn = SqliteConnection::connect_with(&options)
                .await
                .expect("a file");
            conn.execute(SCHEMA).await.expect("a table");
            if rows > 0 {
                sqlx::query(ROWS)
                    .bind(i64::try_from(rows).expect("a count"))
                    .execute(&mut conn)
                    .await
                    .expect("rows");
            }
            conn
        });
        Self { runtime, conn }
    }

    pub(crate) fn close(self) {
        self.runtime
            .block_on(self.conn.close())
            .expect("a file that closes");
    }

    pub(crate) fn claims(&mut self, n: u32) -> Vec<Duration> {
        self.timed(n, |_| sqlx::query(CLAIM))
    }

    /// One row in a transaction of its own.
    pub(crate) fn inserts(&mut self, n: u32) -> Vec<Duration> {
        self.timed(n, |i| {
            sqlx::query(
                "INSERT INTO jobs VALUES (hex(randomblob(8)) || $1, 'x', 'done', 0, '2026-11-20')",
            )
            .bind(i)
        })
    }

    fn timed<'q>(
        &mut self,
        n: u32,
        query: impl Fn(u32) -> sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Vec<Duration> {
        let Self { runtime, conn } = self;
        runtime.block_on(async {
            let mut took = Vec::new();
            for i in 0..n {
                let began = Instant::now();
                query(i).execute(&mut *conn).await.expect("a statement");
                took.push(began.elapsed());
            }
            took
        })
    }
}
