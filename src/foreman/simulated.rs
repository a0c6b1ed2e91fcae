//! Runs of simulated providers: the same polecat, with nobody at work. What happens is drawn
//! beforehand; time passes, usage is told, files of its own are written in the worktree.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Context;
use super::context::Provider;
use super::polecat::{Log, Teller, halted, not_started};
use super::stage::{Halt, Job, Leash, RunReport, Said};
use super::worktree::Place;
use crate::config::settings::SimEdits;
use crate::core::kind::SIMULATED;
use crate::core::redact::Redactor;
use crate::process::Stream;
use crate::provider::sim::{Drawn, End, Script, line, without_marks};
use crate::provider::{Class, Outcome, Scope, Signal};

/// Where beads have a file of their own.
const FOLDER: &str = "simulated";
/// The file that all beads write.
const SHARED: &str = "simulated.txt";

/// Runs the attempt to its end.
pub(super) async fn run(
    ctx: &Context,
    job: &Job,
    place: &Place,
    p: &Provider,
    tell: &Teller<'_>,
    leash: Leash,
) -> RunReport {
    let script = Script::draw(
        &p.entry.sim,
        Drawn {
            provider: &job.provider,
            title: &job.bead.title,
            attempt: job.fence.attempt,
            p50: job.bead.estimate().p50,
        },
    );
    let resumed = job.resume.as_ref().map(|resume| resume.session.clone());
    let session = resumed.unwrap_or_else(|| format!("simulated-{}", job.attempt));
    tell.say(Said::Started { process: None }).await;
    tell.say(Said::Signal(Signal::Model(SIMULATED.to_owned())))
        .await;
    tell.say(Said::Signal(Signal::Session(session.clone())))
        .await;
    let mut log = Log::open(&job.log, Redactor::default());
    log.write(
        Stream::Out,
        "simulated: nobody is at work, nothing is paid for",
    );
    let (requests, early) = through(ctx, job, p, &script, tell, leash).await;
    let ended_early = early.is_some();
    let mut outcome = early.unwrap_or_else(|| script.outcome(&p.entry.sim, ctx.clock.now()));
    if let Err(error) = edit(job, place, p.entry.sim.edits, &script, ended_early) {
        let reason = format!("simulated work cannot be written: {error}");
        outcome = ending(Class::Failed, "simulated.files", &reason);
    }
    log.write(Stream::Out, &outcome.message);
    let mut report = not_started("", "");
    // Of a crash nobody hears what it used.
    report.usage = (script.end != End::Crash || ended_early).then(|| script.after(requests));
    if outcome.class == Class::Done && script.end == End::Done {
        report.output = format!("Simulated: nothing was done about \"{}\".", job.bead.title);
    }
    report.session = Some(session);
    report.model = Some(SIMULATED.to_owned());
    report.outcome = outcome;
    report
}

/// Lets the time of the run pass and tells what it uses: how many model calls it made, and what
/// ended it before its time.
async fn through(
    ctx: &Context,
    job: &Job,
    p: &Provider,
    script: &Script,
    tell: &Teller<'_>,
    mut leash: Leash,
) -> (u64, Option<Outcome>) {
    let began = ctx.clock.moment();
    let all = script.used.requests;
    let most = job.envelope.time.unwrap_or(Duration::MAX);
    for request in 1..=all {
        let due = script.lasts.mul_f64(request as f64 / all as f64);
        let allowed = due.min(p.entry.timeout.0).min(most);
        tokio::select! {
            () = ctx.clock.sleep_to(began + allowed) => {}
            () = halted(&mut leash) => {
                let cancelled = *leash.halt.borrow() == Some(Halt::Cancel);
                let rule = if cancelled { "stopped.cancel" } else { "stopped.shutdown" };
                return (request - 1, Some(ending(Class::Stopped, rule, "ended by rigs")));
            }
        }
        if allowed < due {
            let class = if most < p.entry.timeout.0 {
                Class::Runaway
            } else {
                Class::TimedOut
            };
            let said = "simulated: stopped, the run took too long";
            return (request - 1, Some(ending(class, "simulated.too_long", said)));
        }
        let used = script.after(request);
        tell.say(Said::Signal(Signal::UsageSoFar(used))).await;
        if let Some(broken) = job.envelope.broken(&used) {
            let said = format!("simulated: stopped, {broken}");
            return (request, Some(ending(Class::Runaway, "runaway", &said)));
        }
    }
    (all, None)
}

fn ending(class: Class, rule: &'static str, message: &str) -> Outcome {
    Outcome {
        class,
        rule,
        message: message.to_owned(),
        resets_at: None,
        scope: Scope::Account,
    }
}

/// What the run leaves in its worktree: half of its work, where it ended early.
fn edit(
    job: &Job,
    place: &Place,
    edits: SimEdits,
    script: &Script,
    ended_early: bool,
) -> io::Result<()> {
    if place.repo.is_none() || !job.bead.task_type.changes_files() {
        return Ok(());
    }
    let is_whole = script.end == End::Done && !ended_early;
    if job.resolves.is_some() {
        return if is_whole {
            resolve(&place.dir)
        } else {
            Ok(())
        };
    }
    let id = job.bead.id.to_string();
    let file = match edits {
        SimEdits::Own => own(&place.dir, &id)?,
        SimEdits::Shared => place.dir.join(SHARED),
        SimEdits::None => return Ok(()),
    };
    if script.end == End::Reworked && !ended_early {
        return match (edits, file.symlink_metadata()) {
            (SimEdits::Own, Ok(_)) => std::fs::remove_file(&file),
            _ => Ok(()),
        };
    }
    let what = if is_whole { "is done" } else { "was begun" };
    let before = read(&file)?;
    std::fs::write(&file, before + &line(&id, job.fence.attempt, what))
}

/// The file of a bead, its folder made.
fn own(dir: &Path, id: &str) -> io::Result<PathBuf> {
    let folder = dir.join(FOLDER);
    refuse_link(&folder)?;
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{id}.txt")))
}

/// Ends the conflict in the file that beads share.
fn resolve(dir: &Path) -> io::Result<()> {
    let file = dir.join(SHARED);
    let met = read(&file)?;
    if met.is_empty() {
        return Ok(());
    }
    std::fs::write(&file, without_marks(&met))
}

/// What stands in the file; nothing, where there is none.
fn read(file: &Path) -> io::Result<String> {
    refuse_link(file)?;
    match std::fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// A repository may hold links to anywhere; nothing is written through one.
fn refuse_link(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => Err(io::Error::other(format!(
            "{} is a link, and is not followed",
            path.display()
        ))),
        _ => Ok(()),
    }
}
