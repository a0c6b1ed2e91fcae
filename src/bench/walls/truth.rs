//! The providers as they are: they count every request and refuse the one that does not fit.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Knobs, demand};
use crate::config::LimitKind;
use crate::core::Timestamp;

const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);

/// What one provider sells.
pub(in crate::bench) struct Plan {
    pub(in crate::bench) name: &'static str,
    pub(in crate::bench) kind: LimitKind,
    /// Tokens in 5 h and in a week.
    pub(in crate::bench) short: u64,
    pub(in crate::bench) week: u64,
    /// Its answers tell when its windows end.
    pub(in crate::bench) tells: bool,
}

/// Two subscriptions whose windows begin with a use, and an account with rolling sums; their
/// weekly windows are in turn scarcer than, about as scarce as, and wider than their 5 h windows.
pub(in crate::bench) fn plans(knobs: &Knobs) -> [Plan; 3] {
    let plan = |name, kind, size: f64, weeks: f64, tells| {
        let short = knobs.runs
            * size
            * demand::mean(&Knobs {
                sigma: 0.5,
                ..knobs.clone()
            });
        Plan {
            name,
            kind,
            short: short as u64,
            week: (short * knobs.weekly * weeks) as u64,
            tells,
        }
    };
    [
        plan("claude", LimitKind::Anchored, 1.0, 1.0, true),
        plan("codex", LimitKind::Anchored, 0.7, 2.0, true),
        plan("api", LimitKind::Rolling, 1.4, 3.0, false),
    ]
}

/// Tokens a day that all of them together can give, about.
pub(in crate::bench) fn daily_capacity(knobs: &Knobs) -> f64 {
    let of = |p: &Plan| (p.short as f64 * 24.0 / 5.0).min(p.week as f64 / 7.0);
    plans(knobs).iter().map(of).sum()
}

#[derive(Clone)]
pub(in crate::bench) struct Limit {
    pub(in crate::bench) kind: LimitKind,
    pub(in crate::bench) length: Duration,
    pub(in crate::bench) amount: u64,
    counts_requests: bool,
    pub(in crate::bench) used: u64,
    /// Of an anchored window.
    pub(in crate::bench) start: Option<Timestamp>,
    /// Of a rolling one.
    pub(in crate::bench) uses: VecDeque<(Timestamp, u64)>,
}

impl Limit {
    pub(in crate::bench) fn cost(&self, tokens: u64) -> u64 {
        if self.counts_requests { 1 } else { tokens }
    }

    fn advance(&mut self, now: Timestamp) {
        if self.start.is_some_and(|start| start + self.length <= now) {
            (self.start, self.used) = (None, 0);
        }
        while let Some((_, amount)) = self.uses.pop_front_if(|(at, _)| *at + self.length <= now) {
            self.used -= amount;
        }
    }

    fn take(&mut self, tokens: u64, now: Timestamp) {
        let amount = self.cost(tokens);
        self.used += amount;
        if self.kind == LimitKind::Rolling {
            self.uses.push_back((now, amount));
        } else if self.start.is_none() {
            self.start = Some(now);
        }
    }

    /// When a request of these tokens will fit.
    fn frees(&self, tokens: u64) -> Option<Timestamp> {
        if let Some(start) = self.start {
            return Some(start + self.length);
        }
        let mut excess = (self.used + self.cost(tokens)).saturating_sub(self.amount);
        let freeing = self.uses.iter().find(|(_, amount)| {
            excess = excess.saturating_sub(*amount);
            excess == 0
        });
        freeing.map(|(at, _)| *at + self.length)
    }
}

pub(in crate::bench) enum Answer {
    /// With the ends of the anchored windows, where they are told.
    Served(Vec<Timestamp>),
    /// The window that refuses, and when it will not any more.
    Refused(usize, Timestamp),
}

#[derive(Clone)]
pub(in crate::bench) struct Provider {
    pub(in crate::bench) limits: [Limit; 3],
    tells: bool,
    /// Refuses everything until then.
    closed_until: Option<Timestamp>,
    /// Requests that came although it had refused one.
    pub(in crate::bench) second_requests: u64,
    pub(in crate::bench) tokens: u64,
}

impl Provider {
    pub(in crate::bench) fn new(plan: &Plan, rpm: u64) -> Self {
        let limit = |kind, length, amount, counts_requests| Limit {
            kind,
            length,
            amount,
            counts_requests,
            used: 0,
            start: None,
            uses: VecDeque::new(),
        };
        Self {
            limits: [
                limit(plan.kind, 5 * HOUR, plan.short, false),
                limit(plan.kind, WEEK, plan.week, false),
                limit(LimitKind::Rolling, Duration::from_mins(1), rpm, true),
            ],
            tells: plan.tells,
            closed_until: None,
            second_requests: 0,
            tokens: 0,
        }
    }

    /// Forgets what is over at `now`.
    pub(in crate::bench) fn advance(&mut self, now: Timestamp) {
        for limit in &mut self.limits {
            limit.advance(now);
        }
    }

    pub(in crate::bench) fn request(&mut self, tokens: u64, now: Timestamp) -> Answer {
        if self.closed_until.is_some_and(|until| now < until) {
            self.second_requests += 1;
        }
        self.advance(now);
        let refuses = |l: &Limit| l.used + l.cost(tokens) > l.amount;
        // The one that lasts longest is named.
        let wall = (0..self.limits.len())
            .filter(|i| refuses(&self.limits[*i]))
            .filter_map(|i| Some((self.limits[i].frees(tokens)?, i)))
            .max();
        if let Some((until, i)) = wall {
            self.closed_until = Some(until);
            return Answer::Refused(i, until);
        }
        for limit in &mut self.limits {
            limit.take(tokens, now);
        }
        self.tokens += tokens;
        let ends = self.limits.iter().filter(|_| self.tells);
        Answer::Served(ends.filter_map(|l| Some(l.start? + l.length)).collect())
    }
}
