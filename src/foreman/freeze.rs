//! The emergency stop while the loop goes on: what runs is ended and put back, nothing is
//! started, and after the thaw the loop goes on as one that takes over from a dead foreman does.

use tokio::sync::mpsc;

use super::drive::{Foreman, drive};
use super::lock::{self, Asked, Driver, Holder};
use super::orders::{Orders, Scope, Until};
use super::stage::Halt;
use super::{Context, ForemanError, recover};
use crate::depot::DepotError;
use crate::depot::store as depot;

/// Whether it was cleaned up behind foremen that are gone.
#[derive(Debug)]
pub(crate) enum Tidied {
    Done,
    /// A foreman runs, and does that itself.
    Busy(Option<Holder>),
}

/// Does what a foreman does at its start, and starts nothing.
pub(crate) async fn tidy(ctx: &Context) -> Result<Tidied, ForemanError> {
    let path = ctx.paths.lock();
    let io = |source| ForemanError::Io {
        path: path.clone(),
        source,
    };
    let me = lock::myself(&ctx.ids);
    match lock::ask(&path, &me, Driver::Stop, &ctx.clock).map_err(io)? {
        Asked::Theirs(holder) => Ok(Tidied::Busy(holder)),
        Asked::Mine(lock) => {
            let orders = Orders {
                scope: Scope::All,
                until: Until::Tidied,
            };
            let (_nobody, mut interrupts) = mpsc::channel(1);
            let done = drive(ctx, &lock, &orders, &mut interrupts).await;
            lock.give_up().map_err(io)?;
            done?;
            Ok(Tidied::Done)
        }
    }
}

impl Foreman {
    /// Looks whether everything is to stand still, and acts on a change.
    pub(super) async fn look_at_halt(&mut self) -> Result<(), ForemanError> {
        let mut conn = self.ctx.db.read().await?;
        let held = depot::halted(&mut conn).await?;
        drop(conn);
        match (&held, self.frozen) {
            (Some(halted), false) => {
                self.frozen = true;
                tracing::warn!("everything is stopped since {}", halted.since);
                for active in self.active.values() {
                    active
                        .halt
                        .send_if_modified(|h| h.replace(Halt::Shutdown).is_none());
                    active.token.cancel();
                }
            }
            (None, true) => {
                self.frozen = false;
                tracing::info!("beads are started again");
                self.take_over().await?;
            }
            (Some(_), true) | (None, false) => {}
        }
        Ok(())
    }

    /// Cleans up behind foremen that are gone; what they had finished goes on here, or waits
    /// while everything stands still.
    pub(super) async fn take_over(&mut self) -> Result<(), ForemanError> {
        let found = Box::pin(recover::recover(&self.ctx, &self.owner)).await?;
        for (job, found) in found {
            if !self.frozen {
                self.adopt(job, found);
                continue;
            }
            let mut tx = self.ctx.db.write().await?;
            match depot::let_go(&mut tx, &job.bead.id, &job.fence).await {
                Err(DepotError::Fenced { .. }) => {}
                other => {
                    other?;
                    tx.commit().await?;
                }
            }
        }
        Ok(())
    }
}
