//! `rigs convoy resume`

use super::super::{App, Ended};
use super::Change;
use crate::depot::store;

/// Start beads of a paused convoy again
///
/// A foreman takes them up; `rigs goal resume` runs them from here.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy resume cv-a1b2c")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let mut change = Change::begin(app, &args.id).await?;
    let (conn, act, id) = change.act();
    store::resume(conn, act, id).await?;
    change.end(app, "Resumed").await
}
