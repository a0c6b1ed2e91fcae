//! `rigs convoy show`

use super::super::{App, Ended, Exit, find};
use crate::db::Mode;

/// Show one convoy: progress, branch, usage, beads
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy show cv-a1b2c
  git log $(rigs convoy show cv-a1b2c --json | jq -r .branch)")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let id = {
        let mut conn = db.read().await?;
        find::convoy(&mut conn, &args.id).await?
    };
    let convoy = super::shown(&db, &id).await?;
    let now = app.now();
    app.out
        .answer(&convoy, |page| super::text::show(page, &convoy, now))?;
    Ok(Exit::Done)
}
