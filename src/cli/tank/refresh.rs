//! `rigs tank refresh`

use tokio_util::sync::CancellationToken;

use super::super::page::{BAD, DIM, GOOD, Table, cell};
use super::super::when::ago;
use super::super::{App, Ended, Exit, Failure, Kind, find};
use crate::core::{ProviderName, Timestamp};
use crate::db::{DbError, Mode};
use crate::refinery::configured::tanks;
use crate::refinery::sources::{Asker, Heard, Told, Tools, refresh, targets};
use crate::view::source::{Asked, SourceView};

/// Ask providers what they have left, without using any of their tokens
///
/// Every source is asked at once, each with a limit of its own. How often each may be asked is
/// kept: who asks again too soon is told when it goes on. Exits 1 when none of those that were
/// asked gave an answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs tank refresh
  rigs tank refresh codex --force
  rigs tank refresh --json | jq '.[] | select(.outcome == \"failed\")'")]
pub(crate) struct Args {
    /// Name of the provider; all of them when not given
    #[arg(value_name = "PROVIDER")]
    provider: Option<ProviderName>,
    /// Ask sooner than usual; never sooner than a source allows
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let settings = app.config()?.settings.clone();
    let cwd = app.config()?.paths.home().to_owned();
    let mut targets = targets(&settings, &app.env);
    if let Some(name) = &args.provider {
        targets.retain(|target| target.name == *name);
        if targets.is_empty() {
            find::provider(&settings, name)?;
        }
    }
    if targets.iter().all(|target| target.sources.is_empty()) {
        return nothing(&args, app);
    }
    let asker = if args.force {
        Asker::Insistent
    } else {
        Asker::Person
    };
    let db = app.store(Mode::OneShot).await?;
    let stop = CancellationToken::new();
    let tools = Tools {
        clock: &app.clock,
        env: &app.env,
        cwd: &cwd,
        stop: &stop,
    };
    let tanks = tanks(&settings);
    let told = refresh(&db, &app.ids, tools, (&targets, &tanks), asker).await?;
    for tank in &tanks {
        let has_news = |one: &Told| match &one.heard {
            Heard::Answered { taken, .. } => one.provider == tank.provider && taken.news > 0,
            Heard::Failed { .. } | Heard::Waits { .. } => false,
        };
        if told.iter().any(has_news) {
            let mut tx = db.write().await?;
            super::wake(app, &mut tx, tank).await?;
            tx.commit().await.map_err(DbError::from)?;
        }
    }
    drop(db);
    let told: Vec<SourceView> = told.into_iter().map(SourceView::from).collect();
    let now = app.now();
    app.out.answer(&told, |page| {
        let mut table = Table::new(&["PROVIDER", "SOURCE", "", "SAID"], 3);
        for one in &told {
            let style = match one.outcome {
                Asked::Answered => GOOD,
                Asked::Failed => BAD,
                Asked::Waits => DIM,
            };
            table.row([
                cell(&one.provider),
                cell(one.source),
                cell(one.outcome).style(style),
                cell(words(one, now)),
            ]);
        }
        page.table(&table);
    })?;
    let count = |outcome| told.iter().filter(|one| one.outcome == outcome).count();
    let in_vain = count(Asked::Failed) == told.len();
    Ok(if in_vain {
        Exit::But(Kind::Failed)
    } else {
        Exit::Done
    })
}

/// Limits of such providers come with the answers to their runs.
fn nothing(args: &Args, app: &mut App) -> Ended {
    if app.out.is_json() {
        app.out.answer(&Vec::<SourceView>::new(), |_| {})?;
    }
    app.out.note(match &args.provider {
        Some(name) => {
            format!("{name} has nobody to ask: its limits come with the answers to its runs")
        }
        None => "There is nobody to ask: limits come with the answers to runs".to_owned(),
    })?;
    Ok(Exit::Done)
}

fn words(one: &SourceView, now: Timestamp) -> String {
    let next = one.next_at.map(|at| ago(at, now)).unwrap_or_default();
    match (one.outcome, &one.error) {
        (Asked::Failed, Some(error)) if one.next_at.is_some() => format!("{error}; again {next}"),
        (Asked::Failed, Some(error)) => error.clone(),
        (Asked::Waits, _) => {
            let asked = one.asked_at.map(|at| ago(at, now)).unwrap_or_default();
            let forced = if one.can_be_forced {
                "; --force asks now"
            } else {
                ""
            };
            format!("asked {asked}, next {next}{forced}")
        }
        (Asked::Answered | Asked::Failed, _) => {
            let windows = match one.windows.as_slice() {
                [] => None,
                windows => Some(windows.join(", ")),
            };
            let parts: Vec<String> = windows.into_iter().chain(one.said.clone()).collect();
            parts.join("; ")
        }
    }
}

/// A provider's tank, or that of a service that is no provider.
pub(super) fn known(app: &App, name: &ProviderName) -> Result<(), Failure> {
    let settings = &app.config()?.settings;
    if tanks(settings).iter().any(|tank| tank.provider == *name) {
        return Ok(());
    }
    find::provider(settings, name).map(|_| ())
}
