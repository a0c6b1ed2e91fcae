//! `rigs convoy add`

use super::super::{App, Ended, find};
use super::Change;
use crate::depot::store;

/// Put a bead into a convoy
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy add cv-a1b2c gt-x9y8z")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "CONVOY")]
    convoy: String,
    /// Id of the bead, or its beginning; repeat for several
    #[arg(value_name = "BEAD", required = true)]
    beads: Vec<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let mut change = Change::begin(app, &args.convoy).await?;
    let (conn, act, id) = change.act();
    for typed in &args.beads {
        let bead = find::bead(conn, typed).await?;
        store::add_bead(conn, act, id, &bead).await?;
    }
    let beads = crate::core::text::count(args.beads.len(), "bead", "beads");
    change.end(app, &format!("Put {beads} into")).await
}
