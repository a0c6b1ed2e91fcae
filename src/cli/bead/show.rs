//! `rigs bead show`

use super::super::{App, Ended, Exit, find};
use crate::db::Mode;
use crate::view;

/// Show one bead: state, estimate, usage, attempts, output
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead show gt-a1b2c
  rigs bead show a1b --json | jq .status")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let id = find::bead(&mut conn, &args.id).await?;
    let bead = view::bead::show(&mut conn, &id).await?;
    let now = app.now();
    app.out
        .answer(&bead, |page| super::text::show(page, &bead, now))?;
    Ok(Exit::Done)
}
