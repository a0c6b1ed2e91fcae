//! `rigs tank backtest`

use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::page::{BOLD, Page, Table, cell};
use super::super::{App, Ended, Exit, Failure};
use crate::core::text::{one_line, thousands};
use crate::db::Mode;
use crate::refinery::configured::tanks;
use crate::refinery::forecast::{History, Report, Scores, backtest, file, tested};
use crate::refinery::store;

/// Forecast the past, of the ledger or of a file, and show how good that was
///
/// At every moment of every window that is over, from the third one on, the total at its end is
/// forecast from what was known then, and scored by what came: every 10 minutes, of windows of a
/// day and more every 2 hours. The baselines are climatology (what earlier windows still used after
/// the same time) and linear pace.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A history is a file of JSON lines: the windows, then one use a line.
  {\"windows\": [{\"id\": \"5h\", \"kind\": \"anchored\", \"length_s\": 18000, \"limit_tokens\": 1500000}]}
  {\"at\": \"2026-09-07T02:31:52.550Z\", \"tokens\": 17332}

Examples:
  rigs tank backtest
  rigs tank backtest history.jsonl
  rigs tank backtest history.jsonl --json | jq '.[].pooled.skill_climatology'")]
pub(crate) struct Args {
    /// The history; default: what the ledger holds of each provider in the last 60 days
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A million uses fit, with room to spare.
const MOST_BYTES: u64 = 128 << 20;

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let reports = match &args.file {
        Some(file) => vec![of_file(file)?],
        None => of_ledger(app).await?,
    };
    if reports.is_empty() {
        app.out
            .note("No provider has a window of known size and length.")?;
        if !app.out.is_json() {
            return Ok(Exit::Done);
        }
    }
    app.out.answer(&reports, |page| show(page, &reports))?;
    Ok(Exit::Done)
}

async fn of_ledger(app: &App) -> Result<Vec<Report>, Failure> {
    let settings = tanks(&app.config()?.settings);
    let now = app.now();
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let mut reports = Vec::new();
    for tank in store::load(&mut conn, &settings, now).await? {
        let past = store::past(&mut conn, &tank.provider, now).await?;
        for (name, windows, history) in tested(&tank.provider, &tank.windows, &past) {
            reports.push(backtest(&name, &windows, &history));
        }
    }
    Ok(reports)
}

fn of_file(path: &Path) -> Result<Report, Failure> {
    let shown = one_line(&path.display().to_string(), 200);
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|e| Failure::usage(format!("`{shown}` cannot be read: {e}")))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!("`{shown}` is larger than 128 MiB")));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("`{shown}` is not UTF-8 text")))?;
    let bad = |why: String| {
        Failure::usage(format!("`{shown}` is no history of token use: {why}"))
            .hint("`rigs tank backtest --help` shows the form")
    };
    let (windows, uses) = file::parse(&text).map_err(|e| bad(e.to_string()))?;
    let report = backtest(&shown, &windows, &History::new(uses, &[]));
    if report.pooled.moments == 0 {
        return Err(Failure::usage(format!(
            "`{shown}` is too short: no window has three stretches that are over"
        ))
        .hint("a window is tested from its third stretch on; give a longer history"));
    }
    Ok(report)
}

fn show(page: &mut Page, reports: &[Report]) {
    for (i, report) in reports.iter().enumerate() {
        if i > 0 {
            page.blank();
        }
        page.styled(
            BOLD,
            format!("{}: {} uses", report.history, thousands(report.uses)),
        );
        let mut table = Table::new(
            &[
                "WINDOW",
                "STRETCHES",
                "MOMENTS",
                "WIS",
                "CLIMATOLOGY",
                "LINEAR",
                "BETTER",
                "P90 COVERS",
                "CLIMATOLOGY",
                "BRIER",
            ],
            0,
        );
        for scores in report.windows.iter().chain([&report.pooled]) {
            row(&mut table, scores);
        }
        page.table(&table);
        summary(page, &report.pooled);
    }
    page.blank();
    page.line(
        "WIS: weighted interval score as a share of the limit, less is better. BETTER: than \
         climatology.",
    );
    page.line("P90 COVERS: how often the total was not above the 90 % quantile; 90 % is right.");
}

/// One line of words, for who does not want to read a table.
fn summary(page: &mut Page, s: &Scores) {
    let (Some(skill), Some(linear), Some(baseline), Some(covered)) = (
        s.skill_climatology,
        s.skill_linear,
        s.skill_linear_climatology,
        s.coverage_p90,
    ) else {
        return;
    };
    page.line(format!(
        "skill {linear:.3} over linear pace, climatology {baseline:.3}; {:.1} % {} than \
         climatology; p90 covers {:.1} %",
        skill.abs() * 100.0,
        if skill < 0.0 { "worse" } else { "better" },
        covered * 100.0
    ));
}

fn row(table: &mut Table, s: &Scores) {
    let figure = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.4}"));
    let percent = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{:.1} %", x * 100.0));
    table.row([
        cell(&s.window),
        cell(thousands(s.instances)).right(),
        cell(thousands(s.moments)).right(),
        cell(figure(s.wis)).right(),
        cell(figure(s.wis_climatology)).right(),
        cell(figure(s.wis_linear)).right(),
        cell(percent(s.skill_climatology)).right(),
        cell(percent(s.coverage_p90)).right(),
        cell(percent(s.coverage_p90_climatology)).right(),
        cell(figure(s.brier)).right(),
    ]);
}
