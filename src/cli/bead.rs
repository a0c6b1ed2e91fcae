//! `rigs bead`: single units of work.

mod approve;
mod cancel;
mod create;
mod diff;
mod edit;
mod export;
mod import;
mod list;
mod logs;
mod retry;
mod show;
pub(crate) mod text;

use clap::Args as _;

use super::{App, Ended, narrow};

/// Create, list and look at beads, the single units of work
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    Show(show::Args),
    Edit(edit::Args),
    Cancel(cancel::Args),
    Retry(retry::Args),
    Approve(approve::Args),
    Logs(logs::Args),
    Diff(diff::Args),
    Import(import::Args),
    Export(export::Args),
}

/// Commands that shells call in loops.
pub(super) const LEAVES: &[narrow::Leaf] = &[
    ("create", create::Args::augment_args),
    ("list", list::Args::augment_args),
    ("show", show::Args::augment_args),
    ("edit", edit::Args::augment_args),
    ("cancel", cancel::Args::augment_args),
    ("retry", retry::Args::augment_args),
];

pub(crate) async fn run(command: Command, app: &mut App) -> Ended {
    match command {
        Command::Create(args) => create::run(args, app).await,
        Command::List(args) => list::run(args, app).await,
        Command::Show(args) => show::run(args, app).await,
        Command::Edit(args) => edit::run(args, app).await,
        Command::Cancel(args) => cancel::run(args, app).await,
        Command::Retry(args) => retry::run(args, app).await,
        Command::Approve(args) => approve::run(args, app).await,
        Command::Logs(args) => logs::run(args, app).await,
        Command::Diff(args) => diff::run(args, app).await,
        Command::Import(args) => import::run(args, app).await,
        Command::Export(args) => export::run(args, app).await,
    }
}
