//! `rigs goal plan`

use std::path::PathBuf;

use super::super::signals::Signals;
use super::super::{App, Ended, Exit, input};
use crate::foreman::Wish;

/// Show how a goal would be done: its beads, their providers, tokens and time
///
/// Nothing is executed or stored, except the plan itself with --save.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs goal plan \"add a --version flag\"
  rigs goal plan \"add a --version flag\" --save plan.json
  rigs goal execute --plan plan.json
  git log -1 --format=%B | rigs goal plan -")]
pub(crate) struct Args {
    /// What is wanted, in a sentence or more; - reads it from stdin
    #[arg(value_name = "GOAL")]
    pub(crate) goal: String,
    /// Repository to work on; default: the one around the current folder
    #[arg(long, value_name = "DIR")]
    pub(crate) repo: Option<PathBuf>,
    /// Plan text work, even inside a repository
    #[arg(long, conflicts_with = "repo")]
    pub(crate) no_repo: bool,
    /// Open the plan in $EDITOR before it is shown or saved
    #[arg(long)]
    pub(crate) edit: bool,
    /// Say which past work the estimates rest on
    #[arg(long)]
    pub(crate) explain: bool,
    /// Write the plan to FILE, for `rigs goal execute --plan FILE`
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let Args {
        goal,
        repo,
        no_repo,
        edit,
        explain,
        save,
    } = args;
    let goal = input::text(&goal, "goal")?;
    let mut ctx = super::context(app).await?;
    ctx.probe().await;
    let ground = super::ground(app, &ctx, repo.as_deref(), no_repo).await?;
    let mut signals = Signals::listen()?;
    let plan = signals
        .or(super::run::make_plan(app, &ctx, &goal, ground.as_ref()))
        .await
        .map_err(super::interrupted)??;
    let plan = if edit {
        super::run::edited(app, &ctx, plan).await?
    } else {
        plan
    };
    if let Some(file) = &save {
        super::run::save(&app.env.cwd().join(file), &plan)?;
        app.out.note(format!(
            "the plan is in {}; execute it with `rigs goal execute --plan {}`",
            file.display(),
            file.display()
        ))?;
    }
    let view = super::run::plan_view(&ctx, &plan, ground.as_ref(), &Wish::default()).await?;
    app.out
        .answer(&view, |page| super::summary::plan(page, &view, explain))?;
    Ok(Exit::Done)
}
