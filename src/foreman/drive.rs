//! The loop: it owns the state of everything that runs, takes one thing after another (a note,
//! the end of a stage, a signal, a due moment, a change of the store) and writes what follows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::due::Due;
use super::lock::Lock;
use super::lookout::Lookout;
use super::notify::Notifier;
use super::orders::{Ended, Interrupt, Orders, Scope, Until};
use super::stage::{Halt, Job, Leash, Note, RunReport, StageEnd};
use super::{Context, ForemanError};
use crate::core::clock::Moment;
use crate::core::{BeadId, ConvoyId, Timestamp, Usage};
use crate::db::Changes;
use crate::depot::Ready;
use crate::depot::store as depot;
use crate::policy::live::Live;

/// A bead that is being worked on by this loop.
pub(super) struct Active {
    pub(super) job: Job,
    pub(super) halt: watch::Sender<Option<Halt>>,
    pub(super) token: CancellationToken,
    /// What the ledger has of this attempt already, and how many slices.
    pub(super) recorded: Usage,
    pub(super) slices: u32,
    pub(super) slice_began: Timestamp,
    /// The run's end, for review and merge.
    pub(super) output: String,
    pub(super) commit: Option<String>,
    pub(super) model: Option<String>,
    pub(super) duration_ms: i64,
    pub(super) began: Timestamp,
}

impl Active {
    pub(super) fn new(job: Job, now: Timestamp) -> Self {
        Self {
            job,
            halt: watch::Sender::new(None),
            token: CancellationToken::new(),
            recorded: Usage::default(),
            slices: 0,
            slice_began: now,
            output: String::new(),
            commit: None,
            model: None,
            duration_ms: 0,
            began: now,
        }
    }

    pub(super) fn leash(&self) -> Leash {
        Leash {
            token: self.token.clone(),
            halt: self.halt.subscribe(),
        }
    }

    pub(super) fn took(&mut self, report: &RunReport) {
        self.output.clone_from(&report.output);
        self.commit.clone_from(&report.commit);
        self.model = report.model.clone().or_else(|| self.job.model.clone());
        self.duration_ms = report.duration_ms;
    }
}

/// Stage tasks send notes faster than they are written only in bursts; a full channel makes an
/// agent's output wait a moment, never get lost.
const NOTES: usize = 256;
/// How often the store is asked whether somebody else changed it. Well below the second within
/// which a new bead has to be noticed, and some 20 µs of work.
const LOOK: Duration = Duration::from_millis(500);

pub(super) struct Foreman {
    /// With the settings that hold now; what runs has those that it began with.
    pub(super) ctx: Arc<Context>,
    pub(super) owner: String,
    pub(super) scope: Scope,
    pub(super) active: HashMap<BeadId, Active>,
    /// Beads of a convoy that wait for their turn to merge; the first one is being merged.
    pub(super) merging: HashMap<ConvoyId, VecDeque<BeadId>>,
    /// Beads that no provider can take, with the reason, as of the last pass.
    pub(super) held: Vec<(BeadId, String)>,
    pub(super) foresight: super::dispatching::Foresight,
    pub(super) lookout: Lookout,
    pub(super) notifier: Notifier,
    /// Why this machine has no room for one more agent, as of the last pass, and when to look again.
    pub(super) crowded: Option<(String, Moment)>,
    pub(super) policy: Live,
    pub(super) stages: JoinSet<StageEnd>,
    pub(super) by_task: HashMap<Id, BeadId>,
    pub(super) notes: mpsc::Sender<Note>,
    pub(super) stopping: Option<Stopping>,
    draining: bool,
    pub(super) next_due: Due,
    /// A person stopped everything.
    pub(super) frozen: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Stopping {
    signal: Interrupt,
    /// When running stages are ended.
    pub(super) at: Moment,
    how: Halt,
    pub(super) halted: bool,
}

/// Runs the loop until its orders are fulfilled or it is interrupted.
pub(crate) async fn drive(
    ctx: &Context,
    lock: &Lock,
    orders: &Orders,
    interrupts: &mut mpsc::Receiver<Interrupt>,
) -> Result<Ended, ForemanError> {
    crate::process::become_subreaper();
    let (notes, mut heard) = mpsc::channel(NOTES);
    let mut f = Foreman {
        ctx: Arc::new(ctx.clone()),
        owner: lock.text(),
        scope: orders.scope,
        active: HashMap::new(),
        merging: HashMap::new(),
        held: Vec::new(),
        foresight: super::dispatching::Foresight::default(),
        lookout: Lookout::new(ctx),
        notifier: Notifier::new(ctx).await?,
        crowded: None,
        policy: super::rules::open(&ctx.settings, &ctx.paths)?,
        stages: JoinSet::new(),
        by_task: HashMap::new(),
        notes,
        stopping: None,
        draining: false,
        next_due: Due::Unknown,
        frozen: false,
    };
    if orders.until == Until::Tidied {
        f.frozen = true;
        f.take_over().await?;
        f.sweep().await?;
        return Ok(Ended::Over);
    }
    f.look_at_halt().await?;
    f.take_over().await?;
    f.sweep().await?;
    f.note_policy().await?;
    let mut changes = Changes::of(&ctx.db).await?;
    ctx.changed.notify_one();
    let mut heartbeat = ctx.clock.moment() + f.beat();
    let mut look_again = true;
    loop {
        if look_again {
            f.pass().await?;
            f.look_for_news().await?;
            crate::process::reap_adopted();
            f.next_due = Due::Unknown;
        }
        if f.active.is_empty() && crate::assayer::tokens::unload() {
            // Some 40 MB that an idle foreman need not hold.
            crate::process::give_memory_back();
        }
        if let Some(ended) = f.ended(orders).await? {
            f.sweep().await?;
            if f.stopping.is_none_or(|stop| stop.how != Halt::AtOnce) {
                f.tell_the_rest(interrupts).await?;
            }
            return Ok(ended);
        }
        let rest = f.rest().await?;
        look_again = false;
        tokio::select! {
            Some(note) = heard.recv() => f.note(note).await?,
            Some(done) = f.stages.join_next_with_id(), if !f.stages.is_empty() => {
                // What a stage said before it ended comes first.
                while let Ok(note) = heard.try_recv() {
                    f.note(note).await?;
                }
                f.stage_ended(done).await?;
                f.sweep().await?;
                look_again = true;
            }
            Some(reply) = f.lookout.asked.join_next(), if !f.lookout.asked.is_empty() => {
                f.looked(reply).await?;
                look_again = true;
            }
            Some(done) = f.notifier.sending.join_next(), if !f.notifier.sending.is_empty() => {
                f.told_outside(done).await?;
            }
            Some(signal) = interrupts.recv() => f.interrupt(signal),
            () = ctx.reload.notified() => {
                look_again |= Box::pin(f.read_config()).await?;
                look_again |= f.look_at_policy(true).await?;
            }
            () = ctx.clock.sleep(rest.min(LOOK)) => look_again = rest <= LOOK,
        }
        look_again |= f.look_at_policy(false).await?;
        if changes.look().await? {
            look_again = true;
            ctx.changed.notify_one();
        }
        if ctx.clock.moment() >= heartbeat {
            f.heartbeat().await?;
            heartbeat = ctx.clock.moment() + f.beat();
            look_again = true;
        }
    }
}

impl Foreman {
    fn beat(&self) -> Duration {
        (self.ctx.settings.foreman.lease.0 / 3).max(Duration::from_secs(1))
    }

    pub(super) fn lease_until(&self) -> Timestamp {
        self.ctx.clock.now() + self.ctx.settings.foreman.lease.0
    }

    async fn heartbeat(&self) -> Result<(), ForemanError> {
        if self.active.is_empty() {
            return Ok(());
        }
        let until = self.lease_until();
        let mut tx = self.ctx.db.write().await?;
        depot::renew_leases(&mut tx, &self.owner, until).await?;
        for active in self.active.values() {
            crate::refinery::store::renew(&mut tx, active.job.attempt, until).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    pub(super) fn takes_new_work(&self) -> bool {
        self.stopping.is_none() && !self.draining && !self.frozen
    }

    fn interrupt(&mut self, signal: Interrupt) {
        let now = self.ctx.clock.moment();
        let (at, how) = match self.stopping {
            None => (now + self.ctx.settings.foreman.grace.0, Halt::Shutdown),
            Some(_) => (now, Halt::AtOnce),
        };
        self.stopping = Some(Stopping {
            signal,
            at,
            how,
            halted: false,
        });
        self.halt_if_due();
    }

    /// Ends what still runs once the grace is over.
    pub(super) fn halt_if_due(&mut self) {
        let now = self.ctx.clock.moment();
        let Some(stop) = self.stopping.as_mut().filter(|s| !s.halted && now >= s.at) else {
            return;
        };
        stop.halted = true;
        for active in self.active.values() {
            active.halt.send_replace(Some(stop.how));
            active.token.cancel();
        }
    }

    /// Whether the orders are fulfilled.
    async fn ended(&mut self, orders: &Orders) -> Result<Option<Ended>, ForemanError> {
        if let Some(stop) = self.stopping {
            return Ok(self
                .active
                .is_empty()
                .then_some(Ended::Interrupted(stop.signal)));
        }
        let (convoy, wait) = match &orders.until {
            Until::Over { .. } | Until::Frozen if self.frozen => {
                return Ok(self.active.is_empty().then_some(Ended::Halted));
            }
            Until::Stopped | Until::Frozen | Until::Tidied => return Ok(None),
            Until::Over { convoy, wait } => (convoy, wait),
        };
        let mut conn = self.ctx.db.read().await?;
        let progress = depot::progress(&mut conn, convoy).await?;
        let status = depot::convoy(&mut conn, convoy).await?.map(|c| c.status);
        let due = depot::next_due(&mut conn, Some(convoy)).await?;
        drop(conn);
        // Beads that wait because the plan says so wait as deferred ones do.
        let kept = self.foresight.until(convoy);
        let waits = progress.deferred > 0 || kept.is_some();
        let mine_runs = self
            .active
            .values()
            .any(|a| a.job.bead.convoy_id.as_ref() == Some(convoy));
        let ended = if mine_runs {
            None
        } else if progress.is_still() {
            Some(Ended::Over)
        } else if status == Some(crate::core::ConvoyStatus::Paused) {
            Some(Ended::Paused)
        } else if progress.active > 0 || (waits && *wait) || self.has_startable(convoy).await? {
            None
        } else if waits {
            // Beads behind a deferred one wait with it.
            [due, kept].into_iter().flatten().min().map(Ended::Waiting)
        } else {
            let held = self.held_of(convoy).await?;
            (!held.is_empty()).then_some(Ended::Stuck(held))
        };
        // Beads of other convoys are let finish before the lock changes hands.
        self.draining = ended.is_some();
        Ok(ended.filter(|_| self.active.is_empty()))
    }

    /// Whether a bead of the convoy may be started, now or when a run ends.
    async fn has_startable(&self, convoy: &ConvoyId) -> Result<bool, ForemanError> {
        let mut conn = self.ctx.db.read().await?;
        let only = [convoy.clone()];
        let pending = depot::pending(&mut conn, Some(&only), 1).await?;
        let ready = depot::ready(&mut conn, Some(&only), 1000).await?;
        let held =
            |r: &Ready| self.foresight.keeps(&r.id) || self.held.iter().any(|(id, _)| *id == r.id);
        Ok(!pending.is_empty() || !ready.iter().all(held))
    }

    /// The beads of the convoy that nobody can take.
    async fn held_of(&self, convoy: &ConvoyId) -> Result<Vec<(BeadId, String)>, ForemanError> {
        let mut conn = self.ctx.db.read().await?;
        let beads = depot::beads_of(&mut conn, convoy).await?;
        let of_it = |id: &BeadId| beads.iter().any(|b| b.id == *id);
        let held = self.held.iter().filter(|(id, _)| of_it(id));
        Ok(held.cloned().collect())
    }
}
