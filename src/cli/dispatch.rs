//! `rigs dispatch`: the plan of the queue, why a bead goes where it goes, and who does what well.

mod affinity;

use super::{App, Ended, Exit, simulate, why};

/// Show the plan of the queue, or why a bead goes where it goes
///
/// Nothing is changed: a foreman asks the same plan at every event and gives beads out as room
/// comes; what happens on the way may change order and provider.
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
    /// Print the plan and nothing else; without it a word on who carries it out is added
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
        None => {
            let planned = simulate::planned(app, app.now(), &[], 1).await?;
            app.out
                .answer(&planned, |page| simulate::show(page, &planned))?;
            if !args.dry_run && !planned.beads.is_empty() {
                app.out.note(
                    "Nothing was given out: a foreman or a goal does that; `rigs foreman start` begins.",
                )?;
            }
            Ok(Exit::Done)
        }
    }
}
