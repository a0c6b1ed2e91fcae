//! What is due: how long the loop may rest, and the beads that come back.

use std::time::Duration;

use super::drive::Foreman;
use super::{ForemanError, crash};
use crate::core::Timestamp;
use crate::depot::store as depot;

/// The shortest time between two looks at what is due.
const MOMENT: Duration = Duration::from_millis(200);
/// Beads that are brought back at once; the rest follows when these have moved.
const DUE: i64 = 1000;

/// When the next deferred bead is due, as far as it was asked since something changed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    Unknown,
    Known(Option<Timestamp>),
}

impl Foreman {
    /// How long nothing is due unless somebody says so. Asked again and again: the clock may jump.
    pub(super) async fn rest(&mut self) -> Result<Duration, ForemanError> {
        let mut rest = Duration::MAX;
        if let Some(stop) = self.stopping.filter(|s| !s.halted) {
            rest = stop.at.since(self.ctx.clock.moment());
        } else if self.takes_new_work() {
            let due = match self.next_due {
                Due::Known(due) => due,
                Due::Unknown => depot::next_due(&mut *self.ctx.db.read().await?, None).await?,
            };
            self.next_due = Due::Known(due);
            let is_idle = self.active.is_empty() && self.lookout.asked.is_empty();
            let kept = self.foresight.next(self.ctx.clock.now());
            let due = [due, kept].into_iter().flatten().min();
            if let Some(due) = due.filter(|_| is_idle) {
                crash::leap(&self.ctx.env, &self.ctx.clock, due);
            }
            let now = self.ctx.clock.now();
            for due in due.into_iter().chain(self.lookout.next()) {
                rest = rest.min(due.since(now));
            }
            if let Some((_, again)) = self.crowded {
                rest = rest.min(again.since(self.ctx.clock.moment()));
            }
        }
        // What is due but could not be taken up just now is looked at again in a moment.
        Ok(rest.max(MOMENT))
    }

    /// Brings back what is due. Mostly nothing is, and nobody waits for the store to find that out.
    pub(super) async fn promote(&self) -> Result<(), ForemanError> {
        let due = depot::next_due(&mut *self.ctx.db.read().await?, None).await?;
        if due.is_none_or(|due| due > self.ctx.clock.now()) {
            return Ok(());
        }
        let mut tx = self.ctx.db.write().await?;
        depot::promote_due(&mut tx, self.ctx.act(), DUE).await?;
        Ok(self.ctx.commit(tx, "bead.promoted").await?)
    }
}
