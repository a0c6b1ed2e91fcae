//! `rigs tank`: what capacity is left.

mod backtest;
mod forecast;
mod ingest;
mod list;
mod refresh;
mod reset;
mod set;
mod status;
pub(crate) mod text;

use clap::Args as _;

use super::{App, Ended, Failure, narrow};
use crate::core::ProviderName;
use crate::db::{Conn, Mode};
use crate::depot::{self, Act};
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
    Forecast(forecast::Args),
    Backtest(backtest::Args),
}

/// Commands that shells call in loops.
pub(super) const LEAVES: &[narrow::Leaf] = &[
    ("list", list::Args::augment_args),
    ("status", status::Args::augment_args),
];

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::List(args) => list::run(args, app).await,
        Command::Status(args) => status::run(args, app).await,
        Command::Set(args) => set::run(args, app).await,
        Command::Reset(args) => reset::run(args, app).await,
        Command::Refresh(args) => refresh::run(args, app).await,
        Command::Ingest(args) => ingest::run(args, app).await,
        Command::Forecast(args) => forecast::run(args, app).await,
        Command::Backtest(args) => backtest::run(args, app).await,
    }
}

/// The tanks of all enabled providers, as they are now.
pub(crate) async fn all(app: &App, conn: &mut Conn) -> Result<Vec<TankView>, Failure> {
    views(app, conn, &tanks(&app.config()?.settings)).await
}

/// The tanks of `settings` with their forecasts.
async fn views(
    app: &App,
    conn: &mut Conn,
    settings: &[TankSettings],
) -> Result<Vec<TankView>, Failure> {
    let now = app.now();
    let tanks = refinery::store::load(conn, settings, now).await?;
    let forecasts = refinery::store::forecasts(conn, &tanks, now).await?;
    let views = tanks
        .iter()
        .zip(forecasts)
        .map(|(tank, forecast)| TankView {
            simulated: settings
                .iter()
                .any(|s| s.simulated && s.provider == tank.provider),
            forecast: Some(forecast),
            ..tank.view(now)
        });
    Ok(views.collect())
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

/// Beads that wait for a window of this provider go on, where it turned out to be open: nothing
/// that was learned may be outlived by an older wait.
async fn wake(app: &App, tx: &mut Conn, settings: &TankSettings) -> Result<(), Failure> {
    const MOST: i64 = 1000;
    let act = Act {
        ids: &app.ids,
        now: app.now(),
        who: "user",
    };
    let tank = refinery::store::load_one(tx, settings, act.now).await?;
    if tank.next_reset.is_none() {
        depot::store::promote_waiting(tx, act, &settings.provider, MOST).await?;
    }
    Ok(())
}

/// One tank as it is now.
async fn one(app: &App, settings: &TankSettings) -> Result<TankView, Failure> {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let views = views(app, &mut conn, std::slice::from_ref(settings)).await?;
    let mut views = views.into_iter();
    Ok(views.next().expect("invariant: one tank per settings"))
}
