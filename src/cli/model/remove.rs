//! `rigs model remove`

use tokio_util::sync::CancellationToken;

use super::super::{App, Ended, Exit};

/// Remove a model from the home folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs model remove smollm2-135m-instruct")]
pub(crate) struct Args {
    /// Name of the model
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let store = super::store(app)?;
    let stop = CancellationToken::new();
    let model = store.remove(&args.name, &app.clock, &stop).await?;
    let model = super::view(model);
    if app.out.is_json() {
        app.out.answer(&model, |_| {})?;
    }
    app.out.note(format!(
        "Removed {} ({})",
        model.name,
        super::size(model.size_bytes)
    ))?;
    Ok(Exit::Done)
}
