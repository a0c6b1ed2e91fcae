//! `rigs convoy`: beads that belong together.

mod add;
mod cancel;
mod create;
mod diff;
pub(crate) mod land;
mod list;
mod pause;
mod resume;
mod show;
mod text;

use super::{App, Ended, Failure, find};
use crate::core::{ConvoyId, Ids, Timestamp};
use crate::db::{Conn, Db, DbError, Mode, Tx};
use crate::depot::Act;
use crate::view;

/// Manage convoys: beads with one goal and one integration branch
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    Show(show::Args),
    Add(add::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Cancel(cancel::Args),
    Diff(diff::Args),
    Land(land::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Create(args) => create::run(args, app).await,
        Command::List(args) => list::run(args, app).await,
        Command::Show(args) => show::run(args, app).await,
        Command::Add(args) => add::run(args, app).await,
        Command::Pause(args) => pause::run(args, app).await,
        Command::Resume(args) => resume::run(args, app).await,
        Command::Cancel(args) => cancel::run(args, app).await,
        Command::Diff(args) => diff::run(args, app).await,
        Command::Land(args) => land::run(args, app).await,
    }
}

/// A change of one convoy by the user, in one transaction.
struct Change {
    tx: Tx,
    ids: Ids,
    now: Timestamp,
    id: ConvoyId,
}

impl Change {
    async fn begin(app: &App, typed: &str) -> Result<Self, Failure> {
        let db = app.store(Mode::OneShot).await?;
        let mut tx = db.write().await?;
        let id = find::convoy(&mut tx, typed).await?;
        Ok(Self {
            tx,
            ids: app.ids.clone(),
            now: app.now(),
            id,
        })
    }

    fn act(&mut self) -> (&mut Conn, Act<'_>, &ConvoyId) {
        let act = Act {
            ids: &self.ids,
            now: self.now,
            who: "user",
        };
        (&mut self.tx, act, &self.id)
    }

    /// Commits; with `--json` the convoy as it is now is the answer, else `words` tell it.
    async fn end(mut self, app: &mut App, words: &str) -> Ended {
        let convoy = view::convoy::show(&mut self.tx, &self.id).await?;
        self.tx.commit().await.map_err(DbError::from)?;
        if app.out.is_json() {
            app.out.answer(&convoy, |_| {})?;
        }
        app.out.note(format!("{words} {}", self.id))?;
        Ok(super::Exit::Done)
    }
}

/// One convoy as it is now.
async fn shown(db: &Db, id: &ConvoyId) -> Result<view::convoy::ConvoyView, Failure> {
    let mut conn = db.read().await?;
    Ok(view::convoy::show(&mut conn, id).await?)
}
