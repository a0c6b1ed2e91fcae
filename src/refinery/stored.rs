//! What is remembered about a window beside the ledger: the last word of its provider, walls
//! that were hit, what a person set. One pure fold, [`apply`], makes it from the evidence; the
//! store keeps both, and a rebuild from the evidence gives the same.

mod observed;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::observed::{late, observed};
use super::learn::Learned;
use crate::config::{LimitKind, LimitUnit};
use crate::core::{ProviderName, Timestamp};
use crate::provider::{Observation, Scope, WindowStatus};

/// The id under which a wall stands whose window nobody named.
pub(crate) const WALL: &str = "wall";

/// The source of what is only estimated here, in shares of a size that was learned: it teaches
/// nothing about that size, and is the last to be relied on.
pub(crate) const ESTIMATE: &str = "ccusage";

/// How long a level blocks at most when nobody said when it ends; then one bead may probe.
pub(crate) const UNTIL_PROBE: Duration = Duration::from_mins(30);

/// One row of `windows`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) provider: ProviderName,
    pub(crate) key: Key,
    pub(crate) kind: LimitKind,
    pub(crate) unit: LimitUnit,
    pub(crate) limit: Option<u64>,
    pub(crate) level: Option<Level>,
    pub(crate) status: Option<WindowStatus>,
    pub(crate) resets_at: Option<Timestamp>,
    pub(crate) closed: Option<Closed>,
    pub(crate) learned: Option<Learned>,
    pub(crate) source: String,
    pub(crate) observed_at: Timestamp,
}

impl Stored {
    fn unheard(provider: &ProviderName, key: &Key, at: Timestamp) -> Self {
        Self {
            provider: provider.clone(),
            key: key.clone(),
            kind: LimitKind::Percent,
            unit: LimitUnit::Percent,
            limit: None,
            level: None,
            status: None,
            resets_at: None,
            closed: None,
            learned: None,
            source: "manual".into(),
            observed_at: at,
        }
    }

    /// The provider itself has spoken of it.
    pub(crate) fn is_the_providers(&self) -> bool {
        self.source != "wall" && self.source != "manual" && !self.is_estimate()
    }

    pub(crate) fn is_estimate(&self) -> bool {
        self.source == ESTIMATE
    }

    /// Whether it tells of a stretch that is over.
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        self.ends_at().unwrap_or(self.observed_at + UNTIL_PROBE) <= now
    }

    /// When the stretch that it tells of is over, as far as that is known.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        self.resets_at
            .or(self.key.duration.map(|d| self.observed_at + d))
    }
}

/// How far a window was used, as last said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// Share used, 0 to 1 and above.
    pub(crate) share: Option<f64>,
    pub(crate) remaining: Option<u64>,
    pub(crate) at: Timestamp,
    /// When the request that told it began: only what began later comes on top.
    pub(crate) began_at: Timestamp,
}

impl Level {
    pub(crate) fn is_used_up(&self) -> bool {
        self.remaining == Some(0) || self.share.is_some_and(|s| s >= 1.0)
    }
}

/// A wall that was hit. It outlives `until` as a warning: until something proves the window
/// open, one bead at a time goes there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Closed {
    pub(crate) at: Timestamp,
    pub(crate) until: Timestamp,
}

/// One thing that was said about a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Evidence {
    Observed {
        observation: Observation,
        began_at: Timestamp,
        taken_at: Timestamp,
    },
    /// A wall: no jitter in `resets_at`, jitter in `until`.
    Closed {
        window: Key,
        at: Timestamp,
        until: Timestamp,
        resets_at: Option<Timestamp>,
        rule: String,
    },
    /// By a person.
    Set {
        window: Target,
        limit: Option<u64>,
        share: Option<f64>,
        resets_at: Option<Timestamp>,
        at: Timestamp,
    },
    /// A run went well after the wall, or a person said to forget it.
    Opened {
        window: Key,
        at: Timestamp,
        /// Also forget the level that blocks.
        forget: bool,
    },
}

/// What makes a window this one among those of its provider. One limit may have several
/// lengths, and windows appear and vanish: its place in a list never tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) scope: Scope,
    pub(crate) limit_id: String,
    pub(crate) duration: Option<Duration>,
}

impl Key {
    /// How well what is said of `said` fits the window that is `self`: smaller is better. A
    /// length that one of them leaves open fits any.
    pub(crate) fn matches(&self, said: &Self) -> Option<(bool, Option<Duration>)> {
        let fits = self.scope == said.scope
            && self.limit_id == said.limit_id
            && (self.duration == said.duration
                || self.duration.is_none()
                || said.duration.is_none());
        fits.then_some((self.duration != said.duration, self.duration))
    }
}

/// Which window a person means, found or made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) key: Key,
    pub(crate) kind: LimitKind,
    pub(crate) unit: LimitUnit,
}

impl Evidence {
    /// The window it is about.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Observed { observation: o, .. } => Key {
                scope: o.scope.clone(),
                limit_id: o.limit_id.clone(),
                duration: o.duration,
            },
            Self::Closed { window, .. } | Self::Opened { window, .. } => window.clone(),
            Self::Set { window, .. } => window.key.clone(),
        }
    }

    pub(crate) fn at(&self) -> Timestamp {
        match self {
            Self::Observed { observation, .. } => observation.observed_at,
            Self::Closed { at, .. } | Self::Set { at, .. } | Self::Opened { at, .. } => *at,
        }
    }
}

/// The account, or `model:<name>`.
pub(crate) fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Account => "account".into(),
        Scope::Model(model) => format!("model:{model}"),
    }
}

pub(crate) fn scope_from(text: &str) -> Scope {
    match text.strip_prefix("model:") {
        Some(model) => Scope::Model(model.to_owned()),
        None => Scope::Account,
    }
}

/// The row after one more piece of evidence. `tokens` are those of the ledger since the base of
/// what was learned (0 where there is none); they matter to percent windows only.
pub(crate) fn apply(
    row: Option<Stored>,
    provider: &ProviderName,
    evidence: &Evidence,
    tokens: u64,
) -> Option<Stored> {
    match evidence {
        Evidence::Observed {
            observation,
            began_at,
            taken_at,
        } => {
            // A word from the future is one of a clock that was wrong.
            let is_old = |row: &Stored| {
                observation.observed_at < row.observed_at && row.observed_at <= *taken_at
            };
            match row {
                Some(row) if is_old(&row) => Some(late(row, observation, *began_at)),
                row => Some(observed(row, provider, observation, *began_at, tokens)),
            }
        }
        Evidence::Closed {
            window,
            at,
            until,
            resets_at,
            ..
        } => {
            let unheard = || Stored {
                source: "wall".into(),
                ..Stored::unheard(provider, window, *at)
            };
            let mut row = row.unwrap_or_else(unheard);
            // A wall without a stated end does not shorten the wait for one that had one.
            let before = row.closed.map(|c| c.until).filter(|_| resets_at.is_none());
            row.closed = Some(Closed {
                at: *at,
                until: before.map_or(*until, |before| before.max(*until)),
            });
            row.resets_at = resets_at.or(row.resets_at.filter(|r| r > at));
            Some(row)
        }
        Evidence::Set {
            window,
            limit,
            share,
            resets_at,
            at,
        } => {
            let unheard = || Stored {
                kind: window.kind,
                unit: window.unit,
                ..Stored::unheard(provider, &window.key, *at)
            };
            let mut row = row.unwrap_or_else(unheard);
            row.limit = limit.or(row.limit);
            // Of a balance it says what there is now.
            if row.kind == LimitKind::Balance && share.is_none() {
                let of = |remaining| Level {
                    share: None,
                    remaining: Some(remaining),
                    at: *at,
                    began_at: *at,
                };
                row.level = limit.map(of).or(row.level);
            }
            row.resets_at = resets_at.or(row.resets_at.filter(|r| r > at));
            if let Some(share) = share {
                row.level = Some(Level {
                    share: Some(*share),
                    remaining: None,
                    at: *at,
                    began_at: *at,
                });
                row.status = None;
                row.closed = None;
            }
            row.source = "manual".into();
            row.observed_at = row.observed_at.max(*at);
            Some(row)
        }
        Evidence::Opened { forget, at, .. } => row.map(|mut row| {
            // A level from before a wall says nothing once the wall is over.
            let of_before = |level: &Level| {
                let closed = row.closed.filter(|closed| closed.at >= level.at);
                closed.is_some() && row.resets_at.is_some_and(|reset| reset <= *at)
            };
            row.level = row.level.filter(|level| !of_before(level));
            row.closed = None;
            row.status = row.status.filter(|s| *s != WindowStatus::Rejected);
            if *forget {
                row.level = None;
                row.resets_at = None;
                // What was said before, and is only heard later, must not bring it back.
                row.status = None;
                row.observed_at = row.observed_at.max(*at);
            }
            row
        }),
    }
}

#[cfg(test)]
mod tests;
