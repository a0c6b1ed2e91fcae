//! `rigs schema`

use serde_json::json;

use super::page::{Table, cell};
use super::{App, Ended, Exit, Failure};
use crate::core::suggest::nearest;
use crate::view::schema::KINDS;

/// Print the JSON Schema of an answer
///
/// Without a kind, list the kinds. Fields are only ever added.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs schema
  rigs schema bead")]
pub(crate) struct Args {
    /// Kind of answer, for example bead
    #[arg(value_name = "KIND")]
    kind: Option<String>,
}

pub(crate) fn run(args: Args, app: &mut App) -> Ended {
    let Some(kind) = args.kind else {
        let names: Vec<_> = KINDS
            .iter()
            .map(|kind| json!({ "kind": kind.name, "from": kind.from }))
            .collect();
        app.out.answer(&names, |page| {
            let mut table = Table::new(&["KIND", "ANSWER OF"], 1);
            for kind in KINDS {
                table.row([cell(kind.name), cell(kind.from)]);
            }
            page.table(&table);
        })?;
        return Ok(Exit::Done);
    };
    let Some(found) = KINDS.iter().find(|k| k.name == kind) else {
        let shown = crate::core::text::one_line(&kind, 40);
        let failure = Failure::not_found(format!("no kind `{shown}`"));
        return Err(match nearest(&kind, KINDS.iter().map(|k| k.name)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`rigs schema` lists the kinds"),
        });
    };
    // A schema is JSON for people and programs alike.
    let mut document = format!("{:#}", (found.schema)().as_value());
    document.push('\n');
    app.out.data(&document)?;
    Ok(Exit::Done)
}
