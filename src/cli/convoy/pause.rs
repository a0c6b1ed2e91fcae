//! `rigs convoy pause`

use super::super::{App, Ended};
use super::Change;
use crate::depot::store;

/// Start no more beads of a convoy; what runs goes on
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy pause cv-a1b2c")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let mut change = Change::begin(app, &args.id).await?;
    let (conn, act, id) = change.act();
    store::pause(conn, act, id).await?;
    change.end(app, "Paused").await
}
