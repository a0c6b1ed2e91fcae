//! `rigs model list`

use super::super::page::{BAD, Cell, DIM, GOOD, Table, cell};
use super::super::{App, Ended, Exit};
use crate::core::text::thousands;
use crate::llm::store::{KNOWN, Published};
use crate::view::model::ModelView;

/// List the models that are here, and those that can be fetched
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs model list
  rigs model list --json | jq -r '.[].name'")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, app: &mut App) -> Ended {
    let here = super::store(app)?.list()?;
    let missing = |known: &&Published| !here.iter().any(|model| model.name == known.name);
    let mut models: Vec<ModelView> = KNOWN.iter().filter(missing).map(published).collect();
    models.extend(here.into_iter().map(super::view));
    app.out.answer(&models, |page| {
        let mut table = Table::new(&["NAME", "SIZE", "KIND", "CONTEXT", "STATE"], 4);
        for model in &models {
            table.row([
                cell(&model.name),
                cell(super::size(model.size_bytes)).right(),
                cell(model.architecture.as_deref().unwrap_or("")),
                cell(model.context.map_or(String::new(), thousands)).right(),
                state(model),
            ]);
        }
        page.table(&table);
    })?;
    Ok(Exit::Done)
}

fn state(model: &ModelView) -> Cell {
    match (&model.problem, model.here) {
        (Some(problem), _) => cell(problem).style(BAD),
        (None, true) => cell("ready").style(GOOD),
        (None, false) => cell("not here; `rigs model pull` fetches it").style(DIM),
    }
}

fn published(known: &Published) -> ModelView {
    ModelView {
        name: known.name.to_owned(),
        size_bytes: known.size_bytes,
        here: false,
        problem: None,
        path: None,
        architecture: None,
        context: None,
        licence: Some(known.licence.to_owned()),
        sha256: known.sha256.to_owned(),
        added_at: None,
    }
}
