//! `rigs tank forecast`

use super::super::page::{Page, Table, cell};
use super::super::{App, Ended, Exit};
use super::text::{amount, chance, roughly};
use crate::core::{ProviderName, Timestamp};
use crate::db::Mode;
use crate::refinery::TankView;
use crate::refinery::configured::tanks;
use crate::refinery::forecast::{ProviderForecast, RunsOut, WindowForecast};

/// Show what will be used until each reset, when windows run out, and how sure that is
///
/// From the use of the last 60 days. P50, P90 and P99: when the window is used up in half, in one of
/// ten and in one of a hundred futures; the last one is the careful one. HEADROOM: what may still be
/// added so that nine of ten futures fit.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs tank forecast
  rigs tank forecast claude --json | jq '.[0].forecast.p_exhausted'")]
pub(crate) struct Args {
    /// Name of the provider; default: all that are enabled
    #[arg(value_name = "PROVIDER")]
    provider: Option<ProviderName>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let settings = match &args.provider {
        Some(name) => vec![super::settings(app, name)?],
        None => tanks(&app.config()?.settings),
    };
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let told: Vec<ProviderForecast> = super::views(app, &mut conn, &settings)
        .await?
        .into_iter()
        .filter_map(
            |TankView {
                 provider, forecast, ..
             }| { forecast.map(|forecast| ProviderForecast { provider, forecast }) },
        )
        .collect();
    if told.is_empty() {
        app.out.note("No providers are enabled.")?;
        if !app.out.is_json() {
            return Ok(Exit::Done);
        }
    }
    let now = app.now();
    app.out.answer(&told, |page| show(page, &told, now))?;
    Ok(Exit::Done)
}

fn show(page: &mut Page, told: &[ProviderForecast], now: Timestamp) {
    let mut table = Table::new(
        &[
            "PROVIDER", "WINDOW", "RESET", "CHANCE", "P50", "P90", "P99", "HEADROOM", "NOTES",
        ],
        8,
    );
    for ProviderForecast { provider, forecast } in told {
        for window in &forecast.windows {
            row(&mut table, provider, window, now);
        }
    }
    page.table(&table);
}

fn row(table: &mut Table, provider: &ProviderName, w: &WindowForecast, now: Timestamp) {
    let time = |at: Option<Timestamp>| at.map_or(String::new(), |at| roughly(at, now));
    let runs_out = |of: fn(&RunsOut) -> Option<Timestamp>| match w.runs_out.as_ref() {
        Some(runs_out) => of(runs_out).map_or("-".to_owned(), |at| roughly(at, now)),
        None => String::new(),
    };
    let name = match w.scope.strip_prefix("model:") {
        Some(model) => format!("{} {model}", w.id),
        None => w.id.clone(),
    };
    table.row([
        cell(provider),
        cell(name),
        cell(time(w.resets_at)),
        cell(w.p_exhausted.map_or(String::new(), chance)).right(),
        cell(runs_out(|r| r.p50)),
        cell(runs_out(|r| r.p90)),
        cell(runs_out(|r| r.p99)),
        cell(w.headroom_p90.map_or(String::new(), |n| amount(n, w.unit))).right(),
        cell(w.unknown.as_deref().unwrap_or_default()),
    ]);
}
