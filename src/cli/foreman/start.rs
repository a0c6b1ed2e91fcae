//! `rigs foreman start`

use std::time::Duration;

use super::super::signals::Signals;
use super::super::when::clock;
use super::super::{App, Ended, Exit, Failure, Kind};
use crate::db::events::{self, EventFilter};
use crate::foreman::lock::{self, Asked, Lock};
use crate::foreman::{Context, Ended as Done, Interrupt, Orders, Scope, Until, drive};

/// Work on everything that is queued, until stopped
///
/// One foreman drives a store; a second one waits and takes over when the first is gone.
/// Ctrl-C lets running polecats end within foreman.grace and puts their work back.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs foreman start --foreground
  rigs -v foreman start --foreground --max-parallel 1")]
pub(crate) struct Args {
    /// Stay in this terminal; running in the background is not in this version
    #[arg(long, required = true)]
    pub(crate) foreground: bool,
    /// Run at most N beads at once; default: general.max_parallel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_parallel: Option<u32>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let Args {
        foreground: _,
        max_parallel,
    } = args;
    let mut ctx = super::super::goal::context(app).await?;
    ctx.probe().await;
    if let Some(n) = max_parallel {
        ctx.limit_parallel(n);
    }
    let mut signals =
        Signals::reloading(std::sync::Arc::clone(&ctx.reload)).map_err(Failure::from)?;
    let me = lock::myself(&ctx.ids);
    let mut waited = false;
    let path = ctx.paths.lock();
    loop {
        match lock::ask(&path, &me, &ctx.clock)? {
            Asked::Mine(lock) => {
                let orders = Orders {
                    scope: Scope::All,
                    until: Until::Stopped,
                };
                app.out.note(format!(
                    "foreman {} works on everything that is queued; Ctrl-C stops it",
                    me.pid
                ))?;
                let ended = watched(app, &ctx, &lock, &orders, &mut signals).await;
                lock.give_up()?;
                return finish(app, &ended?);
            }
            Asked::Theirs(holder) => {
                if !waited {
                    waited = true;
                    let who = holder.map_or_else(
                        || "another process".to_owned(),
                        |o| format!("process {}", o.pid),
                    );
                    app.out.note(format!(
                        "{who} is the foreman; this one takes over when it ends"
                    ))?;
                }
                if let Err(which) = signals.or(ctx.clock.sleep(LOOK)).await {
                    return finish(app, &Done::Interrupted(which));
                }
            }
        }
    }
}

/// How often the lock is asked for, and the log looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Runs the loop and says what happens.
async fn watched(
    app: &mut App,
    ctx: &Context,
    lock: &Lock,
    orders: &Orders,
    signals: &mut Signals,
) -> Result<Done, Failure> {
    let mut filter = EventFilter {
        after: events::last_seq(&mut *ctx.db.read().await?).await?,
        ..EventFilter::default()
    };
    let mut seen = signals.seen.clone();
    let looping = drive(ctx, lock, orders, &mut signals.queue);
    tokio::pin!(looping);
    loop {
        tokio::select! {
            ended = &mut looping => return Ok(ended?),
            Ok(()) = seen.changed() => if *seen.borrow() == 1 {
                app.out.note(Signals::stopping(ctx.settings.foreman.grace.0))?;
            },
            () = ctx.clock.sleep(LOOK) => {
                let batch = events::list(&mut *ctx.db.read().await?, &filter, 1000).await?;
                let now = ctx.clock.now();
                for event in &batch {
                    filter.after = event.seq;
                    if app.out.is_json() {
                        app.out.item(event, |_| {})?;
                    } else if let Some(words) = super::super::goal::sentence(event, now) {
                        app.out.note(format!("{}  {words}", clock(event.at, now)))?;
                    }
                }
            }
        }
    }
}

fn finish(app: &mut App, ended: &Done) -> Ended {
    app.out
        .note("stopped; what was running is put back and goes on with the next foreman")?;
    Ok(match ended {
        Done::Interrupted(Interrupt::Int) => Exit::But(Kind::Interrupted),
        Done::Interrupted(Interrupt::Term) => Exit::But(Kind::Terminated),
        Done::Over | Done::Stuck(_) | Done::Waiting(_) | Done::Paused => Exit::Done,
    })
}
