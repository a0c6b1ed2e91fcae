//! `rigs goal execute`

use std::path::PathBuf;

use super::super::signals::Signals;
use super::super::{App, Ended, Failure, Kind, input, when::When};
use super::run::Way;
use crate::assayer::Plan;
use crate::config::Strategy;
use crate::core::{MicroUsd, ProviderName};
use crate::depot::NewConvoy;
use crate::foreman::{Context, Wish};

/// Plan a goal, run its beads, check and merge their work, until it is done
///
/// Each bead runs in a worktree of its own; what passes the gate is merged into the branch
/// rigs/CONVOY. Your branch and your files stay as they are until `--land` or
/// `rigs convoy land`. At a limit the work waits for its reset and goes on; Ctrl-C puts
/// everything back, and `rigs goal resume` continues.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs goal execute \"make the failing tests pass\"
  rigs goal execute \"add a --version flag\" --gate \"cargo test\" --land
  rigs goal execute --plan plan.json --max-parallel 2 --no-wait
  rigs goal execute \"write a haiku about queues\" --no-repo -y

Exit codes: 0 done, 1 a bead failed or is blocked, 7 no provider can take the work,
75 waiting for capacity (only with --no-wait), 130 interrupted after work was put back")]
pub(crate) struct Args {
    /// What is wanted, in a sentence or more; - reads it from stdin
    #[arg(value_name = "GOAL", required_unless_present = "plan")]
    pub(crate) goal: Option<String>,
    /// Execute the plan that `rigs goal plan --save` wrote to FILE
    #[arg(long, value_name = "FILE", conflicts_with = "goal")]
    pub(crate) plan: Option<PathBuf>,
    /// Repository to work on; default: the one around the current folder
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// Do text work, even inside a repository
    #[arg(long, conflicts_with_all = ["repo", "land", "gate"])]
    pub(crate) no_repo: bool,
    /// How long to wait for the best provider; default: routing.strategy
    #[arg(long, value_parser = input::word::<Strategy>(Strategy::WORDS))]
    pub(crate) strategy: Option<Strategy>,
    /// Use only this provider
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<ProviderName>,
    /// Run at most N beads at once; default: general.max_parallel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_parallel: Option<u32>,
    /// Stop starting beads when the goal has used N tokens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) budget_tokens: Option<u64>,
    /// Stop starting beads when the goal has cost X dollars
    #[arg(long, value_name = "X")]
    pub(crate) budget_usd: Option<MicroUsd>,
    /// When it should be done; of equal priority, what is due sooner goes first: 6h, or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<When>,
    /// Command that must succeed before work is merged; repeat for several; default: detected
    #[arg(long, value_name = "CMD")]
    pub(crate) gate: Vec<String>,
    /// Store the work for a running foreman and return at once
    #[arg(long)]
    pub(crate) detach: bool,
    /// Exit 75 instead of waiting when only waiting is left
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Merge the finished work into your branch
    #[arg(long)]
    pub(crate) land: bool,
    /// Do not ask before starting
    #[arg(short, long)]
    pub(crate) yes: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let Args {
        goal,
        plan,
        repo,
        no_repo,
        strategy,
        provider,
        max_parallel,
        budget_tokens,
        budget_usd,
        deadline,
        gate,
        detach,
        no_wait,
        land,
        yes,
    } = args;
    let gate = gates(&gate)?;
    let goal = match (goal, plan) {
        (Some(goal), _) => Wanted::Goal(input::text(&goal, "goal")?),
        (None, Some(file)) => Wanted::Plan(super::run::load(&app.env.cwd().join(file))?),
        (None, None) => return Err(Failure::usage("no goal was given")),
    };
    let mut ctx = super::context(app).await?;
    if let Some(name) = &provider {
        known_provider(&ctx, name)?;
    }
    if !detach {
        super::run::not_halted(&ctx).await?;
    }
    let ground = super::ground(app, &ctx, repo.as_deref(), no_repo).await?;
    if land && ground.is_none() {
        return Err(Failure::usage("--land needs a repository")
            .hint("leave it out, or name the repository with --repo"));
    }
    let mut signals = Signals::reloading(std::sync::Arc::clone(&ctx.reload))?;
    super::first_use::provide(
        app,
        &mut ctx,
        &mut signals,
        ground.is_some(),
        provider.as_ref(),
        yes,
    )
    .await?;
    let plan = match goal {
        Wanted::Plan(plan) => plan,
        Wanted::Goal(goal) => signals
            .or(super::run::make_plan(app, &ctx, &goal, ground.as_ref()))
            .await
            .map_err(super::interrupted)??,
    };
    super::run::can_be_done(&ctx, &plan, ground.is_some(), provider.as_ref())?;
    let wish = Wish {
        provider: provider.clone(),
        strategy,
    };
    let view = super::run::plan_view(&ctx, &plan, ground.as_ref(), &wish).await?;
    if !app.out.is_json() {
        super::run::show_plan(app, &view)?;
        if !yes && !super::run::confirmed(app)? {
            return Err(Failure::new(Kind::Interrupted, "nothing was started")
                .hint("`-y` starts without asking"));
        }
    }
    let new = NewConvoy {
        name: crate::core::text::one_line(&plan.goal, 80),
        goal: Some(plan.goal.clone()),
        base: ground.map(|g| g.base),
        gate,
        strategy,
        provider,
        max_parallel: max_parallel.map(i64::from),
        budget_tokens: budget_tokens.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
        budget_micro_usd: budget_usd.map(|usd| usd.0),
        deadline: deadline.map(|when| when.ahead(app.now())),
        served_by: None,
        planned_by: Some(plan.planned_by.clone()),
    };
    let convoy = crate::foreman::goal::store(&ctx, &plan, new).await?;
    if detach {
        return super::run::detached(app, &ctx, &convoy).await;
    }
    super::run::to_its_end(
        app,
        &ctx,
        &mut signals,
        &convoy,
        Way {
            wait: !no_wait,
            land,
        },
    )
    .await
}

enum Wanted {
    Goal(String),
    Plan(Plan),
}

/// Gate commands as a person types them, to argv. Only words and quotes: no shell is involved.
fn gates(given: &[String]) -> Result<Option<Vec<Vec<String>>>, Failure> {
    let mut gates = Vec::new();
    for command in given {
        let argv = input::words(command).map_err(|reason| {
            Failure::usage(format!("--gate {command:?}: {reason}"))
                .hint("give a program and its arguments; for a pipeline write `sh -c '...'`")
        })?;
        gates.push(argv);
    }
    Ok((!gates.is_empty()).then_some(gates))
}

fn known_provider(ctx: &Context, name: &ProviderName) -> Result<(), Failure> {
    if ctx.providers.contains_key(name) {
        return Ok(());
    }
    let names: Vec<&str> = ctx.providers.keys().map(ProviderName::as_str).collect();
    let failure = Failure::not_found(format!("no provider `{name}`"));
    Err(
        match crate::core::suggest::nearest(name.as_str(), names.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`rigs provider list` shows the names"),
        },
    )
}
