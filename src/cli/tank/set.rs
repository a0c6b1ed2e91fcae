//! `rigs tank set`

use super::super::when::When;
use super::super::{App, Ended, Exit, Failure};
use crate::core::ProviderName;
use crate::db::{DbError, Mode};
use crate::refinery::store::{self, SetOrder};

/// Tell what you know about a window: its size, how much is used, when it resets
///
/// The provider's own word replaces this as soon as there is one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs tank set claude 2000000 --window 5h
  rigs tank set claude --window 7d --percent 80 --reset 2026-11-24T09:00:00Z
  rigs tank set codex --percent 100 --reset 3h")]
pub(crate) struct Args {
    /// Name of the provider
    #[arg(value_name = "PROVIDER")]
    provider: ProviderName,
    /// Size of the window in its unit; of a percent window in tokens
    #[arg(value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..),
          required_unless_present_any = ["percent", "reset"])]
    tokens: Option<u64>,
    /// The window, by its name or length; default: the shortest
    #[arg(long, value_name = "W")]
    window: Option<String>,
    /// How much of it is used, in percent
    #[arg(long, value_name = "P")]
    percent: Option<f64>,
    /// When it is full again: a span such as 3h, or RFC 3339
    #[arg(long, value_name = "TIME")]
    reset: Option<When>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    if let Some(percent) = args.percent
        && !(0.0..=1000.0).contains(&percent)
    {
        return Err(Failure::usage(
            "--percent must be 0 or more, usually up to 100",
        ));
    }
    let now = app.now();
    let resets_at = args.reset.map(|reset| reset.ahead(now));
    if resets_at.is_some_and(|at| at <= now) {
        return Err(Failure::usage("--reset must be in the future"));
    }
    let settings = super::settings(app, &args.provider)?;
    let order = SetOrder {
        window: args.window.clone(),
        limit: args.tokens,
        used: args.percent.map(|percent| percent / 100.0),
        resets_at,
    };
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let mut tx = db.write().await?;
    let tank = store::load_one(&mut tx, &settings, now).await?;
    let window = match store::set(&mut tx, &ids, now, &tank, &order).await? {
        Ok(window) => window,
        Err(none) => {
            return Err(Failure::not_found(none.to_string())
                .hint("a new window needs its length and size: TOKENS --window 5h"));
        }
    };
    super::wake(app, &mut tx, &settings).await?;
    tx.commit().await.map_err(DbError::from)?;
    drop(db);
    let tank = super::one(app, &settings).await?;
    if app.out.is_json() {
        app.out.answer(&tank, |_| {})?;
    }
    let window = args.window.unwrap_or(window);
    app.out
        .note(format!("{}: the window {window} is set", args.provider))?;
    Ok(Exit::Done)
}
