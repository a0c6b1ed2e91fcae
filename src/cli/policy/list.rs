//! `rigs policy list`

use std::path::PathBuf;

use super::super::page::{DIM, Table, cell};
use super::super::{App, Ended, Exit};
use crate::view::policy::PolicyView;

/// List the rules in force, the outermost scope first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs policy list
  rigs policy list --json | jq '.rules[].name'")]
pub(crate) struct Args {
    /// Rules of FILE instead of those in force
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, app: &mut App) -> Ended {
    let rules = super::rules(app, args.file.as_deref())?;
    let view = PolicyView::of(rules.policy(), rules.file());
    app.out.answer(&view, |page| {
        if view.rules.is_empty() {
            page.line("There are no rules: everything is approved");
        }
        let mut table = Table::new(&["SCOPE", "RULE", "ACTION", "WHEN"], 3);
        for rule in &view.rules {
            let when: Vec<String> = rule.when.iter().map(|(c, w)| format!("{c} {w}")).collect();
            let when = if when.is_empty() {
                "always".to_owned()
            } else {
                when.join("; ")
            };
            table.row([
                cell(rule.scope.as_str()),
                cell(&rule.name),
                cell(super::text::action(rule)),
                cell(when),
            ]);
        }
        if !view.rules.is_empty() {
            page.table(&table);
        }
        page.styled(
            DIM,
            format!(
                "{}  {}  unknown: {}  default: {}",
                view.file,
                &view.hash[..12],
                view.unknown,
                view.default
            ),
        );
    })?;
    Ok(Exit::Done)
}
