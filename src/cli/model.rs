//! `rigs model`: the models that run inside this process.

mod add;
pub(crate) mod fetch;
mod list;
mod pull;
mod remove;

use super::{App, Ended, Failure};
use crate::config::home;
use crate::core::text::thousands;
use crate::llm::store::{Model, ModelStore};
use crate::view::model::ModelView;

/// Manage the models that rigs runs in its own process
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Pull(pull::Args),
    Add(add::Args),
    Remove(remove::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::List(args) => list::run(&args, app),
        Command::Pull(args) => pull::run(args, app).await,
        Command::Add(args) => add::run(args, app).await,
        Command::Remove(args) => remove::run(args, app).await,
    }
}

/// A model of the store, as it is told.
fn view(model: Model) -> ModelView {
    ModelView {
        name: model.name,
        size_bytes: model.size_bytes,
        here: true,
        problem: model.broken,
        path: Some(model.path.display().to_string()),
        architecture: Some(model.architecture),
        context: model.context,
        licence: None,
        sha256: model.sha256,
        added_at: Some(model.added_at),
    }
}

/// `145 MB`.
fn size(bytes: u64) -> String {
    format!("{} MB", thousands(bytes.div_ceil(1_000_000)))
}

/// The folder of models in the home folder, which is checked first.
fn store(app: &App) -> Result<ModelStore, Failure> {
    let paths = &app.config()?.paths;
    home::prepare(paths.home())?;
    Ok(ModelStore::new(paths.models()))
}
