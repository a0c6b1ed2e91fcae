//! Telling a person outside: what the log says and somebody wants to know goes to the desktop
//! or to a server, one after another, beside the loop and never in its way.

pub(crate) mod message;
pub(crate) mod send;
mod sign;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use self::message::Message;
use self::send::{Channels, Failed};
use super::drive::Foreman;
use super::orders::Interrupt;
use super::{Context, ForemanError};
use crate::config::settings::Occasion;
use crate::core::Clock;
use crate::core::clock::Moment;
use crate::db::events::{self, EventFilter};
use crate::db::{EventType, NewEvent};
use crate::depot::store as depot;

/// Messages that wait while a server is slow; the oldest are dropped before more are kept.
const WAITING: usize = 64;
/// Events per look.
const BATCH: i64 = 500;
/// What is left to be told when the loop ends gets this long.
const LAST: Duration = Duration::from_secs(10);

pub(super) struct Notifier {
    /// `None` when nobody is to be told.
    channels: Option<Arc<Channels>>,
    on: Vec<Occasion>,
    filter: EventFilter,
    waiting: VecDeque<Message>,
    pub(super) sending: JoinSet<Vec<Failed>>,
}

impl Notifier {
    /// Tells of what happens from now on.
    pub(super) async fn new(ctx: &Context) -> Result<Self, ForemanError> {
        let channels = Channels::new(ctx);
        let after = match &channels {
            Some(_) => events::last_seq(&mut *ctx.db.read().await?).await?,
            None => 0,
        };
        Ok(Self {
            channels: channels.map(Arc::new),
            on: ctx.settings.notify.on.clone(),
            filter: EventFilter {
                after,
                ..EventFilter::default()
            },
            waiting: VecDeque::new(),
            sending: JoinSet::new(),
        })
    }

    /// Goes by other settings from now on; what waits is sent by them.
    pub(super) async fn take(&mut self, ctx: &Context) -> Result<(), ForemanError> {
        let before = self.channels.take();
        self.channels = Channels::new(ctx).map(Arc::new);
        self.on.clone_from(&ctx.settings.notify.on);
        if before.is_none() {
            // What happened while nobody was to be told is no news.
            self.filter.after = events::last_seq(&mut *ctx.db.read().await?).await?;
        }
        Ok(())
    }

    fn keep(&mut self, message: Message) {
        if self.waiting.len() == WAITING
            && let Some(lost) = self.waiting.pop_front()
        {
            tracing::warn!("nobody is told: {}", lost.text);
        }
        self.waiting.push_back(message);
    }

    /// One at a time: a slow server gets no second request meanwhile.
    fn send_next(&mut self, ctx: &Context) {
        let Some(channels) = self.channels.clone().filter(|_| self.sending.is_empty()) else {
            return;
        };
        if let Some(message) = self.waiting.pop_front() {
            let clock = ctx.clock.clone();
            self.sending
                .spawn(async move { channels.tell(&message, &clock).await });
        }
    }
}

impl Foreman {
    /// Looks for what a person wants to be told.
    pub(super) async fn look_for_news(&mut self) -> Result<(), ForemanError> {
        if self.notifier.channels.is_none() {
            return Ok(());
        }
        let mut conn = self.ctx.db.read().await?;
        let news = events::list(&mut conn, &self.notifier.filter, BATCH).await?;
        for event in news {
            self.notifier.filter.after = event.seq;
            let Some(occasion) = message::occasion(&event) else {
                continue;
            };
            if !self.notifier.on.contains(&occasion) {
                continue;
            }
            let title = match (&event.bead_id, &event.convoy_id) {
                (Some(id), _) => depot::get(&mut conn, id).await?.map(|b| b.title),
                (None, Some(id)) => depot::convoy(&mut conn, id).await?.map(|c| c.name),
                (None, None) => None,
            };
            let message = message::of(&event, occasion, title.as_deref());
            self.notifier.keep(message);
        }
        self.notifier.send_next(&self.ctx);
        Ok(())
    }

    /// A message was sent, or was not.
    pub(super) async fn told_outside(
        &mut self,
        done: Result<Vec<Failed>, JoinError>,
    ) -> Result<(), ForemanError> {
        let failed = done.unwrap_or_else(|error| {
            tracing::error!(%error, "a message was not sent to its end");
            Vec::new()
        });
        for one in failed {
            tracing::warn!("a message by {} was not sent: {}", one.channel, one.reason);
            let act = self.ctx.act();
            let payload = json!({
                "channel": one.channel, "reason": one.reason, "message": one.text,
            });
            let event = NewEvent::new(EventType::NotifyFailed, act.who).payload(payload);
            let mut tx = self.ctx.db.write().await?;
            events::append(&mut tx, act.ids, act.now, event).await?;
            tx.commit().await?;
        }
        self.notifier.send_next(&self.ctx);
        Ok(())
    }

    /// Tells the rest before the loop ends; what takes longer is left, at once when somebody asks
    /// for that.
    pub(super) async fn tell_the_rest(
        &mut self,
        interrupts: &mut mpsc::Receiver<Interrupt>,
    ) -> Result<(), ForemanError> {
        self.look_for_news().await?;
        let deadline = self.ctx.clock.moment() + LAST;
        while !self.notifier.sending.is_empty() {
            tokio::select! {
                Some(done) = self.notifier.sending.join_next() => self.told_outside(done).await?,
                () = over(&self.ctx.clock, deadline, interrupts) => {
                    let n = self.notifier.waiting.len() + 1;
                    tracing::warn!("{n} messages were not sent in time");
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Completes when there is no more time to tell anything.
async fn over(clock: &Clock, deadline: Moment, interrupts: &mut mpsc::Receiver<Interrupt>) {
    tokio::select! {
        () = clock.sleep_to(deadline) => {}
        Some(_) = interrupts.recv() => {}
    }
}
