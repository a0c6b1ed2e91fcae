//! `rigs notify test`

use super::super::page::{BAD, GOOD};
use super::super::{App, Ended, Exit, Failure, Kind, goal};
use crate::foreman::notify::message::Message;
use crate::foreman::notify::send::Channels;
use crate::view::notify::{Channel, Told};

/// Send a message for a test, the way `[notify]` says
///
/// Exits 1 when it did not get through somewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs notify test
  RIGS_NOTIFY__DESKTOP=true rigs notify test")]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, app: &mut App) -> Ended {
    let ctx = goal::context(app).await?;
    let Some(channels) = Channels::new(&ctx) else {
        return Err(Failure::new(Kind::NotPossible, "nobody is to be told")
            .hint("set `desktop` or `webhook_url` in [notify] of the configuration"));
    };
    let message = Message::test(&ctx.ids, ctx.clock.now());
    let failed = channels.tell(&message, &ctx.clock).await;
    let all = channels.names().into_iter().map(|name| {
        let why = failed.iter().find(|f| f.channel == name);
        Channel {
            name: name.to_owned(),
            ok: why.is_none(),
            reason: why.map(|f| f.reason.clone()),
        }
    });
    let told = Told {
        channels: all.collect(),
        ok: failed.is_empty(),
    };
    app.out.answer(&told, |page| {
        for c in &told.channels {
            match &c.reason {
                None => page.raw_line(&format!("{GOOD}ok{GOOD:#}   {}", c.name)),
                Some(reason) => {
                    page.raw_line(&format!("{BAD}not{BAD:#}  {}: {reason}", c.name));
                }
            }
        }
    })?;
    Ok(if told.ok {
        Exit::Done
    } else {
        Exit::But(Kind::Failed)
    })
}
