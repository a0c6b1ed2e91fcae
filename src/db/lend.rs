//! Connections that are lent to one task at a time.
//!
//! Beside a pool of sqlx this one has three differences: a connection is back at once when it is
//! dropped (there, a task brings it back, which a command that ends no longer runs, and asks the
//! connection's thread whether it still answers: one more hand-over per use); what was left open is
//! rolled back before anybody else has it; and nothing is opened before it is needed.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::turn::Turn;

/// Longer than anybody may hold one: who waits so long waits for itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// At most so many connections to one file, opened when they are needed.
#[derive(Debug, Clone)]
pub(super) struct Lender(Arc<Inner>);

struct Inner {
    options: SqliteConnectOptions,
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<SqliteConnection>,
    /// What comes back is not wanted any more.
    is_closed: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lender")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Lender {
    pub(super) fn new(options: SqliteConnectOptions, most: usize) -> Self {
        Self(Arc::new(Inner {
            options,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
        }))
    }

    /// Waits until one is free.
    pub(super) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let permits = Arc::clone(&self.0.permits);
        let permit = match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => tokio::time::timeout(PATIENCE, permits.acquire_owned())
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)?
                .map_err(|_| sqlx::Error::PoolClosed)?,
        };
        let idle = self.idle(|idle| idle.connections.pop());
        let conn = match idle {
            Some(conn) => conn,
            None => SqliteConnection::connect_with(&self.0.options).await?,
        };
        Ok(Lent {
            conn: Some(conn),
            lender: self.clone(),
            _permit: permit,
        })
    }

    fn idle<T>(&self, with: impl FnOnce(&mut Idle) -> T) -> T {
        with(&mut self.0.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes what is not lent, and the rest when it comes back.
    pub(super) async fn close(&self) -> Result<(), sqlx::Error> {
        let idle = self.idle(|idle| {
            idle.is_closed = true;
            std::mem::take(&mut idle.connections)
        });
        for conn in idle {
            conn.close().await?;
        }
        Ok(())
    }
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    /// Only `close` and `drop` take it out.
    conn: Option<SqliteConnection>,
    lender: Lender,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    /// Closes it for good; the next one that is lent is new.
    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        match self.conn.take() {
            Some(conn) => conn.close().await,
            None => Ok(()),
        }
    }

    /// Begins a write transaction, which holds the turn as long.
    pub(super) async fn begin(self, turn: Option<Turn>) -> Result<Tx, sqlx::Error> {
        // Before the statement: a caller that is gone meanwhile leaves nothing open either.
        let mut tx = Tx {
            conn: self,
            is_open: true,
            _turn: turn,
        };
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *tx).await?;
        Ok(tx)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.lender.idle(|idle| {
                if !idle.is_closed {
                    idle.connections.push(conn);
                }
            });
        }
    }
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        self.conn
            .as_ref()
            .expect("invariant: there until it is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.conn
            .as_mut()
            .expect("invariant: there until it is dropped")
    }
}

/// A write transaction; dropped without [`Tx::commit`] it is rolled back.
#[derive(Debug)]
pub(crate) struct Tx {
    conn: Lent,
    is_open: bool,
    /// Given on when the connection is back.
    _turn: Option<Turn>,
}

impl Tx {
    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("COMMIT").execute(&mut *self).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.is_open {
            // The first poll hands the statement to the connection's thread, in front of whatever
            // the next one says; nobody waits for the answer, which is an error when SQLite rolled
            // back by itself.
            let _unheard = sqlx::raw_sql("ROLLBACK")
                .execute(&mut *self.conn)
                .now_or_never();
        }
    }
}

impl Deref for Tx {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }
}
