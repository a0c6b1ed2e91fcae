//! `rigs events`

use std::time::Duration;

use super::page::{DIM, Page};
use super::when::{When, clock};
use super::{App, Ended, Exit, Failure, find};
use crate::core::Timestamp;
use crate::db::events::{self, EventFilter};
use crate::db::{Db, Event, Mode};

/// Print what happened, oldest first
///
/// With --json one event per line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs events --since 1h
  rigs events --bead gt-a1b2c --json
  rigs events --follow")]
pub(crate) struct Args {
    /// Go on printing events as they happen, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Only events since TIME: a span such as 2h, or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Only events of this bead
    #[arg(long, value_name = "ID")]
    bead: Option<String>,
    /// Only events of this convoy
    #[arg(long, value_name = "ID")]
    convoy: Option<String>,
    /// Only the newest N events
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// Events per query.
const BATCH: i64 = 1000;
/// How long a new event may stay unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let mut filter = EventFilter {
        after: 0,
        since: args.since.map(|since| since.back(app.now())),
        bead: match &args.bead {
            Some(id) => Some(find::bead(&mut conn, id).await?),
            None => None,
        },
        convoy: match &args.convoy {
            Some(id) => Some(find::convoy(&mut conn, id).await?),
            None => None,
        },
    };
    drop(conn);
    if let Some(limit) = args.limit {
        filter.after = nth_newest(&db, &filter, limit as usize).await?;
    }
    loop {
        let mut conn = db.read().await?;
        let batch = events::list(&mut conn, &filter, BATCH).await?;
        drop(conn);
        for event in &batch {
            filter.after = event.seq;
            let now = app.now();
            app.out.item(event, |page| show(page, event, now))?;
        }
        if batch.is_empty() {
            if !args.follow {
                return Ok(Exit::Done);
            }
            app.clock.sleep(LOOK_EVERY).await;
        }
    }
}

/// The position before the newest `n` events that the filter lets through.
async fn nth_newest(db: &Db, filter: &EventFilter, n: usize) -> Result<i64, Failure> {
    let mut conn = db.read().await?;
    let mut filter = filter.clone();
    let mut newest = std::collections::VecDeque::with_capacity(n.min(BATCH as usize));
    loop {
        let batch = events::list(&mut conn, &filter, BATCH).await?;
        let Some(last) = batch.last() else {
            return Ok(newest.front().map_or(0, |seq: &i64| seq - 1));
        };
        filter.after = last.seq;
        newest.extend(batch.iter().map(|event| event.seq));
        while newest.len() > n {
            newest.pop_front();
        }
    }
}

fn show(page: &mut Page, event: &Event, now: Timestamp) {
    let mut words = vec![clock(event.at, now), format!("{:18}", event.kind)];
    words.extend(event.bead_id.as_ref().map(ToString::to_string));
    words.extend(event.convoy_id.as_ref().map(ToString::to_string));
    words.extend(event.provider.as_ref().map(ToString::to_string));
    let mut line = words.join("  ");
    let details = event
        .payload
        .as_object()
        .is_some_and(|fields| !fields.is_empty());
    if details {
        let room = page
            .width()
            .saturating_sub(line.chars().count() + 2)
            .max(20);
        let payload = crate::core::text::one_line(&event.payload.to_string(), room);
        line = format!("{line}  {DIM}{payload}{DIM:#}");
        page.raw_line(&line);
    } else {
        page.line(line);
    }
}
