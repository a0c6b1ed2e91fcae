//! `rigs thaw`

use super::foreman::Drivers;
use super::{App, Ended, Exit, Failure, Kind};
use crate::db::{Act, DbError, Mode};
use crate::depot::store as depot;
use crate::view::foreman::Thawed;

/// Let beads start again after `rigs stop --all`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs thaw")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let act = Act {
        ids: &app.ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    let held = depot::thaw(&mut tx, act).await?;
    tx.commit().await.map_err(DbError::from)?;
    let Some(held) = held else {
        return Err(Failure::new(Kind::NotPossible, "nothing is stopped")
            .hint("`rigs status` shows what goes on"));
    };
    let thawed = Thawed {
        stopped_since: held.since,
        running: Drivers::look(&app.config()?.paths).drives.is_some(),
    };
    app.out.answer(&thawed, |page| {
        page.line("Beads are started again");
    })?;
    if !thawed.running {
        app.out
            .note("no foreman runs: `rigs foreman start`, or `rigs goal resume`")?;
    }
    Ok(Exit::Done)
}
