//! `rigs config path`

use super::super::{App, Ended, Exit};
use crate::view;

/// Print where the configuration file is, or would be
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  $EDITOR $(rigs config path)")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, app: &mut App) -> Ended {
    let located = app.located()?;
    let answer = view::config::Located {
        exists: located.file.is_file(),
        path: located.file.display().to_string(),
        home: located.home.display().to_string(),
    };
    app.out.answer(&answer, |page| page.line(&answer.path))?;
    Ok(Exit::Done)
}
