//! `rigs notify`: telling a person outside.

mod test;

use super::{App, Ended};

/// Try out who is told when something needs you
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Test(test::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Test(args) => test::run(args, app).await,
    }
}
