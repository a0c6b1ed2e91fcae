//! `rigs bead import`

mod file;

use super::super::{App, Ended, Exit, Failure, Kind, find};
use crate::db::{DbError, Mode};
use crate::depot::{Act, DepotError, store};
use crate::view::transfer::ImportView;

/// Beads of one transaction: it holds the store for a fraction of a second.
const BATCH: usize = 2_000;
/// Ids that the answer names.
const NAMED: usize = 20;

/// Store the beads of a file, one JSON object per line
///
/// Lines as `rigs bead export` writes them, or issues as `bd export` and `br` do (Gas Town). The
/// whole file is looked at first: when something is wrong with one line, nothing is stored. Beads
/// that are there already stay as they are, so the same file can be imported again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead import beads.jsonl --dry-run
  bd export | rigs bead import - --convoy cv-a1b2c")]
pub(crate) struct Args {
    /// File with one JSON object per line; - reads stdin
    #[arg(value_name = "FILE")]
    file: String,
    /// Put the beads into this convoy
    #[arg(long, value_name = "ID")]
    convoy: Option<String>,
    /// Say what would be stored, and store nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let text = file::read(app, &args.file)?;
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut conn = db.read().await?;
    let convoy = match &args.convoy {
        Some(typed) => {
            let id = find::convoy(&mut conn, typed).await?;
            let found = store::convoy(&mut conn, &id).await?;
            if let Some(over) = found.filter(|c| c.status.is_over()) {
                return Err(DepotError::ConvoyOver {
                    convoy: id,
                    status: over.status,
                }
                .into());
            }
            Some(id)
        }
        None => None,
    };
    let checked = file::check(&mut conn, act, &text, convoy.as_ref()).await?;
    drop(conn);
    let mut view = ImportView {
        imported: checked.beads.len() as u64,
        there_already: checked.there_already,
        skipped: checked.skipped,
        notes: checked.notes(),
        ids: Vec::new(),
    };
    let first = checked.beads.iter().take(NAMED);
    view.ids.extend(first.map(|bead| bead.id.clone()));
    if !args.dry_run {
        for (done, batch) in checked.beads.chunks(BATCH).enumerate() {
            let stored = async {
                let arrivals = file::arrivals(&text, batch, act.now)?;
                let mut tx = db.write().await?;
                store::insert_many(&mut tx, act, &arrivals).await?;
                tx.commit().await.map_err(DbError::from)?;
                Ok::<_, Failure>(())
            };
            stored
                .await
                .map_err(|failure| partly(failure, done * BATCH))?;
        }
    }
    let what = if args.dry_run {
        "would be stored"
    } else {
        "stored"
    };
    app.out.answer(&view, |page| {
        let beads = |n: u64| crate::core::text::count(n as usize, "bead", "beads");
        let mut line = format!("{} {what}", beads(view.imported));
        if view.there_already > 0 {
            line = format!("{line}, {} there already", view.there_already);
        }
        if view.skipped > 0 {
            line = format!("{line}, {} skipped", view.skipped);
        }
        page.line(line);
    })?;
    for note in &view.notes {
        app.out.note(note)?;
    }
    Ok(Exit::Done)
}

/// What went wrong in the middle, and how to go on.
fn partly(failure: Failure, stored: usize) -> Failure {
    if stored == 0 {
        return failure;
    }
    let so_far = crate::core::text::thousands(stored as u64);
    let kind: Kind = failure.kind;
    let mut told = Failure::new(
        kind,
        format!("{} ({so_far} beads are stored)", failure.message),
    );
    told.causes = failure.causes;
    told.hints = failure.hints;
    told.hint("import the same file again to go on: what is stored already is left as it is")
}
