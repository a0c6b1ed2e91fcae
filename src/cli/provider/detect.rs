//! `rigs provider detect`

use super::super::page::{DIM, GOOD, PLAIN, Table, cell};
use super::super::{App, Ended, Exit};
use super::placed;
use crate::config::{detect, edit, template};
use crate::core::ProviderName;
use crate::view::provider::{Found, found};

/// Show what this machine has to run beads on, and what of it is configured
///
/// Programs are looked up in PATH and keys by the names of their variables; nothing is started
/// and nobody is asked. Services that bill by use are shown, never added by themselves.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs provider detect
  rigs provider detect --add")]
pub(crate) struct Args {
    /// Add agents and local models that have no entry yet to config.toml
    #[arg(long)]
    add: bool,
}

pub(crate) fn run(args: &Args, app: &mut App) -> Ended {
    let here = detect::detect(&app.env);
    let mut added: Vec<ProviderName> = Vec::new();
    if args.add {
        let located = app.located()?;
        crate::config::home::prepare(&located.home)?;
        let config = app.config()?;
        let new: Vec<_> = super::add::detected(&here)
            .into_iter()
            .filter(|(name, _)| {
                !config.settings.providers.contains_key(name) || app.is_detected(name)
            })
            .collect();
        // A fresh file has them all.
        let is_there = located.file.exists();
        added = new.iter().map(|(name, _)| name.clone()).collect();
        if !added.is_empty() {
            let fresh = template::render(&here);
            placed(app, &located, &fresh, |text| {
                if is_there {
                    edit::add(&located.file, text, &new)
                } else {
                    Ok(text.to_owned())
                }
            })?;
            app.reload();
        }
    }
    let answer: Vec<Found> = found(&here, app.config()?, &added);
    app.out.answer(&answer, |page| {
        let mut table = Table::new(&["FOUND", "WHERE", "STATE"], 1);
        for one in &answer {
            let (state, style) = match (one.added, one.configured.as_slice(), one.billed) {
                (true, ..) => ("added".to_owned(), GOOD),
                (false, [], true) => ("off: bills by use".to_owned(), DIM),
                (false, [], false) => ("not configured".to_owned(), PLAIN),
                (false, names, _) => {
                    let names: Vec<&str> = names.iter().map(ProviderName::as_str).collect();
                    (format!("in use as {}", names.join(", ")), GOOD)
                }
            };
            table.row([cell(&one.name), cell(&one.at), cell(state).style(style)]);
        }
        page.table(&table);
        let is_off = |one: &&Found| one.configured.is_empty() && !one.added;
        if let Some(one) = answer.iter().find(is_off) {
            page.blank();
            page.line(if one.billed {
                format!("To use it: rigs provider add {} --model MODEL", one.name)
            } else {
                "To use what is not configured: rigs provider detect --add".to_owned()
            });
        }
    })?;
    Ok(Exit::Done)
}
