//! `rigs tank reset`

use super::super::{App, Ended, Exit, Failure};
use crate::core::ProviderName;
use crate::core::text::count;
use crate::db::{DbError, Mode};
use crate::refinery::store;

/// Forget what keeps a provider closed: walls, pauses, levels that block
///
/// The next bead tries it again. What the ledger counts stays; the provider's own word is taken
/// again as soon as there is one. With `--window` only that window is forgotten.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs tank reset claude
  rigs tank reset codex --window 5h")]
pub(crate) struct Args {
    /// Name of the provider
    #[arg(value_name = "PROVIDER")]
    provider: ProviderName,
    /// Only the window of this name or length
    #[arg(long, value_name = "W")]
    window: Option<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let (settings, now, ids) = (
        super::settings(app, &args.provider)?,
        app.now(),
        app.ids.clone(),
    );
    let db = app.store(Mode::OneShot).await?;
    let mut tx = db.write().await?;
    let opened = match &args.window {
        None => store::lift(&mut tx, &ids, now, &args.provider).await?,
        Some(window) => {
            let tank = store::load_one(&mut tx, &settings, now).await?;
            match store::forget(&mut tx, &ids, now, &tank, window).await? {
                Ok(window) => vec![window],
                Err(none) => {
                    return Err(Failure::not_found(none.to_string())
                        .hint("`rigs tank status` shows the windows"));
                }
            }
        }
    };
    super::wake(app, &mut tx, &settings).await?;
    tx.commit().await.map_err(DbError::from)?;
    drop(db);
    let tank = super::one(app, &settings).await?;
    if app.out.is_json() {
        app.out.answer(&tank, |_| {})?;
    }
    app.out.note(match (&args.window, opened.as_slice()) {
        (Some(_), names) => format!(
            "{}: the window {} is forgotten",
            args.provider,
            names.join(", ")
        ),
        (None, []) => format!("{}: no window was closed", args.provider),
        (None, names) => format!(
            "{}: {} forgotten",
            args.provider,
            count(names.len(), "closed window is", "closed windows are")
        ),
    })?;
    Ok(Exit::Done)
}
