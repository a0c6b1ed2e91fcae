//! `rigs dispatch affinity`

use super::super::page::{DIM, Page, Table, cell};
use super::super::{App, Ended, Exit};
use crate::core::TaskType;
use crate::core::text::{count, thousands};
use crate::db::Mode;
use crate::dispatch::outcomes::Records;
use crate::dispatch::store;
use crate::view::affinity::{AffinityView, list};

/// Show how well each provider does each kind of task
///
/// The table, or what the configuration says, counts for five attempts; what became of real ones is
/// averaged in, half as much after 30 days. Accepted work counts 1 (less where it took more than
/// twice the tokens estimated, at least 0.75), work that was sent back 0.5, a failure 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs dispatch affinity
  rigs dispatch affinity --type test
  rigs dispatch affinity --json | jq '.[] | select(.failed > 0)'
  rigs dispatch affinity --rebuild")]
pub(crate) struct Args {
    /// Of this kind of task only
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    task: Option<TaskType>,
    /// Count everything again from the attempts in the store
    #[arg(long)]
    rebuild: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let settings = app.config()?.settings.clone();
    let db = app.store(Mode::OneShot).await?;
    if args.rebuild {
        let mut tx = db.write().await?;
        let read = store::rebuild(&mut tx).await?;
        tx.commit().await.map_err(crate::db::DbError::from)?;
        let read = usize::try_from(read).unwrap_or(usize::MAX);
        app.out
            .note(format!("{} counted.", count(read, "attempt", "attempts")))?;
    }
    let mut conn = db.read().await?;
    let records = if settings.routing.learn {
        store::load(&mut conn).await?
    } else {
        app.out
            .note("routing.learn is false: the table alone counts.")?;
        Records::default()
    };
    let mut all = list(&settings, &records, app.now());
    all.retain(|a| args.task.is_none_or(|task| a.task_type == task));
    app.out.answer(&all, |page| show(page, &all))?;
    Ok(Exit::Done)
}

fn show(page: &mut Page, all: &[AffinityView]) {
    let mut table = Table::new(
        &[
            "TASK TYPE",
            "PROVIDER",
            "AFFINITY",
            "TABLE",
            "ACCEPTED",
            "REWORKED",
            "FAILED",
            "TRIED",
            "TOKENS",
        ],
        1,
    );
    let number = |n: i64| {
        let text = match n {
            0 => String::new(),
            n => thousands(u64::try_from(n).unwrap_or(0)),
        };
        cell(text).right()
    };
    for a in all {
        let model = a.model.as_ref().map_or(String::new(), |m| format!(" {m}"));
        table.row([
            cell(a.task_type),
            cell(format!("{}{model}", a.provider)),
            cell(format!("{:.2}", a.affinity)).right(),
            cell(format!("{:.2}", a.table)).right().style(DIM),
            number(a.accepted),
            number(a.reworked),
            number(a.failed),
            number(a.tried),
            number(a.tokens),
        ]);
    }
    page.table(&table);
}
