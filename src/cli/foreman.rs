//! `rigs foreman`: the loop that drives everything.

pub(crate) mod start;

use super::{App, Ended};

/// Run the loop that plans, dispatches, watches and merges
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Start(start::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Start(args) => start::run(args, app).await,
    }
}
