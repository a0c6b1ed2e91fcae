//! What sources say that is no plain word of the provider: an estimate, or figures that carry no
//! time of their own.

use serde_json::json;

use super::store::{known, tokens_since};
use crate::config::LimitKind;
use crate::core::{Ids, ProviderName, Timestamp};
use crate::db::{Conn, DbError, EventType, NewEvent, events};
use crate::provider::probe::{Block, feed as news};
use crate::provider::{Observation, Scope};
use crate::refinery::TankSettings;
use crate::refinery::store::{load_one, observe};
use crate::refinery::stored::ESTIMATE;

/// The windows that something was said of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) windows: Vec<String>,
    /// How many of them changed by it.
    pub(crate) news: usize,
}

impl Taken {
    pub(super) fn add(&mut self, said: &Observation, news: bool) {
        if !self.windows.contains(&said.limit_id) {
            self.windows.push(said.limit_id.clone());
        }
        self.news += usize::from(news);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.windows.extend(other.windows);
        self.news += other.news;
    }
}

/// Takes in an estimate of the running stretch of five hours. It counts only where the provider
/// (or a person) has not spoken of that stretch and the size of the window is known; and of it
/// only what the ledger does not have already.
pub(super) async fn block(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    settings: &TankSettings,
    block: Block,
) -> Result<Taken, DbError> {
    let mut taken = Taken::default();
    let tank = load_one(tx, settings, now).await?;
    let length = block.ends_at.since(block.starts_at);
    let window = tank.windows.iter().find(|w| {
        w.kind == LimitKind::Percent
            && w.key.scope == Scope::Account
            && w.key.duration == Some(length)
    });
    let Some((window, size)) = window.and_then(|w| Some((w, w.limit.filter(|n| *n > 0)?))) else {
        return Ok(taken);
    };
    let mut said = Observation {
        duration: window.key.duration,
        resets_at: Some(block.ends_at),
        ..Observation::new(&window.key.limit_id, ESTIMATE, now)
    };
    let word = known(tx, &settings.provider, &said).await?;
    let is_spoken_of = word.is_some_and(|word| {
        let ends_at = word.resets_at.or(word.level_at.map(|at| at + length));
        word.source != ESTIMATE && word.level_at.is_some() && ends_at.is_some_and(|at| at > now)
    });
    if is_spoken_of {
        return Ok(taken);
    }
    let ours = tokens_since(tx, &settings.provider, block.starts_at).await?;
    said.used_fraction = Some(ours.max(block.tokens) as f64 / size as f64);
    let news = observe(tx, ids, now, &settings.provider, None, &said).await?;
    taken.add(&said, news);
    Ok(taken)
}

/// Takes in what was given to rigs for one provider. Words of a status line count only where
/// they tell something new.
pub(crate) async fn feed(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    provider: &ProviderName,
    windows: &[Observation],
) -> Result<Taken, DbError> {
    let mut taken = Taken::default();
    for said in windows {
        let is_timeless = said.source == "statusline";
        let word = known(tx, provider, said).await?;
        let level = word.and_then(|w| Some((w.used_fraction?, w.resets_at)));
        if is_timeless && !news::is_news(level, said, now) {
            taken.add(said, false);
            continue;
        }
        let changed = observe(tx, ids, now, provider, None, said).await?;
        taken.add(said, changed);
    }
    if taken.news > 0 {
        let event = NewEvent::new(EventType::SourceAnswered, "user")
            .provider(Some(provider))
            .payload(json!({
                "source": "ingest",
                "windows": taken.windows,
                "news": taken.news,
            }));
        events::append(tx, ids, now, event).await?;
    }
    Ok(taken)
}
