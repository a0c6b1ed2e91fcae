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
use crate::foreman::{
    Context, Ended as Done, ForemanError, Interrupt, Orders, Scope, Until, drive,
};

/// Work on everything that is queued, until stopped
///
/// Starts in the background and says where; --foreground stays in this terminal. One foreman
/// drives a store; a second one waits and takes over when the first is gone. SIGTERM or Ctrl-C
/// lets what runs end within foreman.grace and puts the rest back, a second one does so at once;
/// SIGHUP reads the configuration and the policy again: what runs goes on as it began, what can
/// hold only after a restart is told, and a broken file changes nothing.
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
    // Said while somebody still listens.
    ctx.db.may_write()?;
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
            Asked::Mine(mut lock) => {
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
                let ended = loop {
                    let seen = background.as_mut();
                    match watched(app, &ctx, &lock, &orders, &mut signals, seen).await {
                        Err(Stopped::Full) => {
                            match space(app, &ctx, &mut signals, background.is_some()).await {
                                Ok(None) => lock.be_reborn(&ctx.ids),
                                Ok(Some(which)) => break Ok(Done::Interrupted(which)),
                                Err(failure) => break Err(failure),
                            }
                        }
                        Err(Stopped::Other(failure)) => break Err(failure),
                        Ok(done) => break Ok(done),
                    }
                };
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

/// How often a full disk is tried again.
const SPACE: Duration = Duration::from_secs(2);

/// Why the loop ended without having been told to.
enum Stopped {
    /// There is no space for what it has to write.
    Full,
    Other(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<ForemanError> for Stopped {
    fn from(error: ForemanError) -> Self {
        if error.is_full() {
            Self::Full
        } else {
            Self::Other(error.into())
        }
    }
}

/// Runs the loop and says what happens.
async fn watched(
    app: &mut App,
    ctx: &Context,
    lock: &Lock,
    orders: &Orders,
    signals: &mut Signals,
    mut background: Option<&mut Background>,
) -> Result<Done, Stopped> {
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
                let grace = ctx.settings.foreman.grace.0;
                say(app, background.is_some(), Signals::stopping(grace))?;
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

/// Says something. A log in the background that cannot be written is no reason to stop.
fn say(app: &mut App, background: bool, text: impl AsRef<str>) -> Result<(), Failure> {
    let said = app.out.note(text);
    if background { Ok(()) } else { said }
}

/// Waits until the store can grow again, or somebody stops it.
async fn space(
    app: &mut App,
    ctx: &Context,
    signals: &mut Signals,
    background: bool,
) -> Result<Option<Interrupt>, Failure> {
    let since = ctx.clock.now();
    let text = "the store cannot grow, the disk is full: what ran is ended, and everything goes \
                on when there is space";
    say(app, background, text)?;
    loop {
        if let Err(which) = signals.or(ctx.clock.sleep(SPACE)).await {
            return Ok(Some(which));
        }
        if crate::foreman::space::is_back(ctx, since).await? {
            say(app, background, "there is space on the disk again")?;
            return Ok(None);
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
                    say(app, dates, format!("{at}  {words}"))?;
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
