//! Windows by their plain definitions: a list of what happened, and what follows from it, found
//! by looking at all of it each time. The tests hold the real ones against this; nothing of
//! theirs is used here.

pub(crate) mod steps;

use chrono::{NaiveDate, TimeZone};

use crate::config::LimitKind;

/// A settled use. Times are in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Charge {
    pub(crate) at: i64,
    pub(crate) began: i64,
    pub(crate) amount: u64,
    /// The day on which it was, where the window is.
    day: NaiveDate,
}

/// A run under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) began: i64,
    pub(crate) amount: u64,
}

/// What the provider last said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) at: i64,
    pub(crate) left: u64,
    pub(crate) resets_at: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Brute {
    pub(crate) kind: LimitKind,
    pub(crate) limit: u64,
    pub(crate) length: i64,
    pub(crate) burst: u64,
    pub(crate) zone: chrono_tz::Tz,
    pub(crate) charges: Vec<Charge>,
    pub(crate) runs: Vec<Run>,
    /// When runs that were not released began; they open an anchored window.
    pub(crate) begun: Vec<i64>,
    pub(crate) said: Option<Said>,
}

impl Brute {
    fn said_now(&self, now: i64) -> Option<Said> {
        let lasts = |s: &Said| self.kind == LimitKind::Balance || now < s.resets_at;
        self.said.filter(lasts)
    }

    /// What the provider's last reset that is over forbids to count.
    fn last_reset(&self, now: i64) -> i64 {
        match self.said {
            Some(said) if said.resets_at <= now => said.resets_at,
            Some(_) | None => i64::MIN,
        }
    }

    fn day(&self, ms: i64) -> NaiveDate {
        self.zone.timestamp_millis_opt(ms).unwrap().date_naive()
    }

    /// A run that began then is settled.
    pub(crate) fn charge(&mut self, at: i64, began: i64, amount: u64) {
        let day = self.day(at);
        self.charges.push(Charge {
            at,
            began,
            amount,
            day,
        });
    }

    fn sum(&self, counts: impl Fn(&Charge) -> bool) -> u64 {
        self.charges
            .iter()
            .filter(|c| counts(c))
            .map(|c| c.amount)
            .sum()
    }

    /// The most that it holds.
    pub(crate) fn capacity(&self) -> u64 {
        match self.kind {
            LimitKind::Refill => self.burst,
            LimitKind::Anchored
            | LimitKind::Rolling
            | LimitKind::Calendar
            | LimitKind::Concurrency
            | LimitKind::Balance
            | LimitKind::Percent => self.limit,
        }
    }

    /// What is used at `now`, if nothing happens until then; `None`: nobody can know.
    pub(crate) fn used(&self, now: i64) -> Option<u64> {
        if self.kind == LimitKind::Concurrency {
            return Some(self.runs.len() as u64);
        }
        if self.kind == LimitKind::Refill {
            return Some(self.drop_by_drop(now));
        }
        if let Some(said) = self.said_now(now) {
            let later = self.sum(|c| c.at >= said.at && c.began > said.at);
            return Some(self.limit - said.left + later);
        }
        let reset = self.last_reset(now);
        Some(match self.kind {
            LimitKind::Rolling => {
                self.sum(|c| c.at > now - self.length && c.at <= now && c.at >= reset)
            }
            LimitKind::Calendar => {
                let today = self.day(now);
                self.sum(|c| c.day == today && c.at >= reset)
            }
            LimitKind::Balance => self.sum(|_| true),
            LimitKind::Percent if self.said.is_none() => return None,
            LimitKind::Anchored | LimitKind::Percent => match self.stop_watch(now) {
                Some(start) => self.sum(|c| c.at >= start && c.at < start + self.length),
                None => 0,
            },
            LimitKind::Refill | LimitKind::Concurrency => return None,
        })
    }

    /// When the stretch began that runs at `now`: every use is looked at in order, and the watch
    /// starts with the first that finds it stopped.
    fn stop_watch(&self, now: i64) -> Option<i64> {
        let mut uses: Vec<i64> = self.charges.iter().map(|c| c.at).collect();
        uses.extend(&self.begun);
        uses.retain(|at| *at >= self.last_reset(now) && *at <= now);
        uses.sort_unstable();
        let mut started: Option<i64> = None;
        for at in uses {
            if started.is_none_or(|start| at >= start + self.length) {
                started = Some(at);
            }
        }
        started.filter(|start| now < start + self.length)
    }

    /// Fills the bucket one millisecond after another.
    fn drop_by_drop(&self, now: i64) -> u64 {
        let whole = self.burst * self.length as u64;
        let first = self.charges.iter().map(|c| c.at).min().unwrap_or(now);
        let (mut level, mut t, mut counts_after) = (whole, first, i64::MIN);
        if let Some(said) = self.said {
            if said.resets_at <= now {
                t = said.resets_at;
            } else {
                (t, counts_after) = (said.at, said.at);
                level = whole - ((self.limit - said.left) * self.length as u64).min(whole);
            }
        }
        let mut counted: Vec<&Charge> = self
            .charges
            .iter()
            .filter(|c| c.at >= t && c.began > counts_after)
            .collect();
        counted.sort_by_key(|c| c.at);
        let mut next = counted.into_iter().peekable();
        loop {
            while let Some(charge) = next.next_if(|c| c.at == t) {
                level = level.saturating_sub(charge.amount * self.length as u64);
            }
            if t >= now {
                return (whole - level).div_ceil(self.length as u64);
            }
            t += 1;
            level = (level + self.limit).min(whole);
        }
    }

    /// What is promised beyond what is used.
    pub(crate) fn reserved(&self, now: i64) -> u64 {
        if self.kind == LimitKind::Concurrency {
            return 0;
        }
        let since = self.said_now(now).map_or(i64::MIN, |said| said.at);
        let open = self.runs.iter().filter(|r| r.began > since);
        open.map(|r| r.amount).sum()
    }

    /// Whether a run that needs `amount` may begin at `now`.
    pub(crate) fn has_room(&self, amount: u64, now: i64) -> bool {
        let amount = if self.kind == LimitKind::Concurrency {
            1
        } else {
            amount.max(1)
        };
        match self.used(now) {
            Some(used) => used + self.reserved(now) + amount <= self.capacity(),
            // Where nothing is known, one at a time.
            None => self.runs.is_empty(),
        }
    }
}
