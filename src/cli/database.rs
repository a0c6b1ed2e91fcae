//! `rigs db`: the file that everything is kept in.

mod backup;
pub(crate) mod check;

use super::{App, Ended};

/// Check the store, or copy it
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Backup(backup::Args),
    Check(check::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Backup(args) => backup::run(args, app).await,
        Command::Check(args) => check::run(args, app).await,
    }
}
