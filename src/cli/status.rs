//! `rigs status`

use super::page::{BOLD, DIM, Table, WARN, cell};
use super::when::{Due, ago};
use super::{App, Ended, Exit, bead, foreman, tank};
use crate::core::text::{count, thousands};
use crate::core::{MicroUsd, Usage};
use crate::db::Mode;
use crate::view;

/// Show the overview: tanks, queue, runs, today's tokens and cost, what happens next
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs status
  rigs status --json | jq .next_wake")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let now = app.now();
    let mut status = view::status::status(&mut conn, crate::foreman::is_gone, now).await?;
    status.tanks = tank::all(app, &mut conn).await?;
    status.foreman = foreman::Drivers::look(&app.config()?.paths).view();
    app.out.answer(&status, |page| {
        tank::text::list(page, &status.tanks, now);
        page.blank();
        page.styled(BOLD, "Beads");
        if status.beads.is_empty() {
            page.line("  none yet: `rigs goal execute \"...\"` or `rigs bead create \"...\"`");
        }
        for entry in &status.beads {
            let style = bead::text::style(entry.status);
            page.raw_line(&format!(
                "  {style}{}{style:#} {DIM}{}{DIM:#}",
                entry.status,
                thousands(entry.count)
            ));
        }
        if !status.running.is_empty() {
            page.blank();
            let mut table = Table::new(
                &["RUNNING", "PROVIDER", "MODEL", "ATTEMPT", "SINCE", "TITLE"],
                5,
            );
            for r in &status.running {
                table.row([
                    cell(&r.bead_id),
                    cell(&r.provider),
                    cell(r.model.as_deref().unwrap_or("")),
                    cell(r.attempt).right(),
                    cell(ago(r.started_at, now)),
                    cell(&r.title),
                ]);
            }
            page.table(&table);
        }
        page.blank();
        if let Some(words) = foreman::abandoned(&status.running, status.foreman.is_some()) {
            page.styled(WARN, words);
        }
        if let Some(held) = &status.halted {
            page.styled(WARN, super::stop::words(held, now));
        }
        let foreman = match &status.foreman {
            Some(foreman) => format!("pid {}", foreman.pid),
            None => "none runs; `rigs foreman start` works on what is queued".into(),
        };
        page.fields(&[
            ("foreman", Some(foreman)),
            (
                "today",
                Some(format!(
                    "{} tokens in {}, {}",
                    thousands(status.today.tokens()),
                    count(status.today.requests as usize, "request", "requests"),
                    cost(&status.today)
                )),
            ),
            (
                "next",
                status.next.as_ref().map(|next| {
                    let at = Due { at: next.at, now };
                    format!("{at}: {} goes on; {}", next.bead_id, next.reason)
                }),
            ),
        ]);
    })?;
    Ok(Exit::Done)
}

/// What nobody has put a price on has no cost of zero.
fn cost(used: &Usage) -> String {
    if used.cost_micro_usd == MicroUsd::default() && used.tokens() > 0 {
        "cost unknown".to_owned()
    } else {
        used.cost_micro_usd.to_string()
    }
}
