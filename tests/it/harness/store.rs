//! A look into the store from outside, read-only: what rigs must have given back when it ended.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};

/// Leases and unsettled reservations, one line each; none when there is no store, or when it is
/// not one that rigs has made (tests break stores on purpose).
pub(super) fn held(store: &Path) -> Vec<String> {
    QUERIES
        .iter()
        .flat_map(|(what, query)| rows(store, what, query))
        .collect()
}

/// Every field of an event's payload that was written, as `type field`.
pub(super) fn told(store: &Path) -> Vec<String> {
    let query = "SELECT DISTINCT type || ' ' || key FROM events, json_each(payload)";
    look(store, async |connection| {
        let rows = sqlx::query_scalar(query).fetch_all(connection).await;
        // As above: a test may have broken the store.
        rows.unwrap_or_default()
    })
}

/// The first column of each row that a query gives, as text.
#[track_caller]
pub(super) fn column(store: &Path, query: &'static str) -> Vec<String> {
    look(store, async |connection| {
        let rows = sqlx::query(query).fetch_all(connection).await;
        let text = |row: sqlx::sqlite::SqliteRow| {
            let number = || row.try_get::<i64, _>(0).map(|n| n.to_string());
            row.try_get::<String, _>(0).or_else(|_| number())
        };
        let rows = rows.unwrap_or_else(|e| panic!("{query}: {e}"));
        rows.into_iter()
            .map(|r| text(r).unwrap_or_default())
            .collect()
    })
}

/// Changes the store as nobody should, so that a test sees whether it is noticed.
#[track_caller]
pub(super) fn break_with(store: &Path, statement: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(store);
        let mut connection = options.connect().await.expect("the store");
        let done = sqlx::raw_sql(statement).execute(&mut connection).await;
        let done = done.unwrap_or_else(|e| panic!("{statement}: {e}"));
        assert!(done.rows_affected() > 0, "{statement} changes nothing");
        connection.close().await.expect("closed");
    });
}

fn look(store: &Path, ask: impl AsyncFnOnce(&mut SqliteConnection) -> Vec<String>) -> Vec<String> {
    if !store.exists() {
        return Vec::new();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(store).read_only(true);
        let Ok(mut connection) = options.connect().await else {
            return Vec::new();
        };
        let found = ask(&mut connection).await;
        drop(connection.close().await);
        found
    })
}

const QUERIES: [(&str, &str); 2] = [
    (
        "lease",
        "SELECT id || ' by ' || lease_owner FROM beads WHERE lease_owner IS NOT NULL",
    ),
    (
        "reservation",
        "SELECT id || ' on ' || provider FROM reservations WHERE settled_at IS NULL",
    ),
];

/// A store that a test has broken holds nothing; a schema that these queries do not fit is an
/// error of this file.
fn rows(store: &Path, what: &str, query: &'static str) -> Vec<String> {
    look(store, async |connection| {
        match sqlx::query(query).fetch_all(connection).await {
            Ok(rows) => rows
                .iter()
                .map(|row| format!("{what} {}", row.get::<String, _>(0)))
                .collect(),
            Err(e) => {
                let text = e.to_string();
                assert!(
                    !text.contains("no such column"),
                    "tests/it/harness/store.rs: {text}"
                );
                Vec::new()
            }
        }
    })
}
