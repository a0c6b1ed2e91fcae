//! `rigs trust`: repositories that may say how their work is checked.

mod grant;
mod list;
mod revoke;

use std::path::{Path, PathBuf};

use super::{App, Ended, Failure, repo};
use crate::git::Repo;

/// Let the `.rigs.toml` of a repository count, after you looked at it
///
/// A repository may say in it which commands check its work: `[gate]` with `commands`, `setup`,
/// `share`, `timeout` and `protected`, and nothing else. They run with your rights; so the file
/// counts only as the text that you trusted, and no longer when it changes. Work counts it that
/// was created when the file was like that.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  rigs trust
  rigs trust ~/work/project -y
  rigs trust list"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    grant: grant::Grant,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Args),
    Revoke(revoke::Args),
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    match args.command {
        Some(Command::List(args)) => list::run(args, app).await,
        Some(Command::Revoke(args)) => revoke::run(args, app).await,
        None => grant::run(args.grant, app).await,
    }
}

/// The repository around `dir`, or the current folder.
async fn around(app: &App, dir: Option<&PathBuf>) -> Result<Repo, Failure> {
    let dir = dir.map_or(Path::new(""), PathBuf::as_path);
    repo::open(app, &app.env.cwd().join(dir)).await
}
