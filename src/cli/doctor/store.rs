//! The store, the tanks in it, and the locks beside it.

use super::super::{App, Failure};
use super::Doctor;
use crate::core::text::{count, thousands};
use crate::db::{DbError, Mode};
use crate::foreman::lock::{self, Asked, Driver};
use crate::refinery::store::rebuild;

impl Doctor {
    /// Whether there is a store that can be read.
    pub(super) async fn store(&mut self, app: &App) -> Result<bool, Failure> {
        let paths = &app.config()?.paths;
        self.locks(app)?;
        if !paths.store().exists() {
            self.warning("store", "there is none yet", "`rigs init` makes it");
            return Ok(false);
        }
        let check = match super::super::database::check::check(app).await {
            Ok(check) => check,
            Err(failure) => {
                self.failed("store", &failure);
                return Ok(false);
            }
        };
        if let Some(first) = check.problems.first() {
            let n = count(check.problems.len(), "problem", "problems");
            self.problem(
                "store",
                format!("{n}, the first: {first}"),
                "stop the foreman and put a copy (`rigs db backup`) in its place",
            );
            return Ok(false);
        }
        let (bytes, schema) = (thousands(check.bytes), check.schema);
        self.ok("store", format!("sound: {bytes} bytes, schema {schema}"));
        if check.tanks.is_empty() {
            self.ok("tanks", "as the ledger and what was observed say");
        } else {
            let text = format!(
                "{} not what was observed and used: {}",
                count(check.tanks.len(), "window is", "windows are"),
                check.tanks.join("; ")
            );
            self.problem("tanks", text, "`rigs doctor --fix` makes them anew");
            if self.fix {
                let db = app.store(Mode::OneShot).await?;
                let mut tx = db.write().await?;
                rebuild::repair(&mut tx, &app.ids, app.now()).await?;
                tx.commit().await.map_err(DbError::from)?;
                self.was_fixed();
            }
        }
        Ok(true)
    }

    /// Lines that name a process which is gone. The lock itself went with it.
    fn locks(&mut self, app: &App) -> Result<(), Failure> {
        let paths = &app.config()?.paths;
        for path in [paths.lock(), paths.daemon_lock()] {
            let is_empty = std::fs::metadata(&path).map_or(true, |m| m.len() == 0);
            if is_empty || lock::holder(&path).is_some() {
                continue;
            }
            let text = format!("{} names a process that is gone", path.display());
            self.warning("lock", text, "harmless; the next foreman takes it over");
            if self.fix {
                let me = lock::myself(&app.ids);
                if let Asked::Mine(lock) = lock::ask(&path, &me, Driver::Stop, &app.clock)? {
                    lock.give_up()?;
                    self.was_fixed();
                }
            }
        }
        Ok(())
    }
}
