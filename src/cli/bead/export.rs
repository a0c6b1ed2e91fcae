//! `rigs bead export`

use super::super::{App, Ended, Exit, Failure, find, input};
use crate::core::BeadStatus;
use crate::db::Mode;
use crate::depot::{Bead, store};
use crate::view;

/// Beads of one page.
const PAGE: i64 = 500;

/// Write beads to stdout, one JSON object per line
///
/// The oldest first; `rigs bead import` reads them. What somebody writes meanwhile may or may not
/// be among them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead export > beads.jsonl
  rigs bead export --status failed --status blocked | wc -l")]
pub(crate) struct Args {
    /// Only beads in this state; repeat for several
    #[arg(short, long, value_name = "S", value_parser = input::word::<BeadStatus>(BeadStatus::WORDS))]
    status: Vec<BeadStatus>,
    /// Only beads of this convoy
    #[arg(long, value_name = "ID")]
    convoy: Option<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let convoy = match &args.convoy {
        Some(typed) => Some(find::convoy(&mut conn, typed).await?),
        None => None,
    };
    let is_wanted = |bead: &Bead| {
        (args.status.is_empty() || args.status.contains(&bead.status))
            && (convoy.is_none() || bead.convoy_id == convoy)
    };
    let mut last: Option<(i64, Bead)> = None;
    loop {
        let after = last.as_ref().map(|(row, bead)| (bead, *row));
        let page = store::page(&mut conn, after, PAGE).await?;
        if page.is_empty() {
            return Ok(Exit::Done);
        }
        let mut lines = String::new();
        for (_, bead) in page.iter().filter(|(_, bead)| is_wanted(bead)) {
            let view = view::bead::view(&mut conn, bead.clone()).await?;
            let line = serde_json::to_string(&view)
                .map_err(|e| Failure::usage(format!("{} is no JSON: {e}", bead.id)))?;
            lines.push_str(&line);
            lines.push('\n');
        }
        app.out.data(&lines)?;
        last = page.into_iter().next_back();
    }
}
