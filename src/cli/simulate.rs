//! `rigs simulate`: the queue played through in virtual time.

mod chart;
mod svg;

use std::path::PathBuf;

use super::page::{BOLD, DIM, Page, Table, WARN, cell};
use super::when::{Shown, When, clock};
use super::{App, Ended, Exit, Failure};
use crate::core::Timestamp;
use crate::core::text::{count, one_line, thousands};
use crate::dispatch::board::WhatIf;
use crate::foreman;
use crate::view;
use crate::view::plan::Planned;

/// Play the queue through: when what is done, and what is waited for
///
/// Nothing is changed. Times follow from the estimates, at 10,000 tokens a minute; a provider that
/// suits a kind of work badly is expected to need more for it. P50 and P90: done by then in half, and
/// in nine of ten of fifty futures drawn from the estimates. The policy counts as of the first moment,
/// budgets where they are used up by then; windows that are not counted in tokens are left out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs simulate
  rigs simulate --at 6h --what-if claude=off
  rigs simulate --what-if codex=2x --what-if claude=4 --json | jq .finish_p90
  rigs simulate --svg plan.svg")]
pub(crate) struct Args {
    /// From when on: a span from now such as 6h, or RFC 3339; default: now
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// Suppose that a provider is off, has twice its windows (NAME=2x) or so many slots (NAME=4)
    #[arg(long, value_name = "NAME=CHANGE")]
    what_if: Vec<WhatIf>,
    /// Write the chart to FILE as well
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Of the draws; the same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let now = app.now();
    let at = args.at.map_or(now, |at| at.ahead(now));
    let planned = planned(app, at, &args.what_if, args.seed).await?;
    if let Some(file) = &args.svg {
        fs_err::write(file, svg::draw(&planned))?;
        app.out
            .note(format!("The chart is in {}.", file.display()))?;
    }
    app.out.answer(&planned, |page| show(page, &planned))?;
    Ok(Exit::Done)
}

/// The plan of the queue from `at` on.
pub(super) async fn planned(
    app: &App,
    at: Timestamp,
    what_if: &[WhatIf],
    seed: u64,
) -> Result<Planned, Failure> {
    let settings = &app.config()?.settings;
    for change in what_if {
        if !settings.providers.contains_key(change.provider()) {
            let name = change.provider();
            return Err(Failure::not_found(format!("there is no provider `{name}`"))
                .hint("`rigs provider list` shows those there are"));
        }
    }
    let ctx = super::goal::context(app).await?;
    let mut conn = ctx.db.read().await?;
    let board = foreman::outlook_of(&ctx, &mut conn, at, what_if).await?;
    Ok(view::plan::planned(&mut conn, &board, seed).await?)
}

/// Beads of the table; more are counted only.
const ROWS: usize = 200;

pub(super) fn show(page: &mut Page, p: &Planned) {
    let now = p.at;
    let (Some(finish), Some(p50), Some(p90)) = (p.finish, p.finish_p50, p.finish_p90) else {
        page.line(if p.unplanned.is_empty() {
            "Nothing is to be done."
        } else {
            "Nothing can be started."
        });
        unplanned(page, p);
        return;
    };
    page.styled(
        BOLD,
        format!(
            "{}, done {}",
            count(p.beads.len(), "bead", "beads"),
            Shown { at: finish, now }
        ),
    );
    page.line(format!(
        "p50 {}, p90 {}; {}",
        clock(p50, now),
        clock(p90, now),
        match p.walls.len() {
            0 => "no window is waited for".to_owned(),
            n => format!("{} waited for", count(n, "reset is", "resets are")),
        }
    ));
    page.styled(DIM, format!("rule: {}", p.rule));
    page.blank();
    beads(page, p);
    convoys(page, p);
    windows(page, p);
    page.blank();
    chart::draw(page, p);
    unplanned(page, p);
}

fn beads(page: &mut Page, p: &Planned) {
    let mut table = Table::new(
        &[
            "BEAD",
            "PROVIDER",
            "START",
            "P50",
            "P90",
            "TOKENS",
            "WAITS FOR",
            "TITLE",
        ],
        7,
    );
    for bead in p.beads.iter().take(ROWS) {
        let start = if bead.starts_at < p.at {
            "runs".to_owned()
        } else {
            clock(bead.starts_at, p.at)
        };
        table.row([
            cell(&bead.bead_id),
            cell(&bead.provider),
            cell(start),
            cell(clock(bead.ends_p50, p.at)),
            cell(clock(bead.ends_p90, p.at)),
            cell(thousands(bead.tokens)).right(),
            cell(bead.waits_for.as_deref().unwrap_or_default()),
            cell(one_line(&bead.title, 60)),
        ]);
    }
    page.table(&table);
    if p.beads.len() > ROWS {
        page.styled(DIM, format!("and {} more", p.beads.len() - ROWS));
    }
}

fn convoys(page: &mut Page, p: &Planned) {
    if p.convoys.is_empty() {
        return;
    }
    page.blank();
    let mut table = Table::new(&["CONVOY", "BEADS", "P50", "P90", "NAME"], 4);
    for convoy in &p.convoys {
        table.row([
            cell(&convoy.convoy_id),
            cell(convoy.beads).right(),
            cell(clock(convoy.finish_p50, p.at)),
            cell(clock(convoy.finish_p90, p.at)),
            cell(one_line(&convoy.name, 60)),
        ]);
    }
    page.table(&table);
}

fn windows(page: &mut Page, p: &Planned) {
    if p.windows.is_empty() {
        return;
    }
    page.blank();
    let mut table = Table::new(
        &["PROVIDER", "WINDOW", "TOKENS", "TIMES", "USED", "WALLS"],
        1,
    );
    for w in &p.windows {
        let mine =
            |wall: &&view::plan::Wall| wall.provider == w.provider && wall.window == w.window;
        let walls = p.walls.iter().filter(mine).count();
        table.row([
            cell(&w.provider),
            cell(&w.window),
            cell(thousands(w.limit)).right(),
            cell(w.stretches).right(),
            cell(format!("{:.0} %", w.used * 100.0)).right(),
            cell(walls).right(),
        ]);
    }
    page.table(&table);
}

fn unplanned(page: &mut Page, p: &Planned) {
    if p.unplanned.is_empty() {
        return;
    }
    page.blank();
    let n = p.unplanned.len();
    page.styled(WARN, format!("Not planned: {}", count(n, "bead", "beads")));
    let mut table = Table::new(&["BEAD", "REASON", "TITLE"], 2);
    for bead in p.unplanned.iter().take(ROWS) {
        table.row([
            cell(&bead.bead_id),
            cell(&bead.reason),
            cell(one_line(&bead.title, 60)),
        ]);
    }
    page.table(&table);
}
