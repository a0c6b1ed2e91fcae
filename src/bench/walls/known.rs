//! What rigs knows of one provider: a ledger and reservations in memory, and what the provider
//! said. Everything that follows from these is decided by `refinery`.

use std::time::Duration;

use super::truth::Plan;
use crate::config::{LimitKind, LimitUnit, ProviderSettings, WindowLimit};
use crate::core::time::Span;
use crate::core::{Length, ProviderName, Timestamp};
use crate::provider::{Observation, WindowStatus};
use crate::refinery::frame::{Amounts, Count, Counted, Frame, Open};
use crate::refinery::quota::Fall;
use crate::refinery::stored::{Evidence, Key, Stored, apply};
use crate::refinery::tank::{TankSettings, counts, frames};
use crate::refinery::{Ask, Tank};

/// After a wall, beyond the stated reset.
const JITTER: Duration = Duration::from_secs(10);

struct Settled {
    began_at: Timestamp,
    at: Timestamp,
    used: Amounts,
}

pub(in crate::bench) struct Known {
    provider: ProviderName,
    settings: TankSettings,
    rows: Vec<Stored>,
    ledger: Vec<Settled>,
    under_way: Vec<(usize, Open)>,
    /// Every time at which a run began or was settled, in order.
    uses: Vec<Timestamp>,
}

impl Known {
    pub(in crate::bench) fn new(plan: &Plan, parallel: u32, rpm: u64) -> Self {
        let hours = |h| Span(Duration::from_hours(h));
        let limit = |kind, window, unit, amount| WindowLimit {
            window: Some(Length::For(window)),
            kind,
            unit,
            amount: Some(amount),
            burst: None,
            zone: None,
            model: None,
        };
        let minute = Span(Duration::from_mins(1));
        let entry = ProviderSettings {
            limits: vec![
                limit(plan.kind, hours(5), LimitUnit::Tokens, plan.short),
                limit(plan.kind, hours(7 * 24), LimitUnit::Tokens, plan.week),
                limit(LimitKind::Rolling, minute, LimitUnit::Requests, rpm),
            ],
            max_parallel: parallel,
            ..ProviderSettings::default()
        };
        let provider: ProviderName = plan.name.parse().expect("invariant: a fixed name");
        Self {
            settings: TankSettings::of(&provider, &entry),
            provider,
            rows: Vec::new(),
            ledger: Vec::new(),
            under_way: Vec::new(),
            uses: Vec::new(),
        }
    }

    pub(in crate::bench) fn tank(&self, now: Timestamp) -> Tank {
        let frames = frames(&self.settings, &self.rows, now);
        let counted = frames
            .iter()
            .zip(counts(&frames, now))
            .map(|(frame, count)| self.counted(frame, &count, now))
            .collect();
        let open: Vec<Open> = self
            .under_way
            .iter()
            .map(|(_, open)| open.clone())
            .collect();
        Tank::at(&self.settings, &frames, counted, &open, Vec::new(), now)
    }

    /// As the sums of the store answer it.
    fn counted(&self, frame: &Frame, count: &Count, now: Timestamp) -> Counted {
        let since = |from: Timestamp| {
            let first = self.ledger.partition_point(|row| row.at < from);
            &self.ledger[first..]
        };
        let mut counted = Counted::default();
        match count {
            // None of these is a bucket.
            Count::Nothing | Count::Each { .. } => {}
            Count::Since { from, began_after } => {
                let late = |row: &&Settled| began_after.is_none_or(|after| row.began_at > after);
                counted.used = sum(since(*from).iter().filter(late).map(|row| row.used));
            }
            Count::Anchored { length, from } => {
                counted.start = self.stretch(*length, *from).filter(|s| *s + *length > now);
                if let Some(start) = counted.start {
                    counted.used = sum(since(start).iter().map(|row| row.used));
                }
            }
            Count::Rolling { length, from } => {
                let begin = now.minus(*length) + Duration::from_millis(1);
                for row in since(from.map_or(begin, |from| from.max(begin))) {
                    counted.used = sum([counted.used, row.used].into_iter());
                    counted.falls.push(Fall {
                        at: row.at + *length,
                        amount: row.used.of(frame.unit),
                    });
                }
            }
        }
        counted
    }

    /// Where the newest stretch of an anchored window began.
    fn stretch(&self, length: Duration, from: Option<Timestamp>) -> Option<Timestamp> {
        let mut at = from.map_or(0, |from| self.uses.partition_point(|u| *u < from));
        let mut start = None;
        while let Some(use_at) = self.uses.get(at) {
            start = Some(*use_at);
            at = self.uses.partition_point(|u| *u < *use_at + length);
        }
        start
    }

    pub(in crate::bench) fn reserve(&mut self, run: usize, ask: &Ask, now: Timestamp) {
        let open = Open {
            provider: self.provider.clone(),
            model: None,
            created_at: now,
            run: ask.run(),
        };
        self.under_way.push((run, open));
        self.uses.push(now);
    }

    /// The run is over, well or not, and its use is known.
    pub(in crate::bench) fn settle(
        &mut self,
        run: usize,
        tokens: u64,
        requests: u64,
        now: Timestamp,
    ) {
        let at = self.under_way.iter().position(|(id, _)| *id == run);
        let (_, open) = self
            .under_way
            .swap_remove(at.expect("invariant: a run under way has its reservation"));
        self.ledger.push(Settled {
            began_at: open.created_at,
            at: now,
            used: Amounts::expected(tokens, requests, 0),
        });
        self.uses.push(now);
    }

    /// A run went well: walls from before it are gone.
    pub(in crate::bench) fn went_well(&mut self, began_at: Timestamp, now: Timestamp) {
        let proven = |row: &&Stored| {
            row.closed
                .is_some_and(|c| c.at < began_at && c.until <= now)
        };
        let opened: Vec<Key> = self
            .rows
            .iter()
            .filter(proven)
            .map(|r| r.key.clone())
            .collect();
        for window in opened {
            self.take_in(&Evidence::Opened {
                window,
                at: now,
                forget: false,
            });
        }
    }

    /// The provider's answer told when its window of this length ends.
    pub(in crate::bench) fn heard(&mut self, length: Duration, end: Timestamp, now: Timestamp) {
        let key = self.key(length);
        let known = self.rows.iter().find(|row| row.key == key);
        if known.is_some_and(|row| row.resets_at == Some(end)) {
            return;
        }
        self.take_in(&Evidence::Observed {
            observation: Observation {
                duration: Some(length),
                status: Some(WindowStatus::Allowed),
                resets_at: Some(end),
                ..Observation::new(&key.limit_id, "event", now)
            },
            began_at: now,
            taken_at: now,
        });
    }

    /// A request was refused.
    pub(in crate::bench) fn wall(
        &mut self,
        length: Duration,
        resets_at: Timestamp,
        now: Timestamp,
    ) {
        self.take_in(&Evidence::Closed {
            window: self.key(length),
            at: now,
            until: resets_at + JITTER,
            resets_at: Some(resets_at),
            rule: "limit".into(),
        });
    }

    fn key(&self, length: Duration) -> Key {
        let limit = self.settings.limits.iter().map(|frame| &frame.key);
        let found = limit.clone().find(|key| key.duration == Some(length));
        found.expect("invariant: every limit is configured").clone()
    }

    fn take_in(&mut self, evidence: &Evidence) {
        let key = evidence.key();
        let at = self.rows.iter().position(|row| row.key == key);
        let before = at.map(|at| self.rows.swap_remove(at));
        self.rows.extend(apply(before, &self.provider, evidence, 0));
    }
}

fn sum(parts: impl Iterator<Item = Amounts>) -> Amounts {
    let (tokens, requests) = parts.fold((0, 0), |(tokens, requests), part| {
        (tokens + part.tokens, requests + part.requests)
    });
    Amounts::expected(tokens, requests, 0)
}
