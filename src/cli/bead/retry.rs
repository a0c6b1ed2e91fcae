//! `rigs bead retry`

use super::super::{App, Ended, Exit, find};
use crate::db::{DbError, Mode};
use crate::depot::{Act, store};
use crate::view;

/// Try a bead again that failed, is blocked or was cancelled
///
/// Its count of failures starts anew, and beads that were blocked because of it wait for it
/// again. A foreman takes it up; `rigs goal resume CONVOY` does so now.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead retry gt-a1b2c
  rigs bead retry gt-a1b2c && rigs goal resume cv-a1b2c")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "ID")]
    id: String,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    let id = find::bead(&mut tx, &args.id).await?;
    store::retry(&mut tx, act, &id).await?;
    let bead = view::bead::show(&mut tx, &id).await?;
    tx.commit().await.map_err(DbError::from)?;
    if app.out.is_json() {
        app.out.answer(&bead, |_| {})?;
    }
    app.out.note(format!("{id} is queued again"))?;
    Ok(Exit::Done)
}
