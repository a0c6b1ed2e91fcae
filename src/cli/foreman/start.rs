//! `rigs foreman start`

use std::time::Duration;

use super::super::signals::Signals;
use super::super::when::clock;
use super::super::{App, Ended, Exit, Failure, Kind};
use super::background::{self, Background};
use crate::core::id::Owner;
use crate::db::Db;
use crate::db::events::{self, EventFilter};
use crate::foreman::lock::{self, Asked, Driver, Lock};
use crate::foreman::{Context, Ended as Done, Interrupt, Orders, Scope, Until, drive};

/// Work on everything that is queued, until stopped
///
/// Starts in the background and says where; --foreground stays in this terminal. One foreman
/// drives a store; a second one waits and takes over when the first is gone. SIGTERM or Ctrl-C
/// lets what runs end within foreman.grace and puts the rest back, a second one does so at once;
/// SIGHUP reads the policy again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs foreman start
  rigs foreman start --foreground
  rigs -v foreman start --foreground --max-parallel 1")]
pub(crate) struct Args {
    /// Stay in this terminal and show what happens
    #[arg(long)]
    pub(crate) foreground: bool,
    /// Run at most N beads at once; default: general.max_parallel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_parallel: Option<u32>,
    /// How the background process is told what it is
    #[arg(long, hide = true, conflicts_with = "foreground")]
    pub(crate) detached: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    if !args.foreground && !args.detached {
        return background::start(&args, app).await;
    }
    let mut ctx = super::super::goal::context(app).await?;
    let me = lock::myself(&ctx.ids);
    let mut background = None;
    // Held until the end.
    let mut only = None;
    if args.detached {
        only = Some(alone(&ctx, &me)?);
        background = Some(Background::new(app)?);
    }
    ctx.probe().await;
    if let Some(n) = args.max_parallel {
        ctx.limit_parallel(n);
    }
    let mut signals =
        Signals::reloading(std::sync::Arc::clone(&ctx.reload)).map_err(Failure::from)?;
    let mut waited = false;
    let path = ctx.paths.lock();
    let ended = loop {
        match lock::ask(&path, &me, Driver::Foreman, &ctx.clock)? {
            Asked::Mine(lock) => {
                let orders = Orders {
                    scope: Scope::All,
                    until: Until::Stopped,
                };
                if let Some(background) = &mut background {
                    background.stands(app, None)?;
                }
                app.out.note(format!(
                    "foreman {} works on everything that is queued; Ctrl-C stops it",
                    me.pid
                ))?;
                let ended = watched(app, &ctx, &lock, &orders, &mut signals, background).await;
                lock.give_up()?;
                break ended?;
            }
            Asked::Theirs(holder) => {
                if !waited {
                    waited = true;
                    if let Some(background) = &mut background {
                        background.stands(app, holder.as_ref())?;
                    }
                    let who = holder.map_or_else(
                        || "another process".to_owned(),
                        |h| format!("process {}", h.owner.pid),
                    );
                    app.out.note(format!(
                        "{who} is the foreman; this one takes over when it ends"
                    ))?;
                }
                if let Err(which) = signals.or(ctx.clock.sleep(LOOK)).await {
                    break Done::Interrupted(which);
                }
            }
        }
    };
    if let Some(only) = only {
        only.give_up()?;
    }
    finish(app, &ended)
}

/// One foreman in the background is enough, whether it drives or waits.
fn alone(ctx: &Context, me: &Owner) -> Result<Lock, Failure> {
    match lock::ask(&ctx.paths.daemon_lock(), me, Driver::Foreman, &ctx.clock)? {
        Asked::Mine(lock) => Ok(lock),
        Asked::Theirs(holder) => {
            let who = holder.map_or_else(String::new, |h| format!(", pid {}", h.owner.pid));
            let text = format!("a foreman runs in the background already{who}");
            Err(Failure::new(Kind::NotPossible, text)
                .hint("`rigs foreman status` says what it does; `rigs foreman stop` ends it"))
        }
    }
}

/// How often the lock is asked for.
const LOOK: Duration = Duration::from_millis(500);
/// How often the size of the log is looked at even if nothing happens.
const LOG: Duration = Duration::from_mins(1);

/// Runs the loop and says what happens.
async fn watched(
    app: &mut App,
    ctx: &Context,
    lock: &Lock,
    orders: &Orders,
    signals: &mut Signals,
    mut background: Option<Background>,
) -> Result<Done, Failure> {
    let mut events = Events::from_now(&ctx.db).await?;
    let mut seen = signals.seen.clone();
    let looping = drive(ctx, lock, orders, &mut signals.queue);
    tokio::pin!(looping);
    loop {
        tokio::select! {
            ended = &mut looping => {
                events.show(app, &ctx.db, background.is_some()).await?;
                return Ok(ended?);
            }
            Ok(()) = seen.changed() => if *seen.borrow() == 1 {
                app.out.note(Signals::stopping(ctx.settings.foreman.grace.0))?;
            },
            () = ctx.changed.notified() => {
                events.show(app, &ctx.db, background.is_some()).await?;
            }
            () = ctx.clock.sleep(LOG) => {}
        }
        if let Some(background) = &mut background {
            background.look();
        }
    }
}

/// Events that are read at once.
const BATCH: i64 = 1000;

/// What happens, as it is shown beside the loop.
pub(super) struct Events(EventFilter);

impl Events {
    pub(super) async fn from_now(db: &Db) -> Result<Self, Failure> {
        Ok(Self(EventFilter {
            after: events::last_seq(&mut *db.read().await?).await?,
            ..EventFilter::default()
        }))
    }

    /// Shows what is new; with `dates` in a log of many days.
    pub(super) async fn show(
        &mut self,
        app: &mut App,
        db: &Db,
        dates: bool,
    ) -> Result<(), Failure> {
        loop {
            let batch = events::list(&mut *db.read().await?, &self.0, BATCH).await?;
            let now = app.now();
            for event in &batch {
                self.0.after = event.seq;
                if app.out.is_json() {
                    app.out.item(event, |_| {})?;
                } else if let Some(words) = super::super::goal::sentence(event, now) {
                    let at = if dates {
                        event.at.to_string()
                    } else {
                        clock(event.at, now)
                    };
                    app.out.note(format!("{at}  {words}"))?;
                }
            }
            if (batch.len() as i64) < BATCH {
                return Ok(());
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
        Done::Over | Done::Stuck(_) | Done::Waiting(_) | Done::Paused | Done::Halted => Exit::Done,
    })
}
