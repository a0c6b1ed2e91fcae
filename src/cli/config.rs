//! `rigs config`: what the settings are, and why.

mod check;
mod path;
mod show;

use super::{App, Ended};

/// Show and check the settings
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Show(show::Args),
    Check(check::Args),
    Path(path::Args),
}

pub(crate) fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Show(args) => show::run(&args, app),
        Command::Check(args) => check::run(&args, app),
        Command::Path(args) => path::run(&args, app),
    }
}
