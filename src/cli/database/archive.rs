//! `rigs db archive`

use super::super::when::When;
use super::super::{App, Ended, Exit};
use crate::core::text::thousands;
use crate::db::{DbError, Mode, upkeep};
use crate::depot::{Act, store};
use crate::view::doctor::Archived;

/// Move beads that are over for long out of the way of the work; their history stays
///
/// A bead goes with its convoy, when that is over for as long and landed, and nothing younger
/// waited for it. It is not listed any more and cannot be changed; `rigs bead show`, `rigs why`,
/// events, costs, totals and estimates still know it. It is moved in steps of at most 500 beads:
/// interrupted, it goes on where it was when it is run again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs db archive --dry-run
  rigs db archive --older-than 30d
  rigs db archive --older-than 2026-01-01T00:00:00Z --compact")]
pub(crate) struct Args {
    /// What ended before TIME: a span such as 30d, or RFC 3339
    #[arg(long, value_name = "TIME", default_value = "90d")]
    older_than: When,
    /// Only say how many they are
    #[arg(long)]
    dry_run: bool,
    /// Write the file anew afterwards, as small as it can be; takes its size again meanwhile
    #[arg(long, conflicts_with = "dry_run")]
    compact: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let now = app.now();
    let before = args.older_than.back(now).min(now);
    let mut sweep = store::Sweep::of(before);
    let mut beads = 0;
    while !sweep.is_done() {
        if args.dry_run {
            beads += sweep.next(&mut *db.read().await?).await?.len() as u64;
            continue;
        }
        let mut tx = db.write().await?;
        let page = sweep.next(&mut tx).await?;
        let act = Act {
            ids: &app.ids,
            now,
            who: "user",
        };
        store::archive(&mut tx, act, &page).await?;
        tx.commit().await.map_err(DbError::from)?;
        beads += page.len() as u64;
    }
    if args.compact {
        upkeep::compact(&mut *db.read().await?).await?;
    }
    let archived = Archived {
        beads,
        before,
        dry_run: args.dry_run,
        bytes: std::fs::metadata(app.config()?.paths.store())?.len(),
    };
    app.out.answer(&archived, |page| {
        let n = thousands(archived.beads);
        let verb = if archived.dry_run { "would be" } else { "are" };
        page.line(format!(
            "{n} beads that ended before {before} {verb} archived"
        ));
    })?;
    Ok(Exit::Done)
}
