//! `rigs provider`: who can run beads.

mod add;
mod detect;
mod list;
mod remove;
pub(crate) mod test;

use std::path::Path;

use super::{App, Ended, Failure};
use crate::config::edit::{self, EditError};
use crate::config::load::Located;

/// List, add, remove, find and test providers, the ways to run a bead
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Add(add::Args),
    Remove(remove::Args),
    Detect(detect::Args),
    Test(test::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::List(args) => list::run(&args, app),
        Command::Add(args) => add::run(args, app),
        Command::Remove(args) => remove::run(args, app),
        Command::Detect(args) => detect::run(&args, app),
        Command::Test(args) => test::run(args, app).await,
    }
}

/// Changes the configuration's file; what would not be a valid configuration is refused, with
/// the reasons, and the file stays as it was.
fn placed(
    app: &App,
    located: &Located,
    fresh: &str,
    change: impl FnOnce(&str) -> Result<String, EditError>,
) -> Result<(), Failure> {
    edit::change(&located.file, fresh, change, |draft: &Path| {
        app.would_be(draft).map_err(|failure| {
            let shown = |text: String| {
                text.replace(
                    &draft.display().to_string(),
                    &located.file.display().to_string(),
                )
            };
            Failure {
                message: format!("this would not be valid: {}", shown(failure.message)),
                ..failure
            }
            .hint("the file is unchanged")
        })
    })
}
