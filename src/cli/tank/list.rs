//! `rigs tank list`

use super::super::{App, Ended, Exit};
use crate::db::Mode;

/// Show what every provider has left, with the source and age of each figure
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs tank list
  rigs tank list --json | jq '.[] | {provider, health, next_reset}'")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let tanks = super::all(app, &mut conn).await?;
    if tanks.is_empty() {
        app.out.note("No providers are enabled.")?;
        if !app.out.is_json() {
            return Ok(Exit::Done);
        }
    }
    let now = app.now();
    app.out
        .answer(&tanks, |page| super::text::list(page, &tanks, now))?;
    Ok(Exit::Done)
}
