//! `rigs convoy cancel`

use super::super::{App, Ended, input};
use super::Change;
use crate::depot::store;

/// Cancel a convoy and its beads; finished work stays on its branch
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy cancel cv-a1b2c --reason \"done by hand\"")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let reason = match &args.reason {
        Some(reason) => input::checked(reason, "reason")?,
        None => "cancelled by the user".to_owned(),
    };
    let mut change = Change::begin(app, &args.id).await?;
    let (conn, act, id) = change.act();
    let beads = store::cancel_convoy(conn, act, id, &reason).await?;
    let beads = crate::core::text::count(beads.len(), "bead", "beads");
    change.end(app, &format!("Cancelled {beads} of")).await
}
