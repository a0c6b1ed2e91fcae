//! `rigs provider`: who can run beads.

mod list;
mod test;

use super::{App, Ended};

/// List and test providers, the ways to run a bead
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Test(test::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::List(args) => list::run(&args, app),
        Command::Test(args) => test::run(args, app).await,
    }
}
