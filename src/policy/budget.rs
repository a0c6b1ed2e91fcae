//! Budgets: what was used and is set aside against what may be. Reaching one stops dispatch;
//! what runs goes on to its end, or to its own envelope.
//!
//! A bead is started when the p80 of its estimate fits into what is left. Where nothing else
//! runs under the budget its p50 is enough: one run may end above a budget, several must not.

use crate::core::text::thousands;
use crate::core::words::word_enum;
use crate::core::{MicroUsd, Timestamp};

word_enum! {
    /// What a budget counts.
    pub(crate) enum Unit as "unit of a budget" {
        Tokens = "tokens",
        MicroUsd = "micro_usd",
        Runs = "runs",
    }
}

/// One budget with what counts against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Budget {
    /// For example `the day's budget`.
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) limit: u64,
    pub(crate) spent: Spent,
    /// When it begins anew, if time does that.
    pub(crate) renews_at: Option<Timestamp>,
    /// How to raise it.
    pub(crate) raise: String,
}

/// What was used, and what is promised to runs that go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) tokens: u64,
    pub(crate) cost: MicroUsd,
    pub(crate) runs: u64,
    /// Not yet used of what runs have set aside.
    pub(crate) set_aside: u64,
    /// Runs that go on.
    pub(crate) running: u64,
}

/// What a run is expected to need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) p50: u64,
    pub(crate) p80: u64,
    /// `None` where nobody knows the price.
    pub(crate) cost: Option<MicroUsd>,
}

/// A budget that lets nothing more start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) reason: String,
    /// When time lifts it; `None`: a person has to.
    pub(crate) until: Option<Timestamp>,
}

/// How the budgets stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    /// Share left of the tightest, 0 to 1.
    pub(crate) left: f64,
    pub(crate) renews_at: Option<Timestamp>,
    pub(crate) reached: Option<Reached>,
}

impl Budget {
    fn used(&self) -> u64 {
        match self.unit {
            Unit::Tokens => self.spent.tokens.saturating_add(self.spent.set_aside),
            Unit::MicroUsd => self.spent.cost.0.max(0).unsigned_abs(),
            Unit::Runs => self.spent.runs,
        }
    }

    fn ask(&self, need: Need) -> u64 {
        match self.unit {
            Unit::Tokens if self.spent.running == 0 => need.p50,
            Unit::Tokens => need.p80,
            // Where the price is not known it stops once it is used up.
            Unit::MicroUsd => need.cost.map_or(1, |cost| cost.0.max(1).unsigned_abs()),
            Unit::Runs => 1,
        }
    }

    fn left(&self) -> f64 {
        if self.limit == 0 {
            return 0.0;
        }
        (1.0 - self.used() as f64 / self.limit as f64).clamp(0.0, 1.0)
    }

    fn show(&self, amount: u64) -> String {
        match self.unit {
            Unit::Tokens => format!("{} tokens", thousands(amount)),
            Unit::MicroUsd => MicroUsd(i64::try_from(amount).unwrap_or(i64::MAX)).to_string(),
            Unit::Runs => crate::core::text::count(amount as usize, "run", "runs"),
        }
    }

    fn reached(&self, need: Need) -> Option<Reached> {
        let (used, ask) = (self.used(), self.ask(need));
        let wanted = used.saturating_add(ask);
        if wanted <= self.limit {
            return None;
        }
        // What is larger than the whole of it does not fit tomorrow either.
        let until = self.renews_at.filter(|_| ask <= self.limit);
        let needs = match self.unit {
            Unit::Tokens => format!(", this one needs about {}", self.show(ask)),
            Unit::MicroUsd if ask > 1 => format!(", this one needs about {}", self.show(ask)),
            Unit::MicroUsd | Unit::Runs => String::new(),
        };
        let smaller = match self.unit {
            Unit::Tokens if until.is_none() => {
                ", or tell what the bead really needs with `rigs bead create --estimate N`"
            }
            Unit::Tokens | Unit::MicroUsd | Unit::Runs => "",
        };
        let enough = match self.unit {
            Unit::MicroUsd if ask <= 1 => String::new(),
            Unit::Tokens | Unit::MicroUsd | Unit::Runs => {
                format!(" to {} or more", self.show(wanted))
            }
        };
        Some(Reached {
            reason: format!(
                "{} of {} is reached: {} used or set aside{needs}; raise {}{enough}{smaller}",
                self.what,
                self.show(self.limit),
                self.show(used),
                self.raise,
            ),
            until,
        })
    }
}

/// All budgets together: the one that only a person lifts comes first, then the one that lasts
/// longest.
pub(crate) fn standing<'a>(budgets: impl IntoIterator<Item = &'a Budget>, need: Need) -> Standing {
    let mut standing = Standing {
        left: 1.0,
        renews_at: None,
        reached: None,
    };
    for budget in budgets {
        if budget.left() < standing.left {
            standing.left = budget.left();
            standing.renews_at = budget.renews_at;
        }
        let Some(reached) = budget.reached(need) else {
            continue;
        };
        let is_worse = standing.reached.as_ref().is_none_or(|there| {
            there
                .until
                .is_some_and(|there| reached.until.is_none_or(|until| until > there))
        });
        if is_worse {
            standing.reached = Some(reached);
        }
    }
    standing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tomorrow() -> Timestamp {
        Timestamp::from_secs(86_400)
    }

    fn day(limit: u64, tokens: u64, running: u64) -> Budget {
        Budget {
            what: "the day's budget".into(),
            unit: Unit::Tokens,
            limit,
            spent: Spent {
                tokens,
                running,
                ..Spent::default()
            },
            renews_at: Some(tomorrow()),
            raise: "budget.tokens_per_day".into(),
        }
    }

    const NEED: Need = Need {
        p50: 400,
        p80: 700,
        cost: None,
    };

    /// What lifts the budget that is reached.
    #[derive(Debug, PartialEq)]
    enum Lifts {
        Nothing,
        Time(Timestamp),
        Person,
    }

    fn until(budgets: &[Budget]) -> Lifts {
        match standing(budgets, NEED).reached.map(|r| r.until) {
            None => Lifts::Nothing,
            Some(Some(until)) => Lifts::Time(until),
            Some(None) => Lifts::Person,
        }
    }

    #[test]
    fn the_p80_must_fit_beside_others_and_the_p50_alone() {
        assert_eq!(until(&[day(1000, 600, 0)]), Lifts::Nothing);
        assert_eq!(until(&[day(1000, 601, 0)]), Lifts::Time(tomorrow()));
        assert_eq!(until(&[day(1000, 300, 1)]), Lifts::Nothing);
        assert_eq!(until(&[day(1000, 301, 1)]), Lifts::Time(tomorrow()));
    }

    #[test]
    fn what_tomorrow_does_not_fit_either_says_what_would_do() {
        let reached = standing(&[day(300, 0, 0)], NEED).reached.unwrap();
        assert_eq!(
            reached,
            Reached {
                reason: "the day's budget of 300 tokens is reached: 0 tokens used or set aside, this one needs about 400 tokens; raise budget.tokens_per_day to 400 tokens or more, or tell what the bead really needs with `rigs bead create --estimate N`".into(),
                until: None,
            }
        );
    }

    #[test]
    fn money_and_runs_stop_when_they_are_used_up() {
        let money = |cost| Budget {
            unit: Unit::MicroUsd,
            limit: 2_000_000,
            spent: Spent {
                cost: MicroUsd(cost),
                ..Spent::default()
            },
            ..day(0, 0, 0)
        };
        assert_eq!(until(&[money(1_999_999)]), Lifts::Nothing);
        assert_eq!(until(&[money(2_000_000)]), Lifts::Time(tomorrow()));
        let dear = Need {
            cost: Some(MicroUsd(500_000)),
            ..NEED
        };
        assert!(standing(&[money(1_600_000)], dear).reached.is_some());
        let runs = |runs| Budget {
            unit: Unit::Runs,
            limit: 3,
            spent: Spent {
                runs,
                ..Spent::default()
            },
            ..day(0, 0, 0)
        };
        assert_eq!(until(&[runs(2)]), Lifts::Nothing);
        assert_eq!(until(&[runs(3)]), Lifts::Time(tomorrow()));
    }

    #[test]
    fn the_tightest_counts_and_what_a_person_must_lift_comes_first() {
        let goal = Budget {
            what: "the goal's budget".into(),
            renews_at: None,
            ..day(1000, 900, 0)
        };
        let both = [day(1000, 990, 0), goal];
        assert_eq!(until(&both), Lifts::Person);
        let s = standing(&both, NEED);
        assert!((s.left - 0.01).abs() < 1e-9);
        assert_eq!(s.renews_at, Some(tomorrow()));
        assert_eq!(standing([], NEED).left, 1.0);
    }
}
