//! `rigs model add`

use std::path::PathBuf;

use super::super::{App, Ended, Exit, Failure};
use super::fetch;

/// Take in a GGUF model file of your own; the original stays where it is
///
/// The largest model that was added is used, unless the provider's entry names another.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs model add ~/Downloads/qwen2.5-coder-3b-instruct-q4_k_m.gguf")]
pub(crate) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let store = super::store(app)?;
    let file = app.env.cwd().join(args.file);
    if !file.is_file() {
        return Err(Failure::usage(format!("no file {}", file.display())));
    }
    let model = fetch::add(app, &store, &file).await?;
    let model = super::view(model);
    app.out.answer(&model, |page| page.line(&model.name))?;
    app.out.note(format!("{} is ready", model.name))?;
    Ok(Exit::Done)
}
