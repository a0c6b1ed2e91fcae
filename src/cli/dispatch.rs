//! `rigs dispatch`: the plan of the queue, why a bead goes where it goes, and who does what well.

mod affinity;

use super::{App, Ended, Failure, simulate, why};
use super::{Exit, Kind};

/// Show the plan of the queue, or why a bead goes where it goes
///
/// A foreman gives beads out one by one, as room comes; this command plays the queue through in
/// advance, and what happens on the way may change order and provider.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  rigs dispatch --dry-run
  rigs dispatch explain gt-a1b2c
  rigs dispatch affinity"
)]
pub(crate) struct Args {
    /// Print the plan; nothing is changed
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Explain(why::Args),
    Affinity(affinity::Args),
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    match args.command {
        Some(Command::Explain(args)) => why::run(args, app).await,
        Some(Command::Affinity(args)) => affinity::run(args, app).await,
        None if args.dry_run => {
            let planned = simulate::planned(app, app.now(), &[], 1).await?;
            app.out
                .answer(&planned, |page| simulate::show(page, &planned))?;
            Ok(Exit::Done)
        }
        None => Err(Failure::new(
            Kind::NotPossible,
            "beads are given out by a foreman or a goal, all the time",
        )
        .hint("`rigs foreman start` begins; `rigs dispatch --dry-run` shows the plan")),
    }
}
