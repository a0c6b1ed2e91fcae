//! `rigs db`: the file that everything is kept in.

mod archive;
mod backup;
pub(crate) mod check;

use super::{App, Ended};

/// Check the store, copy it, or archive what is long over
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Archive(archive::Args),
    Backup(backup::Args),
    Check(check::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Archive(args) => archive::run(args, app).await,
        Command::Backup(args) => backup::run(args, app).await,
        Command::Check(args) => check::run(args, app).await,
    }
}
