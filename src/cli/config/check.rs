//! `rigs config check`

use super::super::{App, Ended, Exit};
use crate::core::ProviderName;
use crate::view;

/// Check the settings and say everything that is wrong with them
///
/// Exits 5 when something is wrong, naming file, line and column.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs config check
  rigs -c draft.toml config check")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, app: &mut App) -> Ended {
    let config = app.config()?;
    let answer = view::config::Checked {
        ok: true,
        file: config.file.as_ref().map(|file| file.display().to_string()),
        providers: config
            .settings
            .providers
            .iter()
            .filter(|(_, entry)| entry.enabled)
            .map(|(name, _)| name.clone())
            .collect(),
    };
    app.out.answer(&answer, |page| {
        match &answer.file {
            Some(file) => page.line(format!("{file} is fine")),
            None => page.line("There is no configuration file; the built-in settings are used"),
        }
        let names: Vec<&str> = answer.providers.iter().map(ProviderName::as_str).collect();
        page.line(format!("Providers: {}", names.join(", ")));
    })?;
    Ok(Exit::Done)
}
