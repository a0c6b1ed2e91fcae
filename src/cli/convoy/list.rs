//! `rigs convoy list`

use super::super::{App, Ended, Exit};
use crate::db::Mode;
use crate::view;

/// List convoys with their progress, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy list
  rigs convoy list --json | jq '.[] | select(.status == \"paused\") | .id'")]
pub(crate) struct Args {
    /// At most N
    #[arg(short = 'n', long, value_name = "N", default_value = "50",
          value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: i64,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let convoys = view::convoy::list(&mut conn, args.limit).await?;
    if convoys.is_empty() {
        app.out
            .note("No convoys. `rigs goal execute \"...\"` makes one.")?;
        if !app.out.is_json() {
            return Ok(Exit::Done);
        }
    }
    let now = app.now();
    app.out
        .answer(&convoys, |page| super::text::list(page, &convoys, now))?;
    Ok(Exit::Done)
}
