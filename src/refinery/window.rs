//! One window at a point in time: how much of it is used, until when it blocks, and how far
//! all that can be relied on.

use std::ops::Add;
use std::time::Duration;

use super::frame::{Count, Counted, Frame, Open};
use super::learn::Size;
use super::quota::{Bucket, Fall, fallen_by};
use super::risk::Load;
use super::stored::{Key, Level, Stored, UNTIL_PROBE};
use crate::config::{LimitKind, LimitUnit};
use crate::core::words::word_enum;
use crate::core::{ProviderName, Timestamp};
use crate::provider::WindowStatus;

word_enum! {
    /// How far a figure can be relied on.
    pub(crate) enum Confidence as "confidence" {
        /// Counted here against a limit that a person gave, or said by the provider just now.
        High = "high",
        /// Said some time ago, or set by hand.
        Medium = "medium",
        /// A built-in guess, or learned from little.
        Low = "low",
        /// Nothing is known.
        None = "none",
    }
}

/// A window at a point in time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) provider: ProviderName,
    pub(crate) key: Key,
    /// For people and JSON; unlike the limit's id it also tells the length.
    pub(crate) name: String,
    pub(crate) kind: LimitKind,
    pub(crate) unit: LimitUnit,
    /// The whole of it, in `unit`; of a percent window its size in tokens. `None`: unknown.
    pub(crate) limit: Option<u64>,
    /// What is learned about the tokens in a percent window whose size nobody set.
    pub(crate) size: Option<Size>,
    /// `None`: unknown.
    pub(crate) used: Option<u64>,
    /// Share used, 0 to 1 and above; known for percent windows whose size is not.
    pub(crate) share: Option<f64>,
    /// What running attempts are expected to use beyond `used`.
    pub(crate) reserved: u64,
    /// The same with its spread.
    pub(crate) load: Load,
    /// Running attempts that count here.
    pub(crate) in_flight: u64,
    /// In the future, or `None`.
    pub(crate) resets_at: Option<Timestamp>,
    /// Until when a window that is used up blocks at most, also when no reset is known.
    pub(crate) blocks_until: Option<Timestamp>,
    /// In the future, or `None`.
    pub(crate) closed_until: Option<Timestamp>,
    /// The provider refuses, whatever the figures say.
    pub(crate) is_rejected: bool,
    /// One bead at a time: nobody knows enough to let two through.
    pub(crate) is_cautious: bool,
    /// Of a rolling sum, in order of time; empty where nobody asked for them.
    pub(crate) falls: Vec<Fall>,
    /// Of a refill window whose speed is known, as it is now.
    pub(crate) bucket: Option<Bucket>,
    pub(crate) source: String,
    pub(crate) observed_at: Option<Timestamp>,
    pub(crate) confidence: Confidence,
}

/// From this share on, a window of unknown size lets one bead through at a time.
const NEAR_END: f64 = 0.8;

impl Window {
    /// `frame` with the ledger's answer to [`Frame::count`] and the open reservations of its
    /// provider.
    pub(crate) fn at(
        frame: &Frame,
        provider: &ProviderName,
        counted: Counted,
        open: &[Open],
        now: Timestamp,
    ) -> Self {
        let stored = frame.stored.as_ref();
        let level = frame.level(now);
        let bucket = bucket(frame, &counted, now);
        let limit = bucket.map_or_else(|| size(frame), |b| Some(b.capacity()));
        let is_slots = frame.kind == LimitKind::Concurrency;
        let mine = || {
            open.iter()
                .filter(|o| frame.key.scope.covers(o.model.as_deref()))
        };
        let in_flight = mine().count() as u64;
        let load = mine()
            .filter(|_| !is_slots)
            .filter(|o| level.is_none_or(|l| o.created_at > l.began_at))
            .map(|o| o.run.rest(frame.unit, frame.key.duration))
            .fold(Load::default(), Load::add);

        let (used, share) = match bucket {
            _ if is_slots => (Some(in_flight), None),
            Some(bucket) => (Some(bucket.used()), None),
            None => level_at(frame, level, limit, &counted, now),
        };
        let share = share.or(match (used, limit) {
            (Some(used), Some(limit)) if limit > 0 => Some(used as f64 / limit as f64),
            (Some(_), Some(_)) => Some(1.0),
            (Some(_) | None, _) => None,
        });

        let full = bucket.and_then(|b| b.refilled(b.used()));
        let resets_at = reset(frame, &counted, now).or(full.filter(|t| *t > now));
        let rejected_at = stored
            .filter(|s| s.status == Some(WindowStatus::Rejected))
            .map(|s| s.observed_at);
        let said_at = level.map(|l| l.at);
        let rolled = match frame.count(now) {
            Count::Rolling { length, .. } if used > Some(0) => Some(now + length),
            Count::Nothing
            | Count::Anchored { .. }
            | Count::Rolling { .. }
            | Count::Each { .. }
            | Count::Since { .. } => None,
        };
        let blocks_until = resets_at
            .or(rolled)
            .or(said_at.and_then(|at| frame.key.duration.map(|d| at + d)))
            .or(said_at.max(rejected_at).map(|at| at + UNTIL_PROBE))
            .filter(|t| *t > now && frame.kind != LimitKind::Balance);
        // With the stated reset the refusal is over, however lately it was said.
        let is_over = stored.is_none_or(|s| s.is_stale(now));
        let is_rejected = rejected_at.is_some() && !is_over && blocks_until.is_some();
        let closed = stored.and_then(|s| s.closed);
        let closed_until = closed.map(|c| c.until).filter(|t| *t > now);
        // A wall is behind us and nothing has shown yet that it is gone.
        let is_unproven =
            (closed.is_some() && closed_until.is_none()) || (rejected_at.is_some() && !is_rejected);
        let is_unsure = !is_slots && (limit.is_none() || used.is_none());
        Self {
            provider: provider.clone(),
            key: frame.key.clone(),
            name: frame.name(),
            kind: frame.kind,
            unit: frame.unit,
            limit,
            size: learned(frame).filter(|_| frame.limit.is_none()),
            used,
            share,
            reserved: load.expected(),
            load,
            in_flight,
            resets_at,
            blocks_until,
            closed_until,
            is_rejected,
            is_cautious: is_unproven || (is_unsure && !is_safely_open(frame, share, now)),
            falls: counted.falls,
            bucket,
            source: source(frame, level),
            observed_at: stored
                .filter(|s| level.is_some() || s.kind == LimitKind::Percent)
                .map(|s| s.observed_at),
            confidence: confidence(frame, used.is_some() || share.is_some(), level, now),
        }
    }

    /// Share that is left, 0 to 1, after what is promised; `None` when unknown. Slots are not
    /// fuel: a concurrency window has no share.
    pub(crate) fn ratio(&self) -> Option<f64> {
        if self.closed_until.is_some() || self.is_rejected {
            return Some(0.0);
        }
        if self.kind == LimitKind::Concurrency {
            return None;
        }
        let promised = match self.limit {
            Some(limit) if limit > 0 => self.reserved as f64 / limit as f64,
            Some(_) | None => 0.0,
        };
        self.share.map(|s| (1.0 - s - promised).clamp(0.0, 1.0))
    }

    /// Until when it lets nothing through, where it does so at all.
    pub(crate) fn blocked_until(&self) -> Option<Timestamp> {
        let used_up = self.is_rejected || self.share.is_some_and(|s| s >= 1.0);
        self.closed_until.max(self.frees(1).filter(|_| used_up))
    }

    /// When `excess` of what is used will be gone, if nothing else happens.
    pub(crate) fn frees(&self, excess: u64) -> Option<Timestamp> {
        match (self.kind, &self.bucket) {
            (LimitKind::Rolling, _) if !self.falls.is_empty() => fallen_by(&self.falls, excess),
            // Its provider may have said that it is full before that.
            (LimitKind::Refill, Some(bucket)) => {
                let at = bucket.refilled(excess)?;
                Some(self.resets_at.map_or(at, |full| full.min(at)))
            }
            (
                LimitKind::Refill
                | LimitKind::Anchored
                | LimitKind::Rolling
                | LimitKind::Calendar
                | LimitKind::Concurrency
                | LimitKind::Balance
                | LimitKind::Percent,
                _,
            ) => self.blocks_until,
        }
    }

    pub(crate) fn covers(&self, model: Option<&str>) -> bool {
        self.key.scope.covers(model)
    }
}

/// The whole of the window; of a percent window the tokens in it, set or learned.
fn size(frame: &Frame) -> Option<u64> {
    match frame.kind {
        LimitKind::Percent => frame.limit.or_else(|| Some(learned(frame)?.safe)),
        LimitKind::Refill
        | LimitKind::Anchored
        | LimitKind::Rolling
        | LimitKind::Calendar
        | LimitKind::Concurrency
        | LimitKind::Balance => frame.limit,
    }
}

fn learned(frame: &Frame) -> Option<Size> {
    frame.stored.as_ref()?.learned.as_ref()?.size()
}

/// The bucket of a refill window after every use since it was last known.
fn bucket(frame: &Frame, counted: &Counted, now: Timestamp) -> Option<Bucket> {
    let known = frame
        .bucket(now)
        .filter(|_| frame.kind == LimitKind::Refill)?;
    let uses = counted.uses.iter();
    let used = uses.fold(known, |bucket, (at, amount)| {
        bucket.at((*at).min(now)).taken(*amount)
    });
    Some(used.at(now))
}

/// Used amount and used share, as far as each is known; the share is left out where it follows
/// from the amount.
fn level_at(
    frame: &Frame,
    level: Option<Level>,
    limit: Option<u64>,
    counted: &Counted,
    now: Timestamp,
) -> (Option<u64>, Option<f64>) {
    let later = counted.used.of(frame.unit);
    if let Some(level) = level {
        return said(level, limit, later);
    }
    match (frame.count(now), frame.kind, limit) {
        (Count::Nothing, ..) => (None, None),
        // Full again since its reset; of a size that nobody knows only "untouched" is sure.
        (_, LimitKind::Percent, None) => (None, (later == 0).then_some(0.0)),
        // A bucket of unknown size or speed.
        (Count::Each { .. }, ..) => (None, None),
        (Count::Anchored { .. } | Count::Rolling { .. } | Count::Since { .. }, ..) => {
            (Some(later), None)
        }
    }
}

/// A level that was said, with what came on top since.
fn said(level: Level, limit: Option<u64>, later: u64) -> (Option<u64>, Option<f64>) {
    match (level.remaining, level.share, limit) {
        (Some(remaining), _, Some(limit)) => (
            Some(limit.saturating_sub(remaining).saturating_add(later)),
            None,
        ),
        (_, Some(share), Some(limit)) => {
            // Seven of a hundred are 0.07, which times a hundred is a little more than seven.
            let said = (share * limit as f64 - 1e-6).ceil() as u64;
            (Some(said.saturating_add(later)), None)
        }
        (_, Some(share), None) => (None, Some(share)),
        (Some(0), None, None) => (None, Some(1.0)),
        (Some(_) | None, None, _) => (None, None),
    }
}

/// The reset that was stated, or the end of the stretch that runs by the ledger.
fn reset(frame: &Frame, counted: &Counted, now: Timestamp) -> Option<Timestamp> {
    let stated = frame.stored.as_ref().and_then(|s| s.resets_at);
    let counted = match (frame.count(now), counted.start) {
        (Count::Anchored { length, .. }, Some(start)) => Some(start + length),
        _ if frame.kind == LimitKind::Calendar => frame.stretch(now).map(|(_, end)| end),
        (
            Count::Nothing
            | Count::Anchored { .. }
            | Count::Rolling { .. }
            | Count::Each { .. }
            | Count::Since { .. },
            _,
        ) => None,
    };
    stated.filter(|r| *r > now).or(counted.filter(|r| *r > now))
}

/// The provider has spoken of the running stretch, and it is not near its end.
fn is_safely_open(frame: &Frame, share: Option<f64>, now: Timestamp) -> bool {
    frame.stored.as_ref().is_some_and(|s| {
        s.source != "wall"
            && s.status != Some(WindowStatus::Warning)
            && !s.is_stale(now)
            && share.is_none_or(|s| s < NEAR_END)
    })
}

fn source(frame: &Frame, level: Option<Level>) -> String {
    let is_percent = frame.kind == LimitKind::Percent;
    match &frame.stored {
        Some(s) if level.is_some() || is_percent => s.source.clone(),
        None if frame.guess || is_percent => "default".into(),
        Some(_) | None => "ledger".into(),
    }
}

fn confidence(frame: &Frame, is_known: bool, level: Option<Level>, now: Timestamp) -> Confidence {
    let is_manual = |s: &Stored| s.source == "manual";
    match level {
        _ if !is_known => Confidence::None,
        Some(_) if frame.stored.as_ref().is_some_and(is_manual) => Confidence::Medium,
        Some(_) if frame.stored.as_ref().is_some_and(Stored::is_estimate) => Confidence::Low,
        Some(level) if now.since(level.at) <= Duration::from_mins(15) => Confidence::High,
        Some(_) => Confidence::Medium,
        None if frame.guess || frame.kind == LimitKind::Percent => Confidence::Low,
        None => Confidence::High,
    }
}
