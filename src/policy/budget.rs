//! Budgets: what was used and is set aside against what may be; reaching one stops dispatch,
//! what runs goes on to its end.

use crate::config::BudgetSettings;
use crate::core::MicroUsd;
use crate::core::text::thousands;

/// What was used and set aside so far, and what is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spending {
    pub(crate) today_tokens: u64,
    pub(crate) today_cost: MicroUsd,
    pub(crate) convoy_tokens: u64,
    pub(crate) convoy_cost: MicroUsd,
    pub(crate) bead_tokens: u64,
    /// The p80 of the run that is asked for.
    pub(crate) ask_tokens: u64,
}

/// The convoy's own budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ConvoyBudget {
    pub(crate) tokens: Option<u64>,
    pub(crate) cost: Option<MicroUsd>,
}

/// `Err` names the budget that is reached and the way to raise it.
pub(crate) fn within_budget(
    settings: &BudgetSettings,
    convoy: ConvoyBudget,
    spent: Spending,
) -> Result<(), String> {
    let tokens = |name: &str, used: u64, limit: Option<u64>, way_out: &str| match limit {
        Some(limit) if used.saturating_add(spent.ask_tokens) > limit => Err(format!(
            "{name} of {} tokens is reached: {} used or set aside, {} more asked for ({way_out})",
            thousands(limit),
            thousands(used),
            thousands(spent.ask_tokens)
        )),
        _ => Ok(()),
    };
    let money = |name: &str, used: MicroUsd, limit: Option<MicroUsd>, way_out: &str| match limit {
        Some(limit) if used >= limit => Err(format!(
            "{name} of {limit} is reached: {used} used ({way_out})"
        )),
        _ => Ok(()),
    };
    let goal = "raise it with --budget-tokens or --budget-usd on `rigs goal resume`";
    tokens(
        "the day's budget",
        spent.today_tokens,
        settings.tokens_per_day,
        "budget.tokens_per_day",
    )?;
    money(
        "the day's budget",
        spent.today_cost,
        settings.micro_usd_per_day(),
        "budget.usd_per_day",
    )?;
    tokens(
        "the budget per convoy",
        spent.convoy_tokens,
        settings.tokens_per_convoy,
        "budget.tokens_per_convoy",
    )?;
    tokens(
        "the goal's budget",
        spent.convoy_tokens,
        convoy.tokens,
        goal,
    )?;
    money("the goal's budget", spent.convoy_cost, convoy.cost, goal)?;
    tokens(
        "the budget per bead",
        spent.bead_tokens,
        settings.tokens_per_bead,
        "budget.tokens_per_bead",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_budget_that_is_reached_is_named() {
        let settings = BudgetSettings {
            tokens_per_day: Some(1000),
            usd_per_day: Some(2.0),
            ..Default::default()
        };
        let convoy = ConvoyBudget {
            tokens: Some(500),
            cost: None,
        };
        let verdict = |spent| within_budget(&settings, convoy, spent);
        assert_eq!(
            verdict(Spending {
                ask_tokens: 500,
                ..Default::default()
            }),
            Ok(())
        );
        let over = verdict(Spending {
            convoy_tokens: 100,
            ask_tokens: 401,
            ..Default::default()
        });
        assert!(
            over.unwrap_err()
                .starts_with("the goal's budget of 500 tokens")
        );
        let over = verdict(Spending {
            today_cost: MicroUsd(2_000_000),
            ..Default::default()
        });
        assert!(over.unwrap_err().starts_with("the day's budget of $2.00"));
        let over = verdict(Spending {
            today_tokens: 600,
            ask_tokens: 401,
            ..Default::default()
        });
        assert!(over.unwrap_err().contains("budget.tokens_per_day"));
    }
}
