//! `rigs config show`

use super::super::page::{DIM, Table, cell};
use super::super::{App, Ended, Exit, Failure};
use crate::core::suggest::nearest;
use crate::view;

/// List every setting with its value and where it came from
///
/// Values that look like keys are masked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs config show
  rigs config show providers.claude
  RIGS_GENERAL__MAX_PARALLEL=2 rigs config show general --json")]
pub(crate) struct Args {
    /// Only this setting, or those below it
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

pub(crate) fn run(args: &Args, app: &mut App) -> Ended {
    let mut entries = view::config::entries(app.config()?);
    if let Some(key) = &args.key {
        let below = format!("{key}.");
        let keys: Vec<String> = entries.iter().map(|e| e.key.clone()).collect();
        entries.retain(|e| e.key == *key || e.key.starts_with(&below));
        if entries.is_empty() {
            let shown = crate::core::text::one_line(key, 80);
            let failure = Failure::not_found(format!("no setting `{shown}`"));
            return Err(match nearest(key, keys.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`rigs config show` lists all"),
            });
        }
    }
    app.out.answer(&entries, |page| {
        let mut table = Table::new(&["KEY", "VALUE", "SOURCE"], 1);
        for entry in &entries {
            table.row([
                cell(&entry.key),
                cell(entry.value_text()),
                cell(&entry.source).style(DIM),
            ]);
        }
        page.table(&table);
    })?;
    Ok(Exit::Done)
}
