//! `rigs tank`: what capacity is left.

mod ingest;
mod list;
mod refresh;
mod reset;
mod set;
mod status;
pub(crate) mod text;

use super::{App, Ended, Failure};
use crate::core::ProviderName;
use crate::db::{Conn, Mode};
use crate::refinery::configured::tanks;
use crate::refinery::{self, TankSettings, TankView};

/// Look at tanks, the capacity of each provider, and correct them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Status(status::Args),
    Set(set::Args),
    Reset(reset::Args),
    Refresh(refresh::Args),
    Ingest(ingest::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::List(args) => list::run(args, app).await,
        Command::Status(args) => status::run(args, app).await,
        Command::Set(args) => set::run(args, app).await,
        Command::Reset(args) => reset::run(args, app).await,
        Command::Refresh(args) => refresh::run(args, app).await,
        Command::Ingest(args) => ingest::run(args, app).await,
    }
}

/// The tanks of all enabled providers, as they are now.
pub(crate) async fn all(app: &App, conn: &mut Conn) -> Result<Vec<TankView>, Failure> {
    let settings = tanks(&app.config()?.settings);
    let now = app.now();
    let tanks = refinery::store::load(conn, &settings, now).await?;
    Ok(tanks.iter().map(|tank| tank.view(now)).collect())
}

/// What the configuration says about one provider's tank.
fn settings(app: &App, name: &ProviderName) -> Result<TankSettings, Failure> {
    let settings = &app.config()?.settings;
    refresh::known(app, name)?;
    tanks(settings)
        .into_iter()
        .find(|tank| tank.provider == *name)
        .ok_or_else(|| Failure::not_found(format!("the provider `{name}` has no tank")))
}

/// One tank as it is now.
async fn one(app: &App, settings: &TankSettings) -> Result<TankView, Failure> {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let tank = refinery::store::load_one(&mut conn, settings, app.now()).await?;
    Ok(tank.view(app.now()))
}
