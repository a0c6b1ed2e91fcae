//! What tests share: a real migrated store in a temporary folder, a clock they own, seeded ids.
//! And the pages of `docs/` that are made from the program.

mod pages;

use tempfile::TempDir;

use crate::core::clock::FakeClock;
use crate::core::{Clock, Ids};
use crate::db::{Db, Mode};

/// A store of its own for one test.
pub(crate) struct TestDb {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) time: FakeClock,
    pub(crate) ids: Ids,
    _dir: TempDir,
}

impl TestDb {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (time, clock) = FakeClock::at("2026-11-20T08:00:00Z");
        let ids = Ids::seeded(clock.clone(), 1);
        let db = Db::open(&dir.path().join("rigs.db"), Mode::Foreman)
            .await
            .expect("a store");
        Self {
            db,
            clock,
            time,
            ids,
            _dir: dir,
        }
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopen(&mut self) {
        self.db = Db::open(self.db.path(), Mode::Foreman)
            .await
            .expect("the same store");
    }
}
