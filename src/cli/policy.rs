//! `rigs policy`: the rules about who may run what, and what they say.

mod check;
mod explain;
mod list;
mod simulate;
mod text;

use std::path::{Path, PathBuf};

use super::{App, Ended, Failure};
use crate::foreman::Context;
use crate::policy::live::{self, Live};

/// Check the rules about who may run what, and see what they say
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(check::Args),
    List(list::Args),
    Explain(explain::Args),
    Simulate(Box<simulate::Args>),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Check(args) => check::run(&args, app),
        Command::List(args) => list::run(&args, app),
        Command::Explain(args) => explain::run(args, app).await,
        Command::Simulate(args) => simulate::run(*args, app).await,
    }
}

/// The rules of the file that was named, or those in force.
fn rules(app: &App, file: Option<&Path>) -> Result<Live, Failure> {
    if let Some(file) = file {
        return Ok(live::open(&app.env.cwd().join(file), true)?);
    }
    let config = app.config()?;
    let rules = crate::foreman::rules::open(&config.settings, &config.paths)?;
    Ok(rules)
}

/// The rest of what a decision needs; the rules of a named file in place of those in force.
async fn context(app: &App, file: Option<&PathBuf>) -> Result<(Context, Live), Failure> {
    let rules = rules(app, file.map(PathBuf::as_path))?;
    let ctx = super::goal::context(app).await?;
    Ok((ctx, rules))
}
