//! Looks at closed tanks, by sources that use no tokens: before a stated reset is relied on, and
//! now and then until it, because limits are lifted early. Asking is a task; what was said is
//! kept here, in the loop.

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::drive::Foreman;
use super::{Context, ForemanError};
use crate::core::Timestamp;
use crate::depot::store as depot;
use crate::refinery::sources::{self, Asker, Heard, Looks, Reply, Target, Tools};
use crate::refinery::store as refinery;

/// Beads that are woken when a provider turns out to be open; more follow as these run.
const WOKEN: i64 = 1000;

pub(super) struct Lookout {
    /// Providers that have somebody to ask.
    targets: Vec<Target>,
    looks: Looks,
    pub(super) asked: JoinSet<Reply>,
    stop: CancellationToken,
}

impl Lookout {
    pub(super) fn new(ctx: &Context) -> Self {
        let mut targets = sources::targets(&ctx.settings, &ctx.env);
        for target in &mut targets {
            target.sources.retain(|source| source.probe.knows_resets());
        }
        targets.retain(|target| !target.sources.is_empty());
        Self {
            targets,
            looks: Looks::default(),
            asked: JoinSet::new(),
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.looks.next()
    }
}

/// The programs that are being asked end with the loop.
impl Drop for Lookout {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Foreman {
    /// Plans looks at what is closed, and asks where one is due.
    pub(super) async fn look(&mut self) -> Result<(), ForemanError> {
        if self.lookout.targets.is_empty() {
            return Ok(());
        }
        let (ctx, now) = (&self.ctx.clone(), self.ctx.clock.now());
        let mut conn = ctx.db.read().await?;
        let tanks = refinery::load(&mut conn, &ctx.tanks, now).await?;
        drop(conn);
        let targets = &self.lookout.targets;
        let due = self.lookout.looks.plan(
            &tanks,
            |name| targets.iter().any(|target| target.name == *name),
            now,
            ctx.ids.unit(),
        );
        if due.is_empty() {
            return Ok(());
        }
        let due: Vec<Target> = targets
            .iter()
            .filter(|target| due.contains(&target.name))
            .cloned()
            .collect();
        let mut tx = ctx.db.write().await?;
        let (open, _) = sources::claim(&mut tx, &due, Asker::Foreman, now).await?;
        tx.commit().await?;
        for question in open {
            let (ctx, stop) = (ctx.clone(), self.lookout.stop.clone());
            self.lookout.asked.spawn(async move {
                let tools = Tools {
                    clock: &ctx.clock,
                    env: &ctx.env,
                    cwd: ctx.paths.home(),
                    stop: &stop,
                };
                sources::ask(tools, question).await
            });
        }
        Ok(())
    }

    /// Keeps what was said; who waits for a window that is open after all goes on.
    pub(super) async fn looked(
        &mut self,
        reply: Result<Reply, JoinError>,
    ) -> Result<(), ForemanError> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                tracing::error!(%error, "a source was not asked to its end");
                return Ok(());
            }
        };
        let ctx = &self.ctx.clone();
        let act = ctx.act();
        let mut tx = ctx.db.write().await?;
        let told = sources::keep(&mut tx, act.ids, act.now, &ctx.tanks, reply).await?;
        // The configuration may have lost it meanwhile.
        if let (Heard::Answered { .. }, Ok(tank)) = (&told.heard, ctx.tank(&told.provider)) {
            let tank = refinery::load_one(&mut tx, tank, act.now).await?;
            if tank.next_reset.is_none() {
                depot::promote_waiting(&mut tx, act, &told.provider, WOKEN).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}
