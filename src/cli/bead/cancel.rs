//! `rigs bead cancel`

use super::super::{App, Ended, Exit, Failure, Kind, find, input};
use crate::db::{DbError, Mode};
use crate::depot::{Act, store};
use crate::view;

/// Cancel a bead; what it has done so far is kept
///
/// A running agent is ended by its foreman. Beads that depend on it are blocked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead cancel gt-a1b2c
  rigs bead cancel gt-a1b2c --reason \"no longer wanted\"")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
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
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    let id = find::bead(&mut tx, &args.id).await?;
    if let Some(bead) = store::get(&mut tx, &id).await?
        && bead.status.is_over()
    {
        return Err(Failure::new(
            Kind::NotPossible,
            format!("{id} is {} already", bead.status),
        ));
    }
    let was = store::cancel(&mut tx, act, &id, &reason).await?;
    let bead = view::bead::show(&mut tx, &id).await?;
    if let Some(convoy) = &bead.convoy_id {
        store::refresh(&mut tx, act, convoy).await?;
    }
    tx.commit().await.map_err(DbError::from)?;
    if app.out.is_json() {
        app.out.answer(&bead, |_| {})?;
    }
    app.out.note(format!("Cancelled {id} (it was {was})"))?;
    Ok(Exit::Done)
}
