//! The store: one SQLite file. A single writer connection (`BEGIN IMMEDIATE`), readers that
//! cannot write, migrations, encodings and the event log. Its tables belong to other modules.

mod changes;
mod encode;
pub(crate) mod events;
mod lend;
mod log;
mod open;
#[cfg(test)]
mod schema_tests;
mod turn;
pub(crate) mod upkeep;

pub(crate) use changes::Changes;
pub(crate) use events::{Act, Event, EventType, NewEvent};
pub(crate) use lend::{Lent, Tx};
pub(crate) use open::{Db, DbError, Mode};
/// A connection, whether a transaction or a reader: what every store function takes.
pub(crate) use sqlx::SqliteConnection as Conn;
