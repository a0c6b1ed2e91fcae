//! What is learned about tanks besides the runs: which sources a provider has, how often each
//! may be asked, and what becomes of its answer. All are asked at once, each with a limit of its
//! own; one that fails costs the others nothing.
//!
//! ```text
//!  targets(settings) ─ pace: may it be asked? ─ provider::probe::ask ─ observe ─> tanks
//!                        └ table `sources`        (in parallel)         └ event
//! ```

mod choose;
mod due;
pub(crate) mod pace;
mod store;
mod take;
#[cfg(test)]
mod tests;

use std::path::Path;

use futures_util::future::join_all;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::config::{Env, ProviderSettings};
use crate::core::redact::redact;
use crate::core::text::one_line;
use crate::core::{Clock, Ids, ProviderName, Timestamp};
use crate::db::{Conn, Db, DbError, EventType, NewEvent, events};
use crate::provider::probe::{self, Answer, Asking, Probe, ProbeError};
use crate::refinery::TankSettings;

pub(crate) use choose::{Source, Target, targets};
pub(crate) use due::Looks;
pub(crate) use pace::{Asker, Pace};
pub(crate) use take::{Taken, feed};

/// What asking needs.
#[derive(Clone, Copy)]
pub(crate) struct Tools<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) env: &'a Env,
    /// A folder to run programs in, without settings of any of them.
    pub(crate) cwd: &'a Path,
    pub(crate) stop: &'a CancellationToken,
}

/// One source that is to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    provider: ProviderName,
    entry: ProviderSettings,
    source: Source,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    provider: ProviderName,
    source: Probe,
    answer: Result<Answer, ProbeError>,
}

/// What became of one source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) provider: ProviderName,
    pub(crate) source: Probe,
    pub(crate) heard: Heard,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// It said something about these windows, and further things for a person.
    Answered { taken: Taken, said: Vec<String> },
    /// Why not, and until when it wants to be left alone.
    Failed {
        reason: String,
        blocked_until: Option<Timestamp>,
    },
    /// It was not asked: too soon after the last time.
    Waits {
        asked_at: Timestamp,
        until: Timestamp,
        can_be_forced: bool,
    },
}

/// Asks every source of `targets` that may be asked now, all at once, and keeps what they say.
pub(crate) async fn refresh(
    db: &Db,
    ids: &Ids,
    tools: Tools<'_>,
    (targets, tanks): (&[Target], &[TankSettings]),
    asker: Asker,
) -> Result<Vec<Told>, DbError> {
    let mut tx = db.write().await?;
    let (open, mut told) = claim(&mut tx, targets, asker, tools.clock.now()).await?;
    tx.commit().await?;
    let kept = open.into_iter().map(|question| async move {
        let reply = ask(tools, question).await;
        let mut tx = db.write().await?;
        let told = keep(&mut tx, ids, tools.clock.now(), tanks, reply).await?;
        tx.commit().await?;
        Ok::<_, DbError>(told)
    });
    for one in join_all(kept).await {
        told.push(one?);
    }
    told.sort_by(|a, b| (&a.provider, a.source).cmp(&(&b.provider, b.source)));
    Ok(told)
}

/// Which sources are to be asked now, written down before they are; and those that are not.
pub(crate) async fn claim(
    tx: &mut Conn,
    targets: &[Target],
    asker: Asker,
    now: Timestamp,
) -> Result<(Vec<Question>, Vec<Told>), DbError> {
    let (mut open, mut told) = (Vec::new(), Vec::new());
    for target in targets {
        for source in &target.sources {
            let last = store::last(tx, &target.name, source.probe).await?;
            match pace::may_ask(source.probe, last.as_ref(), now, asker) {
                Pace::Now => {
                    store::asked(tx, &target.name, source.probe, now).await?;
                    open.push(Question {
                        provider: target.name.clone(),
                        entry: target.entry.clone(),
                        source: source.clone(),
                    });
                }
                Pace::Wait {
                    asked_at,
                    until,
                    can_be_forced,
                } => told.push(Told {
                    provider: target.name.clone(),
                    source: source.probe,
                    heard: Heard::Waits {
                        asked_at,
                        until,
                        can_be_forced,
                    },
                }),
            }
        }
    }
    Ok((open, told))
}

/// Asks; touches nothing of ours.
pub(crate) async fn ask(tools: Tools<'_>, question: Question) -> Reply {
    let asking = Asking {
        entry: &question.entry,
        program: question.source.program.as_deref(),
        env: tools.env,
        cwd: tools.cwd,
        clock: tools.clock,
        stop: tools.stop,
    };
    Reply {
        answer: probe::ask(question.source.probe, &asking).await,
        provider: question.provider,
        source: question.source.probe,
    }
}

/// Keeps what a source said, or that it said nothing, with the event of it.
pub(crate) async fn keep(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    tanks: &[TankSettings],
    reply: Reply,
) -> Result<Told, DbError> {
    let (provider, source) = (&reply.provider, reply.source);
    let heard = match reply.answer {
        Ok(answer) => answered(tx, ids, now, (provider, source), tanks, answer).await?,
        Err(error) => failed(tx, ids, now, (provider, source), &error).await?,
    };
    Ok(Told {
        provider: reply.provider,
        source,
        heard,
    })
}

async fn answered(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    (provider, source): (&ProviderName, Probe),
    tanks: &[TankSettings],
    answer: Answer,
) -> Result<Heard, DbError> {
    let mut taken = Taken::default();
    for observation in &answer.observations {
        let news = super::store::observe(tx, ids, now, provider, None, observation).await?;
        taken.add(observation, news);
    }
    let tank = tanks.iter().find(|tank| tank.provider == *provider);
    if let (Some(block), Some(tank)) = (answer.block, tank) {
        let estimated = take::block(tx, ids, now, tank, block).await?;
        taken.merge(estimated);
    }
    store::answered(tx, provider, source, now).await?;
    let event = NewEvent::new(EventType::SourceAnswered, provider.as_str())
        .provider(Some(provider))
        .payload(json!({ "source": source, "windows": taken.windows, "news": taken.news }));
    events::append(tx, ids, now, event).await?;
    Ok(Heard::Answered {
        taken,
        said: answer.said,
    })
}

async fn failed(
    tx: &mut Conn,
    ids: &Ids,
    now: Timestamp,
    (provider, source): (&ProviderName, Probe),
    error: &ProbeError,
) -> Result<Heard, DbError> {
    let reason = redact(&one_line(&error.to_string(), 300));
    let last = store::last(tx, provider, source).await?;
    let failures = last.map_or(0, |last| last.failures);
    let blocked_until = match error {
        ProbeError::Limited { retry_after } => Some(now + pace::block(*retry_after, failures)),
        ProbeError::NoProgram { .. }
        | ProbeError::Refused(_)
        | ProbeError::TimedOut { .. }
        | ProbeError::Ended { .. }
        | ProbeError::Unreadable(_)
        | ProbeError::Nothing(_)
        | ProbeError::Llm(_)
        | ProbeError::Secret(_)
        | ProbeError::Process(_)
        | ProbeError::Plan(_) => None,
    };
    store::failed(tx, provider, source, blocked_until).await?;
    let event = NewEvent::new(EventType::SourceFailed, provider.as_str())
        .provider(Some(provider))
        .payload(json!({ "source": source, "reason": reason, "until": blocked_until }));
    events::append(tx, ids, now, event).await?;
    Ok(Heard::Failed {
        reason,
        blocked_until,
    })
}
