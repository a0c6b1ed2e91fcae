//! What the commands of `rigs goal` share: making a plan, asking, running it to its end.

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::time::Duration;

use super::super::failure::Exit;
use super::super::signals::Signals;
use super::super::{App, Ended as Answer, Failure, Kind};
use super::progress::Progress;
use super::summary;
use crate::assayer::estimator::{Features, MOST_RUNS, make};
use crate::assayer::plan::{Author, check};
use crate::assayer::{Picture, Plan, planner};
use crate::core::{Capability, ConvoyId, ConvoyStatus, ProviderName};
use crate::depot::store as depot;
use crate::foreman::goal::{Ground, Role, work};
use crate::foreman::{Context, Ended, Follower, Interrupt, planning};
use crate::view::goal::{GoalSummary, PlanView, PlannedLine};

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Largest plan file, in bytes.
const PLAN_BYTES: u64 = 4 * 1024 * 1024;

/// How a goal is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// At a wall, wait for its reset.
    pub(crate) wait: bool,
    /// Merge the finished work into the base branch.
    pub(crate) land: bool,
}

/// Plans a goal with the best backend there is.
pub(crate) async fn make_plan(
    app: &mut App,
    ctx: &Context,
    goal: &str,
    ground: Option<&Ground>,
) -> Result<Plan, Failure> {
    let picture = match ground {
        Some(g) => Picture::read(&g.base.repo).with_git(&g.base.branch, g.dirty),
        None => Picture::none(),
    };
    let (backends, notes) = planning::backends(ctx).await;
    for note in notes {
        app.out.note(format!("not planning with {note}"))?;
    }
    if let Some(first) = backends.first() {
        app.out.note(format!("planning with {} …", first.label))?;
    }
    Ok(planner::plan(goal, &picture, &backends, &ctx.clock).await)
}

/// The plan with estimates and where each bead would go now.
pub(crate) async fn plan_view(
    ctx: &Context,
    plan: &Plan,
    ground: Option<&Ground>,
    wish: &crate::foreman::Wish,
) -> Result<PlanView, Failure> {
    let gates = ground
        .map(|g| crate::foreman::gate_commands(ctx, &g.base.repo))
        .unwrap_or_default();
    let repo = ground.map(|g| g.base.repo.to_string_lossy().into_owned());
    let history = crate::foreman::past_runs(&mut *ctx.db.read().await?, MOST_RUNS).await?;
    let mut beads = Vec::with_capacity(plan.beads.len());
    for bead in &plan.beads {
        let features = Features {
            task_type: bead.task_type,
            complexity: bead.complexity,
            agent: ground.is_some(),
            prompt_tokens: crate::assayer::tokens::about(&bead.description),
            provider: None,
            model: None,
            repo: repo.as_deref(),
        };
        let made = make(&features, &history);
        let (estimate, estimate_from) = (made.estimate, made.because(&features, &history));
        let task = bead.task_type;
        let (provider, route) =
            crate::foreman::route(ctx, task, repo.as_deref(), estimate.p80, wish).await?;
        beads.push(PlannedLine {
            key: bead.key.clone(),
            title: bead.title.clone(),
            description: bead.description.clone(),
            task_type: bead.task_type,
            depends_on: bead.depends_on.clone(),
            acceptance_criteria: bead.acceptance_criteria.clone(),
            files: bead.files.clone(),
            estimate,
            estimate_from,
            provider,
            route,
        });
    }
    Ok(PlanView {
        goal: plan.goal.clone(),
        planned_by: plan.planned_by.clone(),
        notes: plan.notes.clone(),
        repo: ground.map(|g| g.base.repo.display().to_string()),
        base_branch: ground.map(|g| g.base.branch.clone()),
        gates: gates.iter().map(|argv| argv.join(" ")).collect(),
        tokens_p50: beads.iter().map(|b| b.estimate.p50).sum(),
        tokens_p95: beads.iter().map(|b| b.estimate.p95).sum(),
        beads,
    })
}

/// Refuses to begin what would not go on.
pub(crate) async fn not_halted(ctx: &Context) -> Result<(), Failure> {
    let halted = depot::halted(&mut *ctx.db.read().await?).await?;
    match halted {
        None => Ok(()),
        Some(held) => Err(super::super::stop::held(&held)),
    }
}

/// Reads a plan file and checks it as strictly as a model's plan.
pub(crate) fn load(file: &Path) -> Result<Plan, Failure> {
    let named = |text: String| Failure::usage(format!("{}: {text}", file.display()));
    let size = std::fs::metadata(file)
        .map_err(|e| named(e.to_string()))?
        .len();
    if size > PLAN_BYTES {
        return Err(named("a plan is never larger than 4 MiB".into()));
    }
    let text = std::fs::read_to_string(file).map_err(|e| named(e.to_string()))?;
    let plan = Plan::from_json(&text).map_err(|e| {
        let mut failure = named(e.to_string());
        // The parser's own words: the line, and the words that would have been right.
        failure
            .causes
            .extend(std::error::Error::source(&e).map(ToString::to_string));
        failure
    })?;
    match check(&plan, Author::Person).as_slice() {
        [] => Ok(plan),
        problems => Err(named(problems.join("; "))
            .hint("`rigs goal plan --save FILE` writes one in the right form")),
    }
}

/// Writes a plan file, whole or not at all.
pub(crate) fn save(file: &Path, plan: &Plan) -> Result<(), Failure> {
    let part = file.with_extension("json.part");
    let written = std::fs::write(&part, plan.to_json()).and_then(|()| std::fs::rename(&part, file));
    written.map_err(|e| {
        Failure::new(
            Kind::Failed,
            format!("the plan cannot be written to {}: {e}", file.display()),
        )
    })
}

/// Lets the person change the plan in their editor, until it is sound.
pub(crate) async fn edited(app: &mut App, ctx: &Context, plan: Plan) -> Result<Plan, Failure> {
    let editor = app
        .env
        .get("VISUAL")
        .or_else(|| app.env.get("EDITOR"))
        .map(str::to_owned);
    let editor = editor.ok_or_else(|| {
        Failure::usage("--edit needs the variable EDITOR").hint("EDITOR=nano rigs goal plan …")
    })?;
    let argv =
        super::super::input::words(&editor).map_err(|e| Failure::usage(format!("EDITOR: {e}")))?;
    let dir = ctx.paths.scratch();
    crate::foreman::private_dir(&dir)?;
    let file = dir.join(format!("plan-{}.json", ctx.ids.token()));
    save(&file, &plan)?;
    let edited = crate::process::interactive(&argv, &file, app.env.iter()).await;
    let plan = match edited {
        Ok(true) => load(&file),
        Ok(false) => Err(Failure::new(
            Kind::Interrupted,
            "the editor failed; nothing was changed",
        )),
        Err(e) => Err(Failure::usage(format!(
            "the editor {editor:?} cannot be started: {e}"
        ))),
    };
    match plan {
        Ok(plan) => {
            std::fs::remove_file(&file)?;
            Ok(plan)
        }
        Err(failure) => Err(failure.hint(format!("your text is kept in {}", file.display()))),
    }
}

pub(crate) fn show_plan(app: &mut App, view: &PlanView) -> Result<(), Failure> {
    let mut page = super::super::page::Page::new(app.out.width());
    summary::plan(&mut page, view, false);
    app.out.note(page.into_text().trim_end())
}

/// Asks on a terminal; without one, running is what was asked for.
pub(crate) fn confirmed(app: &mut App) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || !app.out.is_live() {
        return Ok(true);
    }
    app.out.note("\nStart? [Y/n] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_lowercase().as_str(),
        "" | "y" | "yes"
    ))
}

/// Refuses a plan that no provider of this machine can do, before anything is stored.
pub(crate) fn can_be_done(
    ctx: &Context,
    plan: &Plan,
    has_repo: bool,
    only: Option<&ProviderName>,
) -> Result<(), Failure> {
    let mut reasons = Vec::new();
    let edits = has_repo && plan.beads.iter().any(|b| b.task_type.changes_files());
    for (name, p) in ctx
        .providers
        .iter()
        .filter(|(name, _)| only.is_none_or(|o| o == *name))
    {
        match &p.unusable {
            Some(reason) => reasons.push(format!("{name}: {reason}")),
            None if edits && !p.entry.can(Capability::Edit) => {
                reasons.push(format!("{name}: it cannot edit files"));
            }
            None => return Ok(()),
        }
    }
    let what = if edits {
        "no provider can do coding work"
    } else {
        "no provider can be used"
    };
    let mut failure = Failure::new(Kind::NoProvider, what);
    failure.causes = reasons;
    let failure = if edits {
        failure.hint("install Claude Code (`npm i -g @anthropic-ai/claude-code`) or Codex (`npm i -g @openai/codex`), log in, then run `rigs init`")
    } else {
        failure
            .hint("install Ollama, Claude Code or Codex, or set an API key, then run `rigs init`")
    };
    Err(failure.hint("`rigs provider test` says what each one lacks"))
}

/// `--detach`: stored, for a foreman to take up.
pub(crate) async fn detached(app: &mut App, ctx: &Context, convoy: &ConvoyId) -> Answer {
    let summary = summary_of(
        ctx,
        convoy,
        &Ended::Over,
        Way {
            wait: true,
            land: false,
        },
    )
    .await?;
    app.out
        .answer(&summary, |page| page.line(convoy.as_str()))?;
    app.out
        .note("stored; a running foreman takes it up, or start one: rigs foreman start")?;
    Ok(Exit::Done)
}

/// Drives or follows the convoy to its end, shows progress meanwhile and a summary after.
pub(crate) async fn to_its_end(
    app: &mut App,
    ctx: &Context,
    signals: &mut Signals,
    convoy: &ConvoyId,
    way: Way,
) -> Answer {
    let follower = Follower::from_now(&ctx.db, convoy).await?;
    let mut progress = Progress::new(app, follower);
    app.out.note(format!(
        "{convoy}: working on it (`rigs convoy show {convoy}` from elsewhere)"
    ))?;
    let mut followed = false;
    let mut seen = signals.seen.clone();
    let ended = {
        let work = work(ctx, convoy, way.wait, &mut signals.queue, |role| {
            followed |= role == Role::Following;
        });
        tokio::pin!(work);
        loop {
            tokio::select! {
                ended = &mut work => break ended,
                Ok(()) = seen.changed() => if *seen.borrow() == 1 {
                    app.out.note(Signals::stopping(ctx.settings.foreman.grace.0))?;
                },
                () = ctx.clock.sleep(LOOK) => progress.look(app, ctx).await?,
            }
        }
    };
    progress.look(app, ctx).await?;
    progress.finish();
    let ended = ended?;
    if followed {
        app.out.note("another foreman did the work")?;
    }
    let failure = if way.land && is_completed(ctx, convoy).await? {
        land(app, ctx, convoy).await.err()
    } else {
        None
    };
    let summary = summary_of(ctx, convoy, &ended, way).await?;
    let now = app.now();
    app.out
        .answer(&summary, |page| summary::show(page, &summary, &ended, now))?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(exit(&summary, &ended)),
    }
}

async fn is_completed(ctx: &Context, convoy: &ConvoyId) -> Result<bool, Failure> {
    let mut conn = ctx.db.read().await?;
    Ok(depot::convoy(&mut conn, convoy)
        .await?
        .is_some_and(|c| c.status == ConvoyStatus::Completed))
}

async fn land(app: &mut App, ctx: &Context, convoy: &ConvoyId) -> Result<(), Failure> {
    let landed = super::super::convoy::land::land(app, &ctx.db, convoy, false).await?;
    app.out.note(landed)
}

pub(crate) async fn summary_of(
    ctx: &Context,
    convoy: &ConvoyId,
    ended: &Ended,
    way: Way,
) -> Result<GoalSummary, Failure> {
    let mut conn = ctx.db.read().await?;
    let found = depot::convoy(&mut conn, convoy)
        .await?
        .ok_or_else(|| Failure::not_found(format!("no convoy {convoy}")))?;
    let mut summary = crate::view::goal::summary(&mut conn, &found, ctx.clock.now()).await?;
    summary.next = summary::next(&summary, ended, way);
    Ok(summary)
}

/// The order in which several truths about the end count.
fn exit(summary: &GoalSummary, ended: &Ended) -> Exit {
    let p = &summary.progress;
    match ended {
        Ended::Interrupted(Interrupt::Int) => Exit::But(Kind::Interrupted),
        Ended::Interrupted(Interrupt::Term) => Exit::But(Kind::Terminated),
        _ if p.failed > 0 || p.blocked > 0 => Exit::But(Kind::Failed),
        Ended::Stuck(_) => Exit::But(Kind::NoProvider),
        Ended::Waiting(_) => Exit::But(Kind::Waiting),
        Ended::Paused | Ended::Halted => Exit::But(Kind::NotPossible),
        Ended::Over if summary.status == ConvoyStatus::Cancelled => Exit::But(Kind::Failed),
        Ended::Over => Exit::Done,
    }
}
