//! `rigs provider list`

use super::super::page::{BAD, DIM, GOOD, PLAIN, Table, WARN, cell};
use super::super::{App, Ended, Exit};
use crate::core::Way;
use crate::view;

/// List providers with what they can do and whether they can be used
///
/// Nobody is asked: `rigs provider test NAME` does that.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs provider list
  rigs provider list --json | jq -r '.[] | select(.problem == null) | .name'")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, app: &mut App) -> Ended {
    let providers = view::provider::list(app.config()?, &app.env);
    if providers.is_empty() {
        app.out
            .note("No providers. Add a [providers.NAME] section to the configuration.")?;
        if !app.out.is_json() {
            return Ok(Exit::Done);
        }
    }
    app.out.answer(&providers, |page| {
        let mut table = Table::new(
            &["NAME", "KIND", "STATE", "CAN", "MODEL", "RUNS", "SOURCE"],
            5,
        );
        for p in &providers {
            let over_http = p.kind.way() == Way::Http;
            let (state, style) = match (p.enabled, &p.problem) {
                (false, _) => ("disabled", DIM),
                (true, Some(_)) => ("unusable", BAD),
                // Whether a server answers is seen when it is asked.
                (true, None) if over_http => ("untested", PLAIN),
                (true, None) if p.kind.way() == Way::Nobody => ("simulated", WARN),
                (true, None) => ("ready", GOOD),
            };
            let can: Vec<&str> = p.capabilities.iter().map(|c| c.as_str()).collect();
            let runs = p
                .problem
                .as_ref()
                .or(p.program.as_ref())
                .or(p.base_url.as_ref());
            table.row([
                cell(&p.name),
                cell(p.kind),
                cell(state).style(style),
                cell(can.join(", ")),
                cell(p.model.as_deref().unwrap_or("")),
                cell(runs.map_or("", String::as_str)),
                cell(&p.source).style(DIM),
            ]);
        }
        page.table(&table);
    })?;
    Ok(Exit::Done)
}
