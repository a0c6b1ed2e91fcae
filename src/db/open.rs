//! Opening the store: safely, once per process, and with an error that says what to do.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};

use super::lend::{Lender, Lent, Tx};
use super::log;
use super::turn::Turnstile;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// `rigs` in ASCII: marks the file as ours (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x7269_6773;

/// Bytes of the write-ahead log after which a command brings it into the file. Each command that is
/// alone reads all of it again at its start: 5 us for each of the 4 kB pages, of which a created
/// bead adds ten.
const LOG_OF_COMMANDS: u64 = 400 << 10;

/// Connections of a foreman that read, at most.
const READERS: usize = 4;

/// How the process uses the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One command: one connection for everything, made when first needed.
    OneShot,
    /// A foreman: one writer beside readers that cannot write.
    Foreman,
}

/// The store. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    writer: Lender,
    /// Without readers of its own, reads take the writer's connection.
    readers: Option<Lender>,
    turnstile: Turnstile,
    path: PathBuf,
    /// Why the file may not be written, when it may not; SQLite would begin to write all the same,
    /// and fail in the middle without a name.
    read_only: Option<nix::errno::Errno>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DbError {
    #[error(
        "the store {path} was written by a newer rigs (schema {found}, this one knows {known})"
    )]
    Newer {
        path: String,
        found: i64,
        known: i64,
    },
    #[error("{path} is not a rigs store")]
    Foreign { path: String },
    #[error("the store{} is damaged", named(path))]
    Corrupt {
        path: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("the store{} cannot be written", named(path))]
    ReadOnly {
        path: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("the store cannot grow: the disk is full, or a quota or limit is reached")]
    Full(#[source] sqlx::Error),
    #[error("the store is locked by another process")]
    Busy(#[source] sqlx::Error),
    #[error("cannot open the store {path}")]
    Open {
        path: String,
        #[source]
        source: sqlx::Error,
    },
    #[error("the store cannot be brought to the newest schema")]
    Migrate(#[source] MigrateError),
    #[error("the store failed")]
    Sqlx(#[source] sqlx::Error),
}

/// The path where it is known: an error in the middle of a transaction does not know it.
fn named(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" {path}")
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        if extended_code(&error) == Some(SQLITE_IOERR_WRITE) {
            return Self::Full(error);
        }
        match extended_code(&error).map(|code| code & 0xff) {
            Some(SQLITE_FULL) => Self::Full(error),
            Some(SQLITE_BUSY | SQLITE_LOCKED) => Self::Busy(error),
            Some(SQLITE_READONLY) => Self::ReadOnly {
                path: String::new(),
                source: error,
            },
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Corrupt {
                path: String::new(),
                source: error,
            },
            _ => Self::Sqlx(error),
        }
    }
}

// Primary result codes, https://www.sqlite.org/rescode.html
const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_READONLY: i32 = 8;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

/// A quota, or a limit on the size of files: to whoever has to help it is a full disk.
const SQLITE_IOERR_WRITE: i32 = 778;

fn extended_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

impl DbError {
    /// The same error, naming the file where it did not yet.
    fn at(self, at: &Path) -> Self {
        let at = at.display().to_string();
        match self {
            Self::Corrupt { source, .. } => Self::Corrupt { path: at, source },
            Self::ReadOnly { source, .. } => Self::ReadOnly { path: at, source },
            Self::Sqlx(source) => Self::Open { path: at, source },
            other => other,
        }
    }
}

impl Db {
    /// Opens the store at `path`, creating it and its directory's contents when missing, and
    /// brings it to the newest schema. The directory must exist.
    pub(crate) async fn open(path: &Path, mode: Mode) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(5))
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let trims = match mode {
            Mode::OneShot => log::is_left(path, LOG_OF_COMMANDS),
            Mode::Foreman => {
                log::opened();
                false
            }
        };
        let writer = Lender::new(options.clone(), 1);
        prepare(path, &options, &writer)
            .await
            .map_err(|e| e.at(path))?;
        if trims && let Err(error) = log::trim(&mut *writer.lend().await?).await {
            tracing::debug!(%error, "the log of the store stays as long as it is");
        }
        let readers =
            (mode == Mode::Foreman).then(|| Lender::new(options.read_only(true), READERS));
        Ok(Self {
            writer,
            readers,
            turnstile: Turnstile::of(path),
            path: path.to_owned(),
            read_only: nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).err(),
        })
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a write transaction; takes SQLite's write lock at once. Do not ask for a reader
    /// while holding it: in [`Mode::OneShot`] there is one connection.
    pub(crate) async fn write(&self) -> Result<Tx, DbError> {
        self.may_write()?;
        let begun = async {
            let conn = self.writer.lend().await?;
            conn.begin(self.turnstile.enter().await).await
        };
        begun
            .await
            .map_err(|e: sqlx::Error| DbError::from(e).at(&self.path))
    }

    /// Whether the file may be written at all.
    pub(crate) fn may_write(&self) -> Result<(), DbError> {
        match self.read_only {
            None => Ok(()),
            Some(errno) => Err(DbError::ReadOnly {
                path: self.path.display().to_string(),
                source: sqlx::Error::Io(errno.into()),
            }),
        }
    }

    /// A connection for reading.
    pub(crate) async fn read(&self) -> Result<Lent, DbError> {
        let readers = self.readers.as_ref().unwrap_or(&self.writer);
        readers
            .lend()
            .await
            .map_err(|e| DbError::from(e).at(&self.path))
    }

    /// Leaves the file as it is when the process ends. The last one to close it would bring the
    /// log into the file and remove it, which takes longer than a command, and the next one would
    /// make it anew. What was committed is on the disk, in the log.
    pub(crate) fn stay_open(&self) {
        std::mem::forget(self.clone());
    }

    pub(crate) async fn close(self) -> Result<(), DbError> {
        for lender in self.readers.iter().chain([&self.writer]) {
            lender.close().await?;
        }
        Ok(())
    }
}

/// Creates, checks and migrates the file. The connection that looks is the one that is worked
/// with, unless there is something to migrate.
async fn prepare(
    path: &Path,
    options: &SqliteConnectOptions,
    writer: &Lender,
) -> Result<(), DbError> {
    let known = i64::try_from(MIGRATIONS.iter().count()).unwrap_or(i64::MAX);
    let fresh = !path.exists();
    if fresh {
        create_private(path).map_err(|e| DbError::Open {
            path: path.display().to_string(),
            source: sqlx::Error::Io(e),
        })?;
    }
    let mut conn = writer.lend().await?;
    let (found, owner): (i64, i64) = sqlx::query_as(
        "SELECT user_version, application_id FROM pragma_user_version, pragma_application_id",
    )
    .fetch_one(&mut *conn)
    .await?;
    if found == known && owner == APPLICATION_ID {
        return Ok(());
    }
    let text = path.display().to_string();
    if found > known && owner == APPLICATION_ID {
        return Err(DbError::Newer {
            path: text,
            found,
            known,
        });
    }
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *conn)
        .await?;
    if owner != APPLICATION_ID && tables > 0 {
        // A first migration that was interrupted leaves only sqlx's own table.
        let ours: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'",
        )
        .fetch_one(&mut *conn)
        .await?;
        if ours == 0 {
            return Err(DbError::Foreign { path: text });
        }
    }
    conn.close().await?;
    // One after another: each of them that loses the race for a step begins that step anew.
    let _turn = Turnstile::of(path).enter().await;
    migrate(options, known).await
}

/// Runs what is missing. Several processes may come here at once: each migration is its own
/// transaction, and the one that finds the work done goes on.
async fn migrate(options: &SqliteConnectOptions, known: i64) -> Result<(), DbError> {
    let options = options.clone().journal_mode(SqliteJournalMode::Wal);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let mut tries = 0;
    loop {
        match MIGRATIONS.run_direct(None, &mut conn, false).await {
            Ok(()) => break,
            // Lost a race for the same step against another process.
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) if tries < 200 => {
                tries += 1;
            }
            Err(error) => return Err(DbError::Migrate(error)),
        }
    }
    let stamp = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {known}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
        .execute(&mut conn)
        .await?;
    Ok(conn.close().await?)
}

/// The store is for its owner's eyes: mode 0600 from the first byte.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}
