//! `rigs assayer calibration`

use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::page::{BOLD, DIM, PLAIN, Page, Table, WARN, cell};
use super::super::{App, Ended, Exit, Failure};
use crate::assayer::calibration::{Coverage, Report, calibrate, file};
use crate::assayer::estimator::PastRun;
use crate::assayer::store;
use crate::core::text::{count, one_line, thousands};
use crate::db::Mode;

/// Estimate past runs once more, and show how far off that was
///
/// Every run but the first third is estimated from the runs before it and scored by what it took:
/// by the mean pinball loss of p50, p80 and p95, and by how many runs stayed below them. Beside it
/// stand the table without history (fixed multiples), the quantiles of all earlier runs, and the
/// prompt at four characters a token.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A history is a file of JSON lines, the oldest run first; prompt_chars, model and repo may be left out.
  {\"task_type\": \"debug\", \"complexity\": \"small\", \"agent\": true, \"prompt_chars\": 1800,
   \"provider\": \"claude\", \"model\": \"opus\", \"repo\": \"/src/app\", \"tokens\": 41250}  (on one line)

Examples:
  rigs assayer calibration
  rigs assayer calibration runs.jsonl
  rigs assayer calibration --json | jq '.methods[] | {method, loss}'")]
pub(crate) struct Args {
    /// The history; default: the newest 1,500 runs in the store
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Each of them is estimated from up to 300 before it.
const MOST_RUNS: usize = 1500;
const MOST_BYTES: u64 = 4 << 20;

pub(crate) async fn run(args: &Args, app: &mut App) -> Ended {
    let mut tightened = Vec::new();
    let history = if let Some(file) = &args.file {
        of_file(file)?
    } else {
        let db = app.store(Mode::OneShot).await?;
        let mut conn = db.read().await?;
        tightened = store::tightened(&mut conn).await?;
        crate::foreman::past_runs(&mut conn, MOST_RUNS).await?
    };
    let Some(mut report) = calibrate(&history) else {
        let runs = count(history.len(), "run", "runs");
        return Err(Failure::new(
            super::super::Kind::NotPossible,
            format!("{runs} are too few: the eleventh is the first that is scored"),
        )
        .hint("work that was accepted or sent back counts; `rigs simulate` needs no history"));
    };
    report.tightened = tightened;
    app.out.answer(&report, |page| show(page, &report))?;
    Ok(Exit::Done)
}

fn of_file(path: &Path) -> Result<Vec<PastRun>, Failure> {
    let shown = one_line(&path.display().to_string(), 200);
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text))
        .map_err(|e| Failure::usage(format!("`{shown}` cannot be read: {e}")))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!("`{shown}` is larger than 4 MiB")));
    }
    let mut runs = file::parse(&text).map_err(|why| {
        Failure::usage(format!("`{shown}` is no history of runs: {why}"))
            .hint("`rigs assayer calibration --help` shows the form")
    })?;
    runs.drain(..runs.len().saturating_sub(MOST_RUNS));
    Ok(runs)
}

fn show(page: &mut Page, report: &Report) {
    page.styled(
        BOLD,
        format!(
            "{} of {} estimated from those before them",
            count(report.scored, "run", "runs"),
            report.runs
        ),
    );
    let mut table = Table::new(
        &[
            "METHOD",
            "LOSS",
            "LOG LOSS",
            "BETTER BY",
            "P50 COVERS",
            "P80 COVERS",
            "P95 COVERS",
        ],
        0,
    );
    for (i, m) in report.methods.iter().enumerate() {
        let better = match i {
            0 => String::new(),
            _ => percent(m.skill),
        };
        let mut row = vec![
            cell(&m.method),
            cell(thousands(m.loss.round() as u64)).right(),
            cell(format!("{:.3}", m.log_loss)).right(),
            cell(better).right(),
        ];
        row.extend(m.coverage.iter().map(|c| {
            let style = if is_off(c) { WARN } else { PLAIN };
            cell(percent(c.share)).right().style(style)
        }));
        table.row(row);
    }
    page.table(&table);
    if let Some(own) = report.methods.first() {
        let range = |c: &Coverage| format!("{} to {}", percent(c.low), percent(c.high));
        let ranges: Vec<String> = own.coverage.iter().map(range).collect();
        page.styled(
            DIM,
            format!("With so many runs, chance gives {}.", ranges.join(", ")),
        );
    }
    page.blank();
    let mut table = Table::new(&["TASK TYPE", "SCORED", "TAKEN / P50", "P80 COVERS"], 0);
    for t in &report.by_type {
        table.row([
            cell(t.task_type),
            cell(t.scored).right(),
            cell(format!("{:.2}", t.median_ratio)).right(),
            cell(percent(t.below_p80)).right(),
        ]);
    }
    page.table(&table);
    if report.tightened.is_empty() {
        return;
    }
    page.blank();
    let mut table = Table::new(&["PROMPTS OF", "TIGHTENED", "TOKENS", "NOW", "SAVED"], 0);
    for t in &report.tightened {
        let [before, after] = [t.original_tokens, t.optimized_tokens].map(|n| n.max(0) as u64);
        let saved = 1.0 - after as f64 / before.max(1) as f64;
        table.row([
            cell(t.task_type),
            cell(t.prompts).right(),
            cell(thousands(before)).right(),
            cell(thousands(after)).right(),
            cell(percent(saved)).right(),
        ]);
    }
    page.table(&table);
}

fn is_off(c: &Coverage) -> bool {
    c.share < c.low || c.share > c.high
}

fn percent(share: f64) -> String {
    // No minus in front of nothing.
    format!("{:.0} %", (100.0 * share).round() + 0.0)
}
