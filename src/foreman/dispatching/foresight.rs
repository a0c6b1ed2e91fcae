//! The plan of the queue as the loop keeps it: made anew when something changed, remembered between
//! events, and never obeyed for long against a bead that has room.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::ForemanError;
use super::super::drive::Foreman;
use super::outlook::outlook;
use super::sight::Sight;
use crate::core::{BeadId, ConvoyId, ProviderName, Timestamp};
use crate::db::Conn;
use crate::depot::Ready;
use crate::depot::store as depot;
use crate::dispatch::board::Boarded;
use crate::dispatch::plan::{EFFORT, Memory, plan};
use crate::dispatch::{Advice, Advised, advise, is_worthwhile};

/// Of the search for plans; any number does, as long as it is the same.
pub(super) const SEED: u64 = 1;
/// A bead with room somewhere is kept waiting for the sake of others no longer than this; then the
/// score decides, whatever the plan says.
const PATIENCE: Duration = Duration::from_hours(12);
/// How often a bead's reason to wait is written down again when it has changed.
const AGAIN: Duration = Duration::from_mins(10);
/// Reasons that are written down in one pass.
pub(super) const TOLD: usize = 20;

#[derive(Default)]
pub(in crate::foreman) struct Foresight {
    memory: Memory,
    /// The question of the last plan, and its answer.
    last: Option<(Boarded, Advised)>,
    /// Beads that have room somewhere and wait because the plan says so.
    kept: BTreeMap<BeadId, Kept>,
}

struct Kept {
    convoy: Option<ConvoyId>,
    since: Timestamp,
    until: Timestamp,
    told: Option<(Timestamp, ProviderName)>,
    reason: String,
}

impl Foresight {
    pub(in crate::foreman) fn keeps(&self, bead: &BeadId) -> bool {
        self.kept.contains_key(bead)
    }

    /// When the first of the kept beads of a convoy is looked at again.
    pub(in crate::foreman) fn until(&self, convoy: &ConvoyId) -> Option<Timestamp> {
        let of = |k: &&Kept| k.convoy.as_ref() == Some(convoy);
        self.kept.values().filter(of).map(|k| k.until).min()
    }

    /// When the next of all is. One whose time is over could not be looked at: there is no room,
    /// and what makes room will say so.
    pub(in crate::foreman) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let all = self.kept.values().map(|k| k.until);
        all.filter(|until| *until > now).min()
    }
}

impl Foreman {
    /// What the plan says now. With nothing to choose it is not asked.
    pub(super) async fn foresee(
        &mut self,
        conn: &mut Conn,
        served: Option<&[ConvoyId]>,
        sight: &Sight,
    ) -> Result<Advised, ForemanError> {
        let (ctx, policy, now) = (&self.ctx, self.policy.policy(), self.ctx.clock.now());
        let queue = depot::open_queue(conn, served).await?;
        let board = outlook(ctx, policy, conn, sight, queue, (now, &[])).await?;
        let foresight = &mut self.foresight;
        if !is_worthwhile(&board) {
            foresight.last = None;
            return Ok(Advised::default());
        }
        if let Some((last, advised)) = &foresight.last
            && advised.next.is_none_or(|next| now < next)
            && is_same(last, &board)
        {
            return Ok(advised.clone());
        }
        let plan = plan(&board.board, &mut foresight.memory, SEED, EFFORT);
        let advised = advise(&board, &plan);
        foresight.last = Some((board, advised.clone()));
        Ok(advised)
    }

    /// The advice about a bead, unless it has been kept waiting for too long.
    pub(super) fn advice<'a>(&self, advised: &'a Advised, bead: &BeadId) -> Option<&'a Advice> {
        let since = self.foresight.kept.get(bead).map(|k| k.since);
        let now = self.ctx.clock.now();
        let advice = advised.of.get(bead)?;
        since
            .is_none_or(|since| now.since(since) < PATIENCE)
            .then_some(advice)
    }

    /// Forgets beads that are not ready any more.
    pub(super) fn still_keeps(&mut self, ready: &[Ready]) {
        let kept = &mut self.foresight.kept;
        if !kept.is_empty() {
            let ready: BTreeSet<&BeadId> = ready.iter().map(|b| &b.id).collect();
            kept.retain(|id, _| ready.contains(id));
        }
    }

    pub(super) fn stop_keeping(&mut self, bead: &BeadId) {
        self.foresight.kept.remove(bead);
    }

    /// Keeps a bead waiting; true when its reasons are to be written down.
    pub(super) fn keep(
        &mut self,
        bead: &Ready,
        provider: &ProviderName,
        until: Timestamp,
        reason: &str,
    ) -> bool {
        let now = self.ctx.clock.now();
        let kept = self.foresight.kept.entry(bead.id.clone());
        let kept = kept.or_insert_with(|| Kept {
            convoy: bead.convoy_id.clone(),
            since: now,
            until,
            told: None,
            reason: String::new(),
        });
        let is_told = match &kept.told {
            Some((at, _)) if now.since(*at) < AGAIN => true,
            Some((_, whom)) => whom == provider && kept.reason == reason,
            None => false,
        };
        kept.until = until;
        if !is_told {
            kept.told = Some((now, provider.clone()));
            reason.clone_into(&mut kept.reason);
        }
        !is_told
    }
}

/// Those that the plan begins now first, in its order; the rest as the queue has them.
pub(super) fn in_order(mut ready: Vec<Ready>, advised: &Advised) -> Vec<Ready> {
    let place: BTreeMap<&BeadId, usize> = advised.order.iter().zip(0..).collect();
    ready.sort_by_key(|b| place.get(&b.id).copied().unwrap_or(usize::MAX));
    ready
}

/// Whether two boards ask the same, whatever the time.
fn is_same(a: &Boarded, b: &Boarded) -> bool {
    let (x, y) = (&a.board, &b.board);
    x.works == y.works
        && x.lanes == y.lanes
        && (x.max_running, x.spread) == (y.max_running, y.spread)
        && a.jobs == b.jobs
        && a.lanes == b.lanes
}
