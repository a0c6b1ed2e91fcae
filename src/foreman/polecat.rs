//! The polecat: one attempt of one bead on one provider, from its place to its committed work.
//! It tells what happens through notes and reports how it ended; it never writes the store.

mod given;
mod log;
mod patience;
mod watch;

use tokio::sync::mpsc;

use self::given::Scratch;
pub(crate) use self::log::Log;
use self::watch::Watch;
pub(crate) use self::watch::halted;
use super::again::again;
use super::stage::{Job, Leash, Note, RunReport, Said};
use super::worktree::{self, NoPlace, Place};
use super::{Context, models, pinned, simulated};
use crate::config::ProviderSettings;
use crate::core::text::one_line;
use crate::core::{ProviderKind, Usage, Zone};
use crate::git::Message;
use crate::policy::Effort;
use crate::process;
use crate::provider::{self, Class, Ending, Outcome, Reader, RunPlan, Scope, Session};

/// The rule of a report about a run that had no place to begin in: no word about its provider.
pub(super) const NO_PLACE: &str = "worktree";

/// Runs the attempt to its end.
pub(crate) async fn run(
    ctx: Context,
    mut job: Job,
    notes: mpsc::Sender<Note>,
    leash: Leash,
) -> RunReport {
    let began = ctx.clock.moment();
    ctx.before("worktree.made");
    let mut report = match again(|| worktree::prepare(&ctx, &job, &leash.token)).await {
        Err(NoPlace::Stopped) => {
            let mut report = not_started("stopped.early", "ended by rigs before it began");
            report.outcome.class = Class::Stopped;
            report
        }
        Err(reason) => no_place(&reason.to_string()),
        Ok(place) => {
            ctx.after("worktree.made");
            match worktree::so_far(&job, &place).await {
                Ok(note) => job.prompt.extend(note),
                Err(error) => {
                    tracing::warn!(bead = %job.bead.id, "nothing is told of what was done: {error}");
                }
            }
            let tell = Teller {
                job: &job,
                notes: &notes,
            };
            tell.say(Said::Prepared {
                worktree: place.dir.clone(),
                base: place.base.clone(),
            })
            .await;
            let mut report = match ctx.provider(&job.provider) {
                Ok(p) if p.kind == ProviderKind::Sim => {
                    simulated::run(&ctx, &job, &place, p, &tell, leash).await
                }
                Ok(p) if p.program.is_some() => run_program(&ctx, &job, &place, &tell, leash).await,
                Ok(_) => models::run_model(&ctx, &job, &tell, leash).await,
                Err(error) => not_started("provider.unknown", &error.to_string()),
            };
            ctx.after("run.exited");
            match again(|| keep_work(&ctx, &job, &place)).await {
                Ok(commit) => report.commit = commit,
                Err(error) => {
                    report.no_place = Some(format!("the work cannot be committed: {error}"));
                }
            }
            report
        }
    };
    report.duration_ms =
        i64::try_from(ctx.clock.moment().since(began).as_millis()).unwrap_or(i64::MAX);
    report
}

/// Sends notes about one job.
pub(crate) struct Teller<'a> {
    job: &'a Job,
    notes: &'a mpsc::Sender<Note>,
}

impl Teller<'_> {
    pub(crate) async fn say(&self, what: Said) {
        let note = Note {
            bead: self.job.bead.id.clone(),
            attempt: self.job.attempt,
            what,
        };
        // The loop outlives its stages; a closed channel means that it is being torn down.
        drop(self.notes.send(note).await);
    }
}

fn no_place(reason: &str) -> RunReport {
    let mut report = not_started(NO_PLACE, reason);
    report.no_place = Some(one_line(reason, 400));
    report
}

pub(crate) fn not_started(rule: &'static str, message: &str) -> RunReport {
    let outcome = Outcome {
        class: Class::NotStarted,
        rule,
        message: crate::core::redact::redact(&one_line(message, 300)),
        resets_at: None,
        scope: Scope::Account,
    };
    RunReport {
        outcome,
        no_place: None,
        usage: Some(Usage::default()),
        output: String::new(),
        session: None,
        model: None,
        commit: None,
        exit_code: None,
        left_over: Vec::new(),
        duration_ms: 0,
    }
}

async fn run_program(
    ctx: &Context,
    job: &Job,
    place: &Place,
    tell: &Teller<'_>,
    leash: Leash,
) -> RunReport {
    let p = match ctx.provider(&job.provider) {
        Ok(p) => p,
        Err(error) => return not_started("provider.unknown", &error.to_string()),
    };
    let program = match pinned::program_for(p, job.repo().as_deref(), &ctx.paths) {
        Ok(Some(program)) => program,
        Ok(None) => {
            return not_started(
                "provider.no_program",
                p.unusable.as_deref().unwrap_or("no program"),
            );
        }
        // Nothing is wrong with the provider: it may work on other repositories.
        Err(reason) => return no_place(&reason),
    };
    let secrets = match models::secrets(ctx, &p.entry).await {
        Ok(secrets) => secrets,
        Err(reason) => return not_started("provider.no_key", &reason),
    };
    let scratch = match Scratch::make(ctx, job) {
        Ok(scratch) => scratch,
        Err(error) => return not_started("scratch", &error.to_string()),
    };
    let session = match &job.resume {
        Some(resume) => Session::Resume(resume.session.clone()),
        None => Session::New(job.attempt.to_string()),
    };
    let entry = told_effort(p, job.effort);
    let plan = RunPlan {
        name: &job.provider,
        entry: &entry,
        program,
        prompt: &job.prompt,
        system: job.system.as_deref(),
        workdir: &place.dir,
        permission: job.bead.permission,
        model: job.model.as_deref(),
        session,
        env: provider::base_env(&ctx.env, &p.entry),
        secrets: &secrets,
        scratch: scratch.dir(),
        home: &ctx.paths.agent_home(&job.provider),
    };
    ctx.given.learn(&plan.redactor());
    let before = job.resume.as_ref().map(|r| r.before).unwrap_or_default();
    let (spec, reader) = match (
        provider::command(&plan),
        Reader::new(p.kind, before, plan.redactor(), Some(Zone::Local)),
    ) {
        (Ok(spec), Some(reader)) => (spec, reader),
        (Err(error), _) => return not_started("provider.plan", &error.to_string()),
        (_, None) => return not_started("provider.kind", "this kind is not run as a program"),
    };
    if let Err(reason) = given::hand_over(&plan, &job.attempt.to_string()) {
        return not_started("provider.files", &reason);
    }
    ctx.before("run.spawned");
    let running = match process::start(&spec, &job.marker) {
        Ok(running) => running,
        Err(error) => return not_started("process.start", &error.to_string()),
    };
    ctx.after("run.spawned");
    tell.say(Said::Started {
        process: Some((running.pgid(), running.started())),
    })
    .await;
    ctx.before("run.exited");
    let mut watch = Watch::new(ctx, job, p, reader, plan.redactor());
    let (exit, stopped, left_over) = watch.through(ctx, running, tell, leash).await;
    let log = watch.session.as_deref();
    let log = log.and_then(|session| provider::log_after_run(p.kind, &spec, session));
    let text = log.as_ref().and_then(find_log);
    // Where a program keeps its account in a file, what the stream says is not all of it.
    let heard_all = log.is_none() || text.is_some();
    if let Some(text) = text {
        watch
            .hear(ctx, tell, |reader, now| reader.log_file(&text, now))
            .await;
    }
    let ending = Ending {
        exit,
        stopped,
        stderr_tail: watch.stderr.join("\n"),
    };
    let mut outcome = watch.reader.finish(&ending, ctx.clock.now());
    if let (Class::Runaway, Some(broken)) = (outcome.class, &watch.over_envelope) {
        outcome.message = format!("stopped: {broken}");
    }
    let usage = watch.priced(watch.reader.usage());
    RunReport {
        no_place: None,
        usage: (!usage.is_zero() || heard_all && outcome.used_nothing()).then_some(usage),
        output: watch.reader.answer().to_owned(),
        session: watch.session,
        model: watch.model,
        commit: None,
        exit_code: exit.map(|e| i64::from(e.code())),
        left_over,
        duration_ms: 0,
        outcome,
    }
}

/// The entry with the effort among its arguments, for the kinds that can be told.
fn told_effort(p: &super::context::Provider, effort: Option<Effort>) -> ProviderSettings {
    let mut entry = p.entry.clone();
    if let (ProviderKind::Codex, Some(effort)) = (p.kind, effort) {
        let setting = format!("model_reasoning_effort=\"{effort}\"");
        entry.args.extend(["-c".to_owned(), setting]);
    }
    entry
}

/// The end of a program's own log that is read; the last run's part is far smaller.
const LOG_TAIL: usize = 8 * 1024 * 1024;

/// The file that the pattern names, within bounds; logs of other programs are only read.
fn find_log(log: &provider::LogFile) -> Option<String> {
    let mut open = vec![(log.root.clone(), 0)];
    let mut seen = 0;
    while let Some((dir, depth)) = open.pop() {
        for entry in std::fs::read_dir(dir).ok()?.flatten() {
            seen += 1;
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if seen > 100_000 {
                return None;
            } else if kind.is_dir() && depth < 4 {
                open.push((entry.path(), depth + 1));
            } else if kind.is_file() && log.is(&entry.file_name().to_string_lossy()) {
                let Ok(bytes) = std::fs::read(entry.path()) else {
                    continue;
                };
                let text = String::from_utf8_lossy(&bytes);
                if text.contains(&log.holds) {
                    let from = text.len().saturating_sub(LOG_TAIL);
                    return Some(text[text.ceil_char_boundary(from)..].to_owned());
                }
            }
        }
    }
    None
}

/// Commits whatever the attempt left in its worktree and keeps it under the attempt's own ref,
/// however the run ended.
async fn keep_work(
    ctx: &Context,
    job: &Job,
    place: &Place,
) -> Result<Option<String>, crate::git::GitError> {
    let (Some(repo), Some(base)) = (&place.repo, &place.base) else {
        return Ok(None);
    };
    let mut message = Message {
        subject: one_line(&job.bead.title, 72),
        body: String::new(),
        trailers: vec![
            ("Rigs-Bead".into(), job.bead.id.to_string()),
            ("Rigs-Attempt".into(), job.fence.attempt.to_string()),
            ("Rigs-Provider".into(), job.provider.to_string()),
        ],
    };
    if let Some(conflict) = &job.resolves {
        let original = ("Rigs-Merges".into(), conflict.original.to_string());
        message.trailers.push(original);
    }
    let tree = repo.worktree(&place.dir);
    worktree::unshare(ctx, repo.root(), &place.dir)?;
    ctx.before("work.committed");
    tree.commit_all(&message).await?;
    ctx.after("work.committed");
    let head = tree.head_commit().await?;
    if head == *base {
        return Ok(None);
    }
    let kept_as = worktree::attempt_ref(&job.bead.id, job.fence.attempt);
    ctx.before("work.kept");
    repo.update_ref(&kept_as, &head, None).await?;
    ctx.after("work.kept");
    tracing::debug!(bead = %job.bead.id, commit = %head, "work kept by {}", ctx.paths.home().display());
    Ok(Some(head))
}
