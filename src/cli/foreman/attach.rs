//! `rigs foreman attach`

use std::time::Duration;

use super::super::signals::Signals;
use super::super::{App, Ended, Exit, Failure, Kind};
use super::Drivers;
use super::start::Events;
use crate::db::Mode;

/// Show what the running foreman does, until it ends or Ctrl-C
///
/// The foreman goes on when this ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs foreman attach
  rigs foreman attach --json | jq -c 'select(.type == \"bead.fail\")'")]
pub(crate) struct Args {}

const LOOK: Duration = Duration::from_millis(250);

pub(crate) async fn run(_: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let drivers = Drivers::look(&app.config()?.paths);
    let Some(holder) = drivers.drives.or(drivers.background) else {
        return Err(Failure::new(Kind::NotPossible, "no foreman runs")
            .hint("`rigs foreman start` starts one"));
    };
    let pid = holder.owner.pid;
    app.out.note(format!(
        "following process {pid}; it goes on when you leave with Ctrl-C"
    ))?;
    let mut signals = Signals::listen()?;
    let mut events = Events::from_now(&db).await?;
    loop {
        // Asked before the last look: what it wrote at its end is shown.
        let alive = holder.is_alive();
        events.show(app, &db, false).await?;
        if !alive {
            app.out.note(format!("process {pid} has ended"))?;
            return Ok(Exit::Done);
        }
        if signals.or(app.clock.sleep(LOOK)).await.is_err() {
            return Ok(Exit::Done);
        }
    }
}
