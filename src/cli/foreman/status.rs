//! `rigs foreman status`

use super::super::page::{Table, WARN, cell};
use super::super::stop;
use super::super::when::{Due, ago};
use super::super::{App, Ended, Exit};
use super::Drivers;
use crate::core::BeadStatus;
use crate::core::text::count;
use crate::db::Mode;
use crate::view;
use crate::view::foreman::ForemanStatus;
use crate::view::status::{ForemanView, Status};

/// Show whether a foreman runs, what it works on and when it wakes next
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs foreman status
  rigs foreman status --json | jq .running")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let now = app.now();
    let mut conn = db.read().await?;
    let all = view::status::status(&mut conn, crate::foreman::is_gone, now).await?;
    drop(conn);
    let paths = &app.config()?.paths;
    let mut status = of(all, &Drivers::look(paths), paths.foreman_log());
    status.host = crate::foreman::host::crowded_now(&app.config()?.settings.foreman, paths.home());
    app.out.answer(&status, |page| {
        let who = |f: &ForemanView| {
            let mut words = format!("pid {}", f.pid);
            if let Some(since) = f.since {
                words = format!("{words}, since {}", ago(since, now));
            }
            match (f.driver.as_deref(), f.background) {
                (Some("goal"), _) => format!("{words}, for `rigs goal execute`"),
                (_, true) => format!("{words}, in the background"),
                (_, false) => words,
            }
        };
        let next = match &status.next {
            Some(next) => format!(
                "{}: {} goes on; {}",
                Due { at: next.at, now },
                next.bead_id,
                next.reason
            ),
            None => "nothing waits for a time; a new bead wakes it".to_owned(),
        };
        if let Some(words) = super::abandoned(&status.at_work, status.running) {
            page.styled(WARN, words);
        }
        if let Some(held) = &status.halted {
            page.styled(WARN, stop::words(held, now));
        }
        page.fields(&[
            (
                "foreman",
                Some(status.foreman.as_ref().map_or_else(
                    || "none runs; `rigs foreman start` starts one".to_owned(),
                    who,
                )),
            ),
            (
                "waiting",
                status
                    .waiting
                    .as_ref()
                    .map(|f| format!("{}; it takes over", who(f))),
            ),
            (
                "beads",
                Some(format!(
                    "{} at work, {} queued, {} deferred",
                    status.at_work.len(),
                    status.queued,
                    status.deferred
                )),
            ),
            (
                "host",
                status
                    .host
                    .as_ref()
                    .map(|why| format!("nothing more is started for now: {why}")),
            ),
            ("next", Some(next)),
            ("log", Some(status.log.display().to_string())),
        ]);
        if !status.at_work.is_empty() {
            page.blank();
            page.line(format!("{}:", count(status.at_work.len(), "run", "runs")));
            let mut table = Table::new(&["BEAD", "PROVIDER", "ATTEMPT", "SINCE", "TITLE"], 4);
            for r in &status.at_work {
                table.row([
                    cell(&r.bead_id),
                    cell(&r.provider),
                    cell(r.attempt).right(),
                    cell(ago(r.started_at, now)),
                    cell(&r.title),
                ]);
            }
            page.table(&table);
        }
    })?;
    Ok(Exit::Done)
}

fn of(all: Status, drivers: &Drivers, log: std::path::PathBuf) -> ForemanStatus {
    let number = |status: BeadStatus| {
        let found = all.beads.iter().find(|c| c.status == status);
        found.map_or(0, |c| c.count)
    };
    ForemanStatus {
        running: drivers.drives.is_some(),
        foreman: drivers.view(),
        waiting: drivers.waiting(),
        queued: number(BeadStatus::Queued) + number(BeadStatus::Pending),
        deferred: number(BeadStatus::Deferred),
        at_work: all.running,
        halted: all.halted,
        host: None,
        next_wake: all.next_wake,
        next: all.next,
        log,
    }
}
