//! The command line: words in, exit code out. One file per leaf command; each takes its parsed
//! arguments and the [`App`], gives its answer through `app.out`, and says how it ended.

mod app;
mod assayer;
pub(crate) mod bead;
mod completions;
mod config;
mod convoy;
mod cost;
mod database;
mod dispatch;
mod doctor;
mod events;
pub(crate) mod failure;
pub(crate) mod find;
mod foreman;
mod goal;
mod init;
mod input;
mod model;
mod narrow;
mod notify;
pub(crate) mod output;
pub(crate) mod page;
mod policy;
mod provider;
mod repo;
mod schema;
mod signals;
mod simulate;
mod status;
mod stop;
mod tank;
mod thaw;
mod trust;
mod usage;
pub(crate) mod when;
mod why;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

pub(crate) use app::App;
pub(crate) use failure::{Exit, Failure, Kind};
pub(crate) use output::{Color, Format};

use crate::config::Env;

/// Run coding work across every AI subscription, API key and local model you have, without
/// running into their rate limits
///
/// State a goal: rigs plans it, runs each part on the provider that suits it and has room, checks
/// and merges the results, and waits out limits until it is done.
#[derive(Debug, Parser)]
#[command(
    name = "rigs",
    version,
    disable_help_subcommand = true,
    after_help = AFTER_HELP
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  rigs goal execute \"add a --version flag\"    plan it, run it, check it, merge it
  id=$(rigs bead create \"test the parser\" -t test)
  rigs tank list                               what capacity is left
  rigs why $id                                 every decision about a bead

Exit codes:
  0 done   1 failed   2 usage   3 not found   4 not possible now   5 configuration
  6 store   7 no provider   75 waiting for capacity   130, 143 interrupted";

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Read settings from FILE instead of config.toml in the home folder
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep everything in DIR instead of $RIGS_HOME or ~/.rigs
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Log more to stderr; repeat for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing but the answer and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    #[command(subcommand)]
    Goal(goal::Command),
    #[command(subcommand)]
    Bead(bead::Command),
    #[command(subcommand)]
    Convoy(convoy::Command),
    #[command(subcommand)]
    Tank(tank::Command),
    #[command(subcommand)]
    Provider(provider::Command),
    #[command(subcommand)]
    Model(model::Command),
    #[command(subcommand)]
    Foreman(foreman::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    Trust(trust::Args),
    Stop(stop::Args),
    Thaw(thaw::Args),
    #[command(subcommand)]
    Notify(notify::Command),
    Status(status::Args),
    Why(why::Args),
    Dispatch(dispatch::Args),
    Simulate(simulate::Args),
    Events(events::Args),
    Cost(cost::Args),
    #[command(subcommand)]
    Assayer(assayer::Command),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    Db(database::Command),
    Doctor(doctor::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

/// How a command ended, or why it has no answer.
pub(crate) type Ended = Result<Exit, Failure>;

pub(crate) fn run(args: &[OsString], env: Env) -> ExitCode {
    if let Some(version) = narrow::version(args) {
        return usage::tell(&version, args, &env);
    }
    let cli = match narrow::parse(args).map_or_else(|| Cli::try_parse_from(args), Ok) {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error, args, &env),
    };
    let mut app = App::new(cli.global, env);
    let ended = app
        .prepared()
        .and_then(|()| dispatch(cli.command, &mut app));
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            if failure.kind != Kind::PipeClosed {
                app.out.failure(&failure);
            }
            ExitCode::from(failure.kind.code())
        }
    }
}

fn dispatch(command: Command, app: &mut App) -> Ended {
    crate::process::share_memory();
    // One command needs one thread; the foreman's loop serves many children at once.
    let mut builder = if matches!(
        command,
        Command::Goal(_) | Command::Foreman(_) | Command::Stop(_)
    ) {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Failed, format!("the runtime cannot be started: {e}")))?;
    runtime.block_on(async {
        match command {
            Command::Init(args) => init::run(args, app).await,
            Command::Goal(command) => Box::pin(goal::run(command, app)).await,
            Command::Bead(command) => bead::run(command, app).await,
            Command::Convoy(command) => convoy::run(command, app).await,
            Command::Tank(command) => tank::run(command, app).await,
            Command::Provider(command) => provider::run(command, app).await,
            Command::Model(command) => model::run(command, app).await,
            Command::Foreman(command) => foreman::run(command, app).await,
            Command::Assayer(command) => assayer::run(command, app).await,
            Command::Policy(command) => policy::run(command, app).await,
            Command::Trust(args) => trust::run(args, app).await,
            Command::Stop(args) => stop::run(args, app).await,
            Command::Thaw(args) => thaw::run(args, app).await,
            Command::Notify(command) => notify::run(command, app).await,
            Command::Status(args) => status::run(args, app).await,
            Command::Why(args) => why::run(args, app).await,
            Command::Dispatch(args) => dispatch::run(args, app).await,
            Command::Simulate(args) => simulate::run(args, app).await,
            Command::Events(args) => events::run(args, app).await,
            Command::Cost(args) => cost::run(args, app).await,
            Command::Config(command) => config::run(command, app),
            Command::Db(command) => database::run(command, app).await,
            Command::Doctor(args) => doctor::run(args, app).await,
            Command::Schema(args) => schema::run(args, app),
            Command::Completions(args) => completions::run(&args, app),
        }
    })
}

/// The command tree, for completions and the reference.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_tree_is_consistent() {
        super::command().debug_assert();
    }
}
