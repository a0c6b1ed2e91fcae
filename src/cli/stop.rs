//! `rigs stop --all`

use std::time::Duration;

use super::foreman::Drivers;
use super::signals::Signals;
use super::when::ago;
use super::{App, Ended, Exit, Failure, Kind};
use crate::core::text::{count, one_line};
use crate::core::{BeadId, Timestamp, time::Span};
use crate::db::{Act, Db, DbError};
use crate::depot::store::{self as depot, Halted};
use crate::foreman::lock::{self, Asked, Driver};
use crate::foreman::{Context, Ended as Done, Interrupt, Orders, Scope, Until, drive};
use crate::view::foreman::AllStopped;

/// Stop everything now: running agents are ended, nothing is started until `rigs thaw`
///
/// What ran is put back with its work kept. This holds over restarts, for foremen and goals alike.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs stop --all
  rigs stop --all --reason \"the build server is on fire\"
  rigs thaw")]
pub(crate) struct Args {
    /// Everything; one bead or convoy is stopped by `bead cancel`, `convoy pause`
    #[arg(long, required = true)]
    all: bool,
    /// Why, for whoever looks at the status
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Longest text kept as a reason.
const REASON: usize = 200;
/// How often is looked whether something runs.
const LOOK: Duration = Duration::from_millis(100);
/// More than it takes to end agents that do not obey and to commit what they did.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let Args { all: _, reason } = args;
    let reason = reason.map(|r| one_line(&r, REASON));
    let ctx = super::goal::context(app).await?;
    let act = Act {
        ids: &ctx.ids,
        now: ctx.clock.now(),
        who: "user",
    };
    let mut tx = ctx.db.write().await?;
    let halted = depot::halt(&mut tx, act, reason.as_deref()).await?;
    tx.commit().await.map_err(DbError::from)?;
    let put_back = at_work(&ctx.db).await?;
    app.out.note("nothing is started any more")?;
    let mut signals = Signals::listen()?;
    ended(app, &ctx, &mut signals).await?;
    let stopped = AllStopped {
        since: halted.since,
        reason: halted.reason,
        put_back,
    };
    app.out.answer(&stopped, |page| {
        let runs = count(stopped.put_back.len(), "bead", "beads");
        page.line(format!(
            "Stopped everything; {runs} ended and put back. `rigs thaw` lets them go on"
        ));
        for id in &stopped.put_back {
            page.line(format!("  {id}"));
        }
    })?;
    Ok(Exit::Done)
}

/// Waits until whoever runs the loop has ended what runs; does it itself when nobody does.
async fn ended(app: &mut App, ctx: &Context, signals: &mut Signals) -> Result<(), Failure> {
    let begun = ctx.clock.moment();
    let me = lock::myself(&ctx.ids);
    loop {
        let left = at_work(&ctx.db).await?;
        if left.is_empty() {
            return Ok(());
        }
        match lock::ask(&ctx.paths.lock(), &me, Driver::Stop, &ctx.clock)? {
            Asked::Mine(lock) => {
                let orders = Orders {
                    scope: Scope::All,
                    until: Until::Frozen,
                };
                let done = drive(ctx, &lock, &orders, &mut signals.queue).await;
                lock.give_up()?;
                if let Done::Interrupted(which) = done? {
                    return Err(interrupted(which));
                }
            }
            Asked::Theirs(holder) => {
                let waited = ctx.clock.moment().since(begun);
                if waited >= LIMIT {
                    return Err(too_long(app, &left, holder.map(|h| h.owner.pid), waited));
                }
                signals
                    .or(ctx.clock.sleep(LOOK))
                    .await
                    .map_err(interrupted)?;
            }
        }
    }
}

/// Beads that a process holds, running, under review or being merged.
async fn at_work(db: &Db) -> Result<Vec<BeadId>, Failure> {
    let mut conn = db.read().await?;
    let mut ids: Vec<BeadId> = depot::running_attempts(&mut conn)
        .await?
        .into_iter()
        .map(|a| a.bead_id)
        .collect();
    let leased = depot::leased(&mut conn).await?;
    let held = leased.into_iter().filter(|b| b.lease_owner.is_some());
    ids.extend(held.map(|b| b.id));
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn interrupted(which: Interrupt) -> Failure {
    let kind = match which {
        Interrupt::Int => Kind::Interrupted,
        Interrupt::Term => Kind::Terminated,
    };
    Failure::new(
        kind,
        "nothing is started any more, but something still runs",
    )
    .hint("`rigs stop --all` waits for its end again")
}

fn too_long(app: &App, left: &[BeadId], pid: Option<u32>, waited: Duration) -> Failure {
    let ids: Vec<&str> = left.iter().map(BeadId::as_str).collect();
    let text = format!("not ended after {}: {}", Span(waited), ids.join(", "));
    let failure = Failure::new(Kind::Failed, text).hint("nothing new is started in any case");
    let drivers = app.config().map(|c| Drivers::look(&c.paths));
    let alive = drivers.ok().and_then(|d| d.drives).map(|h| h.owner.pid);
    match alive.or(pid) {
        Some(pid) => failure.hint(format!(
            "`kill -9 {pid}` ends the process that does not answer; then `rigs stop --all` again"
        )),
        None => failure,
    }
}

/// The stop that holds, for people.
pub(crate) fn words(held: &Halted, now: Timestamp) -> String {
    let reason = held.reason.as_ref().map(|r| format!(" ({r})"));
    format!(
        "Everything was stopped {}{}; `rigs thaw` lets beads start again",
        ago(held.since, now),
        reason.unwrap_or_default()
    )
}

/// Why a goal cannot begin.
pub(crate) fn held(held: &Halted) -> Failure {
    let mut failure = Failure::new(
        Kind::NotPossible,
        format!("everything is stopped since {}", held.since),
    );
    failure.causes.extend(held.reason.clone());
    failure.hint("`rigs thaw` lets beads start again; --detach stores a goal until then")
}
