//! `rigs bead list`

use super::super::{App, Ended, Exit, find, input};
use crate::core::{BeadStatus, ProviderName, TaskType};
use crate::db::Mode;
use crate::depot::BeadFilter;
use crate::view;

/// List beads, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead list
  rigs bead list --status deferred --status blocked
  rigs bead list --ready --limit 5 --json")]
pub(crate) struct Args {
    /// Only beads in this state; repeat for several
    #[arg(short, long, value_name = "S", value_parser = input::word::<BeadStatus>(BeadStatus::WORDS))]
    status: Vec<BeadStatus>,
    /// Only beads of this convoy
    #[arg(long, value_name = "ID")]
    convoy: Option<String>,
    /// Only this kind of work
    #[arg(short = 't', long = "type", value_name = "TYPE", value_parser = input::word::<TaskType>(TaskType::WORDS))]
    task_type: Option<TaskType>,
    /// Only beads that this provider has, or is preferred for
    #[arg(long, value_name = "NAME")]
    provider: Option<ProviderName>,
    /// Only beads that could be started now, the first to be started first
    #[arg(long, conflicts_with = "status")]
    ready: bool,
    /// At most N
    #[arg(short = 'n', long, value_name = "N", default_value = "50",
          value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: i64,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let is_narrowed = args.ready
        || args.convoy.is_some()
        || !args.status.is_empty()
        || args.task_type.is_some()
        || args.provider.is_some();
    let filter = BeadFilter {
        convoy: match &args.convoy {
            Some(typed) => Some(find::convoy(&mut conn, typed).await?),
            None => None,
        },
        statuses: args.status,
        task_type: args.task_type,
        provider: args.provider,
        ready: args.ready,
        limit: args.limit,
    };
    let beads = view::bead::list(&mut conn, &filter).await?;
    let now = app.now();
    if beads.is_empty() {
        app.out.note(if is_narrowed {
            "No bead is like that."
        } else {
            "No beads. `rigs bead create \"...\"` makes one."
        })?;
        if !app.out.is_json() {
            return Ok(Exit::Done);
        }
    }
    app.out
        .answer(&beads, |page| super::text::list(page, &beads, now))?;
    if beads.len() as i64 == args.limit {
        app.out.note(format!(
            "The first {} are shown; --limit N shows more.",
            args.limit
        ))?;
    }
    Ok(Exit::Done)
}
