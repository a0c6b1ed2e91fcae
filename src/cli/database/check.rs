//! `rigs db check`

use super::super::page::{BAD, WARN};
use super::super::{App, Ended, Exit, Failure, Kind};
use crate::core::text::thousands;
use crate::db::{Mode, upkeep};
use crate::refinery::store::rebuild;
use crate::view::doctor::StoreCheck;

/// Check that the store is sound and that the tanks are what the ledger says
///
/// Reads the whole file. Exits 6 when something is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs db check
  rigs db check --json | jq .problems")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, app: &mut App) -> Ended {
    let check = check(app).await?;
    app.out.answer(&check, |page| {
        let (path, bytes) = (check.path.display(), thousands(check.bytes));
        let told = if check.ok { "sound" } else { "NOT sound" };
        page.line(format!(
            "{path} is {told}: {bytes} bytes, schema {}",
            check.schema
        ));
        for problem in &check.problems {
            page.styled(BAD, format!("  {problem}"));
        }
        for difference in &check.tanks {
            page.styled(WARN, format!("  {difference}"));
        }
        if !check.problems.is_empty() {
            page.line("Stop the foreman and put a copy (`rigs db backup`) in its place");
        } else if !check.tanks.is_empty() {
            page.line("`rigs doctor --fix` makes these windows anew");
        }
    })?;
    Ok(if check.ok {
        Exit::Done
    } else {
        Exit::But(Kind::Store)
    })
}

/// The whole store, looked through.
pub(crate) async fn check(app: &App) -> Result<StoreCheck, Failure> {
    let path = app.config()?.paths.store();
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let problems = upkeep::problems(&mut conn).await?;
    // Of a damaged file nothing more can be said.
    let tanks = if problems.is_empty() {
        rebuild::check(&mut conn).await?
    } else {
        Vec::new()
    };
    let schema = upkeep::schema(&mut conn).await?;
    Ok(StoreCheck {
        bytes: std::fs::metadata(&path)?.len(),
        path,
        schema,
        ok: problems.is_empty() && tanks.is_empty(),
        problems,
        tanks: tanks.iter().map(ToString::to_string).collect(),
    })
}
