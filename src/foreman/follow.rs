//! Following a convoy through the event log: the same for the process that drives it, for one
//! that only watches, and after a restart.

use crate::core::{BeadId, ConvoyId, ProviderName, Usage};
use crate::db::events::{self, EventFilter};
use crate::db::{Db, DbError, Event};
use crate::depot::store as depot;
use crate::depot::{DepotError, Progress};
use crate::refinery::store::Of;

/// What has changed since the last look.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) events: Vec<Event>,
    pub(crate) progress: Progress,
    /// Beads at work, with what they have used so far.
    pub(crate) at_work: Vec<AtWork>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AtWork {
    pub(crate) bead: BeadId,
    pub(crate) title: String,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) state: crate::core::BeadStatus,
    pub(crate) since: crate::core::Timestamp,
    pub(crate) used: Usage,
}

/// A place in the log.
#[derive(Debug)]
pub(crate) struct Follower {
    filter: EventFilter,
}

/// More than happens between two looks; what is beyond comes with the next one.
const BATCH: i64 = 500;

impl Follower {
    /// Follows from here on.
    pub(crate) async fn from_now(db: &Db, convoy: &ConvoyId) -> Result<Self, DbError> {
        let mut conn = db.read().await?;
        let after = events::last_seq(&mut conn).await?;
        Ok(Self {
            filter: EventFilter {
                after,
                convoy: Some(convoy.clone()),
                ..EventFilter::default()
            },
        })
    }

    pub(crate) async fn look(&mut self, db: &Db) -> Result<News, DepotError> {
        let mut conn = db.read().await?;
        let events = events::list(&mut conn, &self.filter, BATCH).await?;
        if let Some(last) = events.last() {
            self.filter.after = last.seq;
        }
        let Some(convoy) = &self.filter.convoy else {
            return Ok(News::default());
        };
        let progress = depot::progress(&mut conn, convoy).await?;
        let mut at_work = Vec::new();
        for bead in depot::beads_of(&mut conn, convoy)
            .await?
            .into_iter()
            .filter(|b| b.status.is_leased())
        {
            let attempt = depot::last_attempt(&mut conn, &bead.id).await?;
            let used = match &attempt {
                Some(a) => crate::refinery::store::used(&mut conn, Of::Attempt(a.id), None).await?,
                None => Usage::default(),
            };
            at_work.push(AtWork {
                since: attempt.map_or(bead.updated_at, |a| a.started_at),
                bead: bead.id,
                title: bead.title,
                provider: bead.assigned_provider,
                state: bead.status,
                used,
            });
        }
        Ok(News {
            events,
            progress,
            at_work,
        })
    }
}
