//! `rigs assayer`: how good the estimates are.

mod calibration;

use super::{App, Ended};

/// See how good estimates are
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Calibration(calibration::Args),
}

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Calibration(args) => calibration::run(&args, app).await,
    }
}
