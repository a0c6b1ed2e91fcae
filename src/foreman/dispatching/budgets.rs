//! The budgets that a bead stands under, with what counts against each.

use std::collections::BTreeMap;

use super::super::{Context, ForemanError};
use crate::config::BudgetSettings;
use crate::core::{BeadId, ConvoyId, LimitUnit, MicroUsd, ProviderName, Timestamp};
use crate::db::Conn;
use crate::depot::Ready;
use crate::policy::budget::Unit;
use crate::policy::{Budget, Need, Spent, Standing, standing};
use crate::refinery::Tank;
use crate::refinery::store::{self as refinery, Share, Spending, Sums};

/// A day, as far as a share of a window goes: a shorter window has several in one.
const DAY_SECS: u64 = 86_400;

/// Those that hold wherever it runs, and those of single providers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budgets {
    everywhere: Vec<Budget>,
    by_provider: BTreeMap<ProviderName, Vec<Budget>>,
    need: Need,
}

impl Budgets {
    pub(super) fn everywhere(&self) -> Standing {
        standing(&self.everywhere, self.need)
    }

    /// With those that hold everywhere.
    pub(super) fn all_at(&self, provider: &ProviderName) -> Standing {
        standing(self.everywhere.iter().chain(self.of(provider)), self.need)
    }

    /// Those of the provider alone.
    pub(super) fn at(&self, provider: &ProviderName) -> Standing {
        standing(self.of(provider), self.need)
    }

    fn of(&self, provider: &ProviderName) -> &[Budget] {
        self.by_provider.get(provider).map_or(&[], Vec::as_slice)
    }

    /// The same budgets for another bead.
    pub(super) fn about(&self, bead: &Ready) -> Self {
        Self {
            need: need(bead),
            ..self.clone()
        }
    }

    pub(super) fn need(&self) -> Need {
        self.need
    }
}

/// Reads what was spent, only where a budget asks for it.
pub(crate) async fn read(
    ctx: &Context,
    conn: &mut Conn,
    bead: &Ready,
    tanks: &[Tank],
    now: Timestamp,
) -> Result<Budgets, ForemanError> {
    let mut budgets = Budgets {
        need: need(bead),
        ..Budgets::default()
    };
    let settings = &ctx.settings.budget;
    let day = (
        settings.timezone.day_began(now),
        settings.timezone.day_ends(now),
    );
    if has_sums(ctx, bead) {
        let convoy = bead.convoy_id.as_ref();
        let spent = refinery::spending(conn, &bead.id, convoy, day.0).await?;
        everywhere(&mut budgets.everywhere, settings, bead, &spent, day.1);
        for (name, p) in ctx.providers.iter() {
            let at = spent.get(name).copied().unwrap_or_default();
            let of = budgets.by_provider.entry(name.clone()).or_default();
            let b = &p.entry.budget;
            let (what, raise) = (format!("the day's budget of {name}"), |key: &str| {
                format!("providers.{name}.budget.{key}")
            });
            let rows = [
                (Unit::Tokens, b.tokens_per_day, "tokens_per_day"),
                (Unit::MicroUsd, micro(b.usd_per_day), "usd_per_day"),
                (Unit::Runs, b.runs_per_day, "runs_per_day"),
            ];
            for (unit, limit, key) in rows {
                let limit = limit.map(|limit| (limit, raise(key)));
                push(of, &what, unit, limit, at.day, Some(day.1));
            }
        }
    }
    shares(ctx, conn, bead, tanks, now, &mut budgets).await?;
    Ok(budgets)
}

fn need(bead: &Ready) -> Need {
    let tokens = |n: i64| u64::try_from(n).unwrap_or(0);
    Need {
        p50: tokens(bead.estimated_tokens),
        p80: tokens(bead.estimate_p80),
        cost: None,
    }
}

fn micro(usd: Option<f64>) -> Option<u64> {
    usd.map(|usd| MicroUsd::from_usd(usd).0.max(0).unsigned_abs())
}

fn has_sums(ctx: &Context, bead: &Ready) -> bool {
    let b = &ctx.settings.budget;
    let of_settings = [b.tokens_per_day, b.tokens_per_bead, b.tokens_per_convoy]
        .into_iter()
        .chain([b.runs_per_day, b.runs_per_bead, b.runs_per_convoy])
        .any(|limit| limit.is_some())
        || b.dollars().iter().any(|(_, usd)| usd.is_some());
    let of_goal = bead.budget_tokens.is_some() || bead.budget_micro_usd.is_some();
    let of_providers = ctx.providers.values().any(|p| {
        let b = &p.entry.budget;
        b.tokens_per_day.is_some() || b.usd_per_day.is_some() || b.runs_per_day.is_some()
    });
    of_settings || of_goal || of_providers
}

fn everywhere(
    into: &mut Vec<Budget>,
    b: &BudgetSettings,
    bead: &Ready,
    spent: &BTreeMap<ProviderName, Spending>,
    day_ends: Timestamp,
) {
    let sum = |of: fn(&Spending) -> Sums| {
        spent.values().map(of).fold(Sums::default(), |a, s| Sums {
            tokens: a.tokens.saturating_add(s.tokens),
            cost: a.cost + s.cost,
            runs: a.runs + s.runs,
            set_aside: a.set_aside.saturating_add(s.set_aside),
            running: a.running + s.running,
        })
    };
    let own = |key: &str| format!("budget.{key}");
    let (day, convoy, of_bead) = (sum(|s| s.day), sum(|s| s.convoy), sum(|s| s.bead));
    let rows = [
        (
            "the day's budget",
            Unit::Tokens,
            b.tokens_per_day,
            day,
            "tokens_per_day",
        ),
        (
            "the day's budget",
            Unit::MicroUsd,
            micro(b.usd_per_day),
            day,
            "usd_per_day",
        ),
        (
            "the day's budget",
            Unit::Runs,
            b.runs_per_day,
            day,
            "runs_per_day",
        ),
        (
            "the budget per convoy",
            Unit::Tokens,
            b.tokens_per_convoy,
            convoy,
            "tokens_per_convoy",
        ),
        (
            "the budget per convoy",
            Unit::MicroUsd,
            micro(b.usd_per_convoy),
            convoy,
            "usd_per_convoy",
        ),
        (
            "the budget per convoy",
            Unit::Runs,
            b.runs_per_convoy,
            convoy,
            "runs_per_convoy",
        ),
        (
            "the budget per bead",
            Unit::Tokens,
            b.tokens_per_bead,
            of_bead,
            "tokens_per_bead",
        ),
        (
            "the budget per bead",
            Unit::MicroUsd,
            micro(b.usd_per_bead),
            of_bead,
            "usd_per_bead",
        ),
        (
            "the budget per bead",
            Unit::Runs,
            b.runs_per_bead,
            of_bead,
            "runs_per_bead",
        ),
    ];
    for (what, unit, limit, spent, key) in rows {
        let renews_at = (what == "the day's budget").then_some(day_ends);
        push(
            into,
            what,
            unit,
            limit.map(|limit| (limit, own(key))),
            spent,
            renews_at,
        );
    }
    let goal = |limit: Option<i64>, flag: &str| {
        let limit = limit.and_then(|n| u64::try_from(n).ok())?;
        Some((limit, format!("it with {flag} on `rigs goal resume`")))
    };
    let tokens = goal(bead.budget_tokens, "--budget-tokens");
    push(
        into,
        "the goal's budget",
        Unit::Tokens,
        tokens,
        convoy,
        None,
    );
    let money = goal(bead.budget_micro_usd, "--budget-usd");
    push(
        into,
        "the goal's budget",
        Unit::MicroUsd,
        money,
        convoy,
        None,
    );
}

fn push(
    into: &mut Vec<Budget>,
    what: &str,
    unit: Unit,
    limit: Option<(u64, String)>,
    sums: Sums,
    renews_at: Option<Timestamp>,
) {
    let Some((limit, raise)) = limit else {
        return;
    };
    into.push(Budget {
        what: what.to_owned(),
        unit,
        limit,
        spent: Spent {
            tokens: sums.tokens,
            cost: sums.cost,
            runs: sums.runs,
            set_aside: sums.set_aside,
            running: sums.running,
        },
        renews_at,
        raise,
    });
}

/// Shares of windows: each is a budget in tokens at its provider.
async fn shares(
    ctx: &Context,
    conn: &mut Conn,
    bead: &Ready,
    tanks: &[Tank],
    now: Timestamp,
    budgets: &mut Budgets,
) -> Result<(), ForemanError> {
    let b = &ctx.settings.budget;
    let midnight = b.timezone.day_began(now);
    for (name, p) in ctx.providers.iter() {
        let wanted: [(Option<f64>, &str, Option<Share<'_>>); 4] = [
            (
                b.window_share_per_bead,
                "the bead's",
                Some(of_bead(&bead.id)),
            ),
            (
                b.window_share_per_convoy,
                "the convoy's",
                of_convoy(bead.convoy_id.as_ref()),
            ),
            (b.window_share_per_day, "the day's", Some(Share::Everybody)),
            (p.entry.budget.window_share, "rigs'", Some(Share::Everybody)),
        ];
        let Some(tank) = tanks.iter().find(|t| t.provider == *name) else {
            continue;
        };
        for (share, whose, of) in wanted {
            let (Some(share), Some(of)) = (share, of) else {
                continue;
            };
            let is_day = whose == "the day's";
            for w in &tank.windows {
                let (Some(size), Some(length)) = (w.limit, w.key.duration) else {
                    continue;
                };
                let counts = matches!(w.unit, LimitUnit::Tokens | LimitUnit::Percent);
                if !counts || (is_day && length.as_secs() < DAY_SECS) {
                    continue;
                }
                let (since, renews_at, key) = match (is_day, whose) {
                    (true, _) => (
                        midnight,
                        Some(b.timezone.day_ends(now)),
                        "budget.window_share_per_day",
                    ),
                    (false, "the bead's") => (
                        now.minus(length),
                        w.resets_at,
                        "budget.window_share_per_bead",
                    ),
                    (false, "the convoy's") => (
                        now.minus(length),
                        w.resets_at,
                        "budget.window_share_per_convoy",
                    ),
                    (false, _) => (now.minus(length), w.resets_at, "window_share of its budget"),
                };
                let sums = refinery::used_at(conn, name, of, since).await?;
                let limit = (size as f64 * share.clamp(0.0, 1.0)) as u64;
                let what = format!(
                    "{whose} share of {name} {} ({}%)",
                    w.name,
                    (share * 100.0).round()
                );
                let into = budgets.by_provider.entry(name.clone()).or_default();
                push(
                    into,
                    &what,
                    Unit::Tokens,
                    Some((limit, key.to_owned())),
                    sums,
                    renews_at,
                );
            }
        }
    }
    Ok(())
}

fn of_bead(id: &BeadId) -> Share<'_> {
    Share::Bead(id)
}

fn of_convoy(id: Option<&ConvoyId>) -> Option<Share<'_>> {
    id.map(Share::Convoy)
}
