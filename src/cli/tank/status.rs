//! `rigs tank status`

use super::super::{App, Ended, Exit};
use crate::core::ProviderName;

/// Show every window of one provider
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs tank status claude
  rigs tank status claude --json | jq '.windows[].percent'")]
pub(crate) struct Args {
    /// Name of the provider
    #[arg(value_name = "PROVIDER")]
    provider: ProviderName,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let settings = super::settings(app, &args.provider)?;
    let tank = super::one(app, &settings).await?;
    let now = app.now();
    app.out
        .answer(&tank, |page| super::text::show(page, &tank, now))?;
    Ok(Exit::Done)
}
