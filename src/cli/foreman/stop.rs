//! `rigs foreman stop`

use std::time::Duration;

use nix::sys::signal::Signal;

use super::super::{App, Ended, Exit, Failure, Kind};
use super::Drivers;
use crate::core::text::count;
use crate::core::time::Span;
use crate::db::{Db, Mode};
use crate::depot::store as depot;
use crate::foreman::lock::{Driver, Holder};
use crate::process;
use crate::view::foreman::Stopped;

/// End the foreman; what runs gets foreman.grace to end, then its work is put back
///
/// Waits until it has ended. A goal that runs in a terminal is ended there, with Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs foreman stop
  rigs foreman stop --now")]
pub(crate) struct Args {
    /// Give what runs no time to end; its work is still put back
    #[arg(long)]
    now: bool,
}

/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(50);
/// How often it is told what is waited for.
const TELL: Duration = Duration::from_secs(5);
/// What ending takes at most beyond the grace: commits of unfinished work, a gate that ends.
const BEYOND: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let drivers = Drivers::look(&app.config()?.paths);
    let foremen = drivers.foremen();
    if foremen.is_empty() {
        return Err(none(&drivers));
    }
    let grace = app.config()?.settings.foreman.grace.0;
    let limit = BEYOND + if args.now { Duration::ZERO } else { grace };
    let begun = app.clock.moment();
    for holder in &foremen {
        tell(holder, args.now)?;
    }
    let db = app.store(Mode::OneShot).await?;
    let mut told = begun;
    while let Some(left) = foremen.iter().find(|h| h.is_alive()) {
        let now = app.clock.moment();
        let waited = now.since(begun);
        if waited >= limit {
            return Err(too_long(&db, left, waited).await);
        }
        if now.since(told) >= TELL {
            told = now;
            let pid = left.owner.pid;
            let what = waits_for(&db).await?;
            app.out
                .note(format!("process {pid} has not ended yet: {what}"))?;
        }
        app.clock.sleep(LOOK).await;
    }
    let stopped = Stopped {
        pids: foremen.iter().map(|h| h.owner.pid).collect(),
        duration_ms: millis(app.clock.moment().since(begun)),
    };
    app.out.answer(&stopped, |page| {
        for pid in &stopped.pids {
            page.line(format!("Stopped the foreman, pid {pid}"));
        }
    })?;
    Ok(Exit::Done)
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The second signal is another one: two of a kind that come at once are one.
fn tell(holder: &Holder, now: bool) -> Result<(), Failure> {
    let signals: &[Signal] = if now {
        &[Signal::SIGTERM, Signal::SIGINT]
    } else {
        &[Signal::SIGTERM]
    };
    for signal in signals {
        process::interrupt(holder.owner.pid, holder.owner.started, *signal).map_err(|e| {
            let pid = holder.owner.pid;
            Failure::new(
                Kind::Failed,
                format!("process {pid} cannot be signalled: {e}"),
            )
        })?;
    }
    Ok(())
}

fn none(drivers: &Drivers) -> Failure {
    match &drivers.drives {
        Some(h) if h.driver == Some(Driver::Goal) => Failure::new(
            Kind::NotPossible,
            format!(
                "no foreman runs; process {} works on a goal in a terminal",
                h.owner.pid
            ),
        )
        .hint("Ctrl-C there ends it"),
        _ => Failure::new(Kind::NotPossible, "no foreman runs")
            .hint("`rigs foreman start` starts one"),
    }
}

async fn too_long(db: &Db, left: &Holder, waited: Duration) -> Failure {
    let pid = left.owner.pid;
    let text = format!("process {pid} still runs after {}", Span(waited));
    let mut failure = Failure::new(Kind::Failed, text);
    failure.causes.extend(waits_for(db).await.ok());
    failure
        .hint("`rigs foreman stop --now` gives what runs no more time")
        .hint(format!(
            "`kill -9 {pid}` ends it in any case; the next foreman puts its work back"
        ))
}

async fn waits_for(db: &Db) -> Result<String, Failure> {
    let mut conn = db.read().await?;
    let running = depot::running_attempts(&mut conn).await?;
    let leased = depot::leased(&mut conn).await?;
    Ok(if running.is_empty() && leased.is_empty() {
        "nothing runs any more, it is finishing".to_owned()
    } else if running.is_empty() {
        let ids: Vec<String> = leased.iter().map(|b| b.id.to_string()).collect();
        format!("checking or merging {}", ids.join(", "))
    } else {
        let ids: Vec<String> = running.iter().map(|a| a.bead_id.to_string()).collect();
        let runs = count(running.len(), "run ends", "runs end");
        format!("{runs}: {}", ids.join(", "))
    })
}
