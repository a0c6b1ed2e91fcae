//! `rigs convoy create`

use std::path::PathBuf;

use super::super::when::When;
use super::super::{App, Ended, Exit, find, input, repo};
use crate::config::Strategy;
use crate::core::ProviderName;
use crate::db::{DbError, Mode};
use crate::depot::{Act, NewConvoy, store};

/// Create a convoy and print its id
///
/// Its beads share one repository, and one branch that their work is merged into.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy create \"parser\" gt-a1b2c gt-x9y8z
  cv=$(rigs convoy create \"spring cleaning\" --repo ~/src/app)
  rigs bead create \"remove dead code\" -t refactor --convoy $cv")]
pub(crate) struct Args {
    /// What it is about, in a few words
    #[arg(value_name = "NAME")]
    name: String,
    /// Beads to put into it, by id or its beginning
    #[arg(value_name = "BEAD")]
    beads: Vec<String>,
    /// Repository to work on; default: the one around the current folder
    #[arg(long, value_name = "DIR")]
    repo: Option<PathBuf>,
    /// Do text work, even inside a repository
    #[arg(long, conflicts_with = "repo")]
    no_repo: bool,
    /// How long to wait for the best provider; default: routing.strategy
    #[arg(long, value_parser = input::word::<Strategy>(Strategy::WORDS))]
    strategy: Option<Strategy>,
    /// Use only this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<ProviderName>,
    /// Run at most N of its beads at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    /// When it should be done; of equal priority, what is due sooner goes first: 6h, or RFC 3339
    #[arg(long, value_name = "TIME")]
    deadline: Option<When>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let name = crate::core::text::one_line(&input::checked(&args.name, "name")?, 200);
    if let Some(provider) = &args.provider {
        find::provider(&app.config()?.settings, provider)?;
    }
    let base = if args.no_repo {
        None
    } else {
        repo::base(app, args.repo.as_deref()).await?
    };
    let new = NewConvoy {
        name,
        base,
        strategy: args.strategy,
        provider: args.provider,
        max_parallel: args.max_parallel.map(i64::from),
        deadline: args.deadline.map(|t| t.ahead(app.now())),
        ..NewConvoy::default()
    };
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    let id = store::insert_convoy(&mut tx, act, new).await?.id;
    for typed in &args.beads {
        let bead = find::bead(&mut tx, typed).await?;
        store::add_bead(&mut tx, act, &id, &bead).await?;
    }
    tx.commit().await.map_err(DbError::from)?;
    let convoy = super::shown(&db, &id).await?;
    app.out
        .answer(&convoy, |page| page.line(convoy.id.as_str()))?;
    Ok(Exit::Done)
}
