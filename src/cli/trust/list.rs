//! `rigs trust list`

use super::super::page::{Table, cell};
use super::super::when::Shown;
use super::super::{App, Ended, Exit};
use crate::db::Mode;
use crate::depot::store;
use crate::view::trust::TrustView;

/// List the repositories whose `.rigs.toml` counts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs trust list
  rigs trust list --json | jq -r '.[].repo'")]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let all = store::all_trusted(&mut conn).await?;
    let views: Vec<TrustView> = all.into_iter().map(TrustView::of).collect();
    let now = app.now();
    app.out.answer(&views, |page| {
        if views.is_empty() {
            page.line("No repository is trusted");
            return;
        }
        let mut table = Table::new(&["REPOSITORY", "SHA-256", "SINCE"], 0);
        for view in &views {
            let since = view.trusted_at.map(|at| Shown { at, now }.to_string());
            table.row([
                cell(&view.repo),
                cell(view.sha256.get(..12).unwrap_or_default()),
                cell(since.unwrap_or_default()),
            ]);
        }
        page.table(&table);
    })?;
    Ok(Exit::Done)
}
