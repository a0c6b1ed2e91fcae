//! `rigs cost`

use std::time::Duration;

use super::page::{BOLD, DIM, Page, Table, cell};
use super::when::{When, clock};
use super::{App, Ended, Exit, input};
use crate::core::Timestamp;
use crate::core::text::{count, thousands};
use crate::db::Mode;
use crate::refinery::store::By;
use crate::view;
use crate::view::cost::{Cost, Sum};

/// Show what was used and what it cost
///
/// Costs are what providers report, or follow from their prices. A subscription has no price per
/// run: such runs are counted, not guessed at.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs cost
  rigs cost --by day --since 7d
  rigs cost --by convoy --json | jq '.rows[] | {name, cost: .usage.cost_micro_usd}'")]
pub(crate) struct Args {
    /// Sum by
    #[arg(long, value_name = "WHAT", default_value = "provider",
          value_parser = input::word::<By>(By::WORDS))]
    by: By,
    /// From when on: a span such as 7d, or RFC 3339; default: 30 days
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
}

/// How far back without `--since`.
const DEFAULT: Duration = Duration::from_hours(30 * 24);

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let now = app.now();
    let since = args
        .since
        .map_or_else(|| now.minus(DEFAULT), |since| since.back(now));
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let cost = view::cost::cost(&mut conn, args.by, since).await?;
    app.out.answer(&cost, |page| text(page, &cost, now))?;
    Ok(Exit::Done)
}

fn text(page: &mut Page, cost: &Cost, now: Timestamp) {
    let since = clock(cost.since, now);
    if cost.rows.is_empty() {
        page.line(format!("Nothing was used since {since}."));
        return;
    }
    let mut table = Table::new(
        match cost.by {
            By::Provider => &[
                "PROVIDER", "RUNS", "REQUESTS", "INPUT", "OUTPUT", "CACHED", "COST",
            ],
            By::Day => &[
                "DAY (UTC)",
                "RUNS",
                "REQUESTS",
                "INPUT",
                "OUTPUT",
                "CACHED",
                "COST",
            ],
            By::Convoy => &[
                "CONVOY", "RUNS", "REQUESTS", "INPUT", "OUTPUT", "CACHED", "COST", "NAME",
            ],
        },
        7,
    );
    for row in &cost.rows {
        let key = row.key.as_deref().unwrap_or("(none)");
        line(&mut table, key, &row.sum, row.name.as_deref());
    }
    if cost.rows.len() > 1 {
        line(&mut table, "all", &cost.total, None);
    }
    page.table(&table);
    page.blank();
    page.styled(
        DIM,
        format!("since {since}; cached: tokens read from a cache"),
    );
    let Sum {
        runs,
        unpriced_runs,
        estimated_runs,
        simulated_runs,
        ..
    } = cost.total;
    let runs_of = |n: u64| {
        format!(
            "{} of {}",
            thousands(n),
            count(runs as usize, "run", "runs")
        )
    };
    if unpriced_runs > 0 {
        page.styled(
            BOLD,
            format!(
                "No cost is known of {}: subscriptions, local models, programs that report none.",
                runs_of(unpriced_runs)
            ),
        );
    }
    if simulated_runs > 0 {
        page.styled(
            BOLD,
            format!(
                "{} only simulated: what they used was made up.",
                match simulated_runs {
                    1 => format!("{} was", runs_of(1)),
                    n => format!("{} were", runs_of(n)),
                }
            ),
        );
    }
    if estimated_runs > 0 {
        page.styled(
            BOLD,
            format!(
                "Nobody reported what {} used: the estimate is counted.",
                runs_of(estimated_runs)
            ),
        );
    }
}

fn line(table: &mut Table, key: &str, sum: &Sum, name: Option<&str>) {
    let u = &sum.usage;
    let price = match sum.unpriced_runs {
        _ if sum.simulated_runs == sum.runs && sum.runs > 0 => "simulated".to_owned(),
        n if n == sum.runs => "unknown".to_owned(),
        0 => u.cost_micro_usd.to_string(),
        _ => format!("{} + unknown", u.cost_micro_usd),
    };
    table.row([
        cell(key),
        cell(thousands(sum.runs)).right(),
        cell(thousands(u.requests)).right(),
        cell(thousands(u.input.saturating_add(u.cache_write))).right(),
        cell(thousands(u.output)).right(),
        cell(thousands(u.cache_read)).right(),
        cell(price).right(),
        cell(name.unwrap_or("")),
    ]);
}
