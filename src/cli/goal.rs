//! `rigs goal`: from a goal to checked, merged work.

pub(crate) mod execute;
mod first_use;
pub(crate) mod plan;
mod progress;
pub(crate) use progress::sentence;
pub(crate) mod resume;
mod run;
mod summary;

use std::path::Path;

use super::{App, Ended, Failure, Kind};
use crate::db::Mode;
use crate::foreman::goal::Ground;
use crate::foreman::{Context, ForemanError, Interrupt, NoPlace};
use crate::llm::store::StoreError;

/// Plan a goal, run it, go on with it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Plan(plan::Args),
    Execute(execute::Args),
    Resume(resume::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Plan(args) => plan::run(args, app).await,
        Command::Execute(args) => execute::run(args, app).await,
        Command::Resume(args) => resume::run(args, app).await,
    }
}

/// Everything the foreman needs, from the settings of this command.
pub(crate) async fn context(app: &App) -> Result<Context, Failure> {
    let config = app.config()?;
    let (settings, paths) = (config.settings.clone(), config.paths.clone());
    let db = app.store(Mode::Foreman).await?;
    let mut ctx = Context::new(
        db,
        app.clock.clone(),
        app.ids.clone(),
        settings,
        paths,
        app.env.clone(),
    )?;
    ctx.source = app.given().clone();
    Ok(ctx)
}

/// The repository to work on: the one that was named, or the one around the current folder.
pub(crate) async fn ground(
    app: &mut App,
    ctx: &Context,
    repo: Option<&Path>,
    no_repo: bool,
) -> Result<Option<Ground>, Failure> {
    if no_repo {
        return Ok(None);
    }
    let dir = repo.map_or_else(|| app.env.cwd().to_owned(), |dir| app.env.cwd().join(dir));
    let ground = crate::foreman::goal::ground(ctx, &dir).await?;
    if ground.is_none() && repo.is_some() {
        return Err(Failure::new(
            Kind::NotPossible,
            format!("{} is not in a git repository", dir.display()),
        )
        .hint("`git init` it, or do text work with --no-repo"));
    }
    if let Some(ground) = &ground {
        let mut conn = ctx.db.read().await?;
        super::repo::warn_untrusted(app, &mut conn, &ground.base).await?;
    }
    if ground.as_ref().is_some_and(|g| g.dirty) {
        app.out.note(
            "your uncommitted changes are not part of this: the work starts from the last commit",
        )?;
    }
    Ok(ground)
}

/// The failure of being interrupted before there was anything to put back.
pub(crate) fn interrupted(which: Interrupt) -> Failure {
    let kind = match which {
        Interrupt::Int => Kind::Interrupted,
        Interrupt::Term => Kind::Terminated,
    };
    Failure::new(kind, "interrupted; nothing was started")
}

impl From<NoPlace> for Failure {
    fn from(error: NoPlace) -> Self {
        Self::from_error(Kind::Store, &error).hint("check the owner and mode of the folder")
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (kind, hint) = match &error {
            StoreError::NotFound { .. } => (Kind::NotFound, "`rigs model list` shows what is here"),
            StoreError::NameTaken(_) => (
                Kind::NotPossible,
                "`rigs model remove` the old one first, or rename the file",
            ),
            StoreError::NotAModel { .. } => (Kind::Usage, "give a GGUF file of an instruct model"),
            StoreError::Damaged { .. } => (
                Kind::Failed,
                "`rigs model remove` it and fetch or add it again",
            ),
            StoreError::DiskFull { .. } => (
                Kind::Store,
                "free some space; what was fetched is kept for the next try",
            ),
            StoreError::Unavailable { .. } => (
                Kind::NoProvider,
                "bring a GGUF file here yourself with `rigs model add FILE`, or install Ollama or an agent CLI",
            ),
            StoreError::Manifest { .. } | StoreError::Io { .. } | StoreError::Task(_) => {
                (Kind::Store, "check the owner and mode of the folder")
            }
            StoreError::Stopped => (
                Kind::Interrupted,
                "the next try goes on where this one stopped",
            ),
        };
        Self::from_error(kind, &error).hint(hint)
    }
}

impl From<ForemanError> for Failure {
    fn from(error: ForemanError) -> Self {
        match error {
            ForemanError::Db(error) => error.into(),
            ForemanError::Depot(error) => error.into(),
            ForemanError::Git(error) => error.into(),
            ForemanError::Policy(error) => error.into(),
            ForemanError::NoProvider(_) => Self::from_error(Kind::NotFound, &error)
                .hint("`rigs provider list` shows the names"),
            ForemanError::Io { .. } => Self::from_error(Kind::Store, &error)
                .hint("check the owner and mode of the file and of its folder"),
        }
    }
}
