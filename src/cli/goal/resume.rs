//! `rigs goal resume`

use super::super::signals::Signals;
use super::super::{App, Ended, Failure, Kind, find};
use super::run::Way;
use crate::core::{ConvoyId, ConvoyStatus, MicroUsd};
use crate::db::DbError;
use crate::depot::Act;
use crate::depot::store as depot;
use crate::foreman::Context;

/// Go on with a goal that was interrupted
///
/// Without a convoy, the newest one that is not over. What was running is recovered first:
/// nothing is lost and nothing is done twice.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs goal resume
  rigs goal resume cv-a1b2c --no-wait")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "CONVOY")]
    pub(crate) convoy: Option<String>,
    /// Exit 75 instead of waiting when only waiting is left
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Merge the finished work into your branch
    #[arg(long)]
    pub(crate) land: bool,
    /// Stop starting beads when the goal has used N tokens, counted from its beginning
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) budget_tokens: Option<u64>,
    /// Stop starting beads when the goal has cost X dollars, counted from its beginning
    #[arg(long, value_name = "X")]
    pub(crate) budget_usd: Option<MicroUsd>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let Args {
        convoy,
        no_wait,
        land,
        budget_tokens,
        budget_usd,
    } = args;
    let mut ctx = super::context(app).await?;
    super::run::not_halted(&ctx).await?;
    ctx.probe().await;
    let id = match convoy {
        Some(typed) => {
            let mut conn = ctx.db.read().await?;
            find::convoy(&mut conn, &typed).await?
        }
        None => newest(&ctx).await?,
    };
    let mut tx = ctx.db.write().await?;
    let act = Act {
        ids: &ctx.ids,
        now: ctx.clock.now(),
        who: "user",
    };
    let tokens = budget_tokens.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    depot::set_budget(&mut tx, &id, tokens, budget_usd.map(|usd| usd.0)).await?;
    let status = depot::convoy(&mut tx, &id).await?.map(|c| c.status);
    if status == Some(ConvoyStatus::Paused) {
        depot::resume(&mut tx, act, &id).await?;
    }
    tx.commit().await.map_err(DbError::from)?;
    let mut signals = Signals::reloading(std::sync::Arc::clone(&ctx.reload))?;
    super::run::to_its_end(
        app,
        &ctx,
        &mut signals,
        &id,
        Way {
            wait: !no_wait,
            land,
        },
    )
    .await
}

/// The newest goal that is not over.
async fn newest(ctx: &Context) -> Result<ConvoyId, Failure> {
    let mut conn = ctx.db.read().await?;
    let convoys = depot::list_convoys(&mut conn, 1000).await?;
    let open = convoys
        .into_iter()
        .find(|c| c.goal.is_some() && !c.status.is_over());
    open.map(|c| c.id).ok_or_else(|| {
        Failure::new(Kind::NotPossible, "there is no goal to go on with").hint(
            "`rigs convoy list` shows what was done; `rigs goal execute \"...\"` starts a new one",
        )
    })
}
