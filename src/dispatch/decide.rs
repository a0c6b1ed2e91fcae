//! One bead, its candidates, one decision.

use serde::Serialize;

use super::advice::Advice;
use super::affinity::Affinity;
use super::ruled::Ruled;
use crate::config::Strategy;
use crate::core::{ProviderName, Timestamp};
use crate::policy::Modify;

/// Whether a provider can take the bead now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Room {
    /// In every window.
    Yes,
    /// Its slots are taken; room comes when a run ends, nobody knows when.
    Busy { reason: String },
    /// A window is closed or too full until then.
    Closed {
        window: String,
        until: Timestamp,
        reason: String,
    },
    /// Larger than the window will ever be.
    TooLarge { window: String },
    /// Never, as things are: disabled, not capable, not permitted.
    Never { reason: String },
}

/// A provider that is considered for a bead.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    pub(crate) room: Room,
    pub(crate) affinity: Affinity,
    /// Place in `routing.fallback_order`, which decides among equals.
    pub(crate) place: usize,
    /// Smallest ratio left over all windows, 0 to 1; `None` when unknown.
    pub(crate) ratio: Option<f64>,
    /// The tank is below its red threshold.
    pub(crate) red: bool,
    /// The tank is above its yellow threshold, or unknown.
    pub(crate) green: bool,
    /// When its tank is fuller again, if a window has a reset.
    pub(crate) next_reset: Option<Timestamp>,
    /// How much of its tank goes unused if nobody hurries, 0 to 1.
    pub(crate) spare: f64,
    /// It has the unfinished session and worktree of this bead.
    pub(crate) has_session: bool,
    /// Its work on this bead was refused again and again.
    pub(crate) worn: bool,
    /// The person named it for this bead or convoy.
    pub(crate) preferred: bool,
    /// What the policy says, where that is more than yes.
    pub(crate) ruled: Option<Ruled>,
    /// Only the policy keeps it from ever taking the bead.
    pub(crate) is_denied: bool,
}

/// A candidate with its factors and what became of it, as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Considered {
    pub(crate) provider: ProviderName,
    pub(crate) score: f64,
    pub(crate) affinity: f64,
    /// What it is made of.
    pub(crate) known: Affinity,
    pub(crate) capacity: f64,
    pub(crate) session: f64,
    /// Above 1 where capacity would go unused before a reset.
    pub(crate) expiring: f64,
    pub(crate) preferred: bool,
    pub(crate) room: Room,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<Ruled>,
    /// What the plan of the queue says about the bead there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    Run {
        provider: ProviderName,
        model: Option<String>,
        /// What the policy changes about the run, the model among it.
        modify: Modify,
    },
    /// Nobody has room; `until` is when the first of them has.
    Defer {
        /// `None`: a budget that time lifts.
        provider: Option<ProviderName>,
        window: Option<String>,
        until: Timestamp,
        reason: String,
    },
    /// Somebody is busy and will have room when a run ends.
    Wait { reason: String },
    /// Somebody has room, and the plan wants it for another bead, or this one elsewhere.
    Keep {
        provider: ProviderName,
        until: Timestamp,
        reason: String,
    },
    /// It fits into no window of any provider that could do it.
    TooLarge { reason: String },
    /// Whoever could take it must not, by the policy.
    Forbidden { reason: String },
    /// No provider can take it, now or later, as things are configured.
    Impossible { reason: String },
}

/// A tank that nobody knows counts as half full: it is tried, but after a full one.
const UNKNOWN_CAPACITY: f64 = 0.5;
/// Going on with a session saves reading everything again.
const SESSION_FACTOR: f64 = 1.5;
/// What goes unused at a reset is lost: a tank full of it counts so much more. Small, so that it
/// decides between two that suit about as well.
const EXPIRING_WEIGHT: f64 = 0.25;

/// Decides, and says how each candidate did, best first. What `advice` proposes is done where the
/// candidates allow it.
pub(crate) fn decide(
    candidates: &[Candidate],
    strategy: Strategy,
    advice: Option<&Advice>,
) -> (Decision, Vec<Considered>) {
    let candidates = &elsewhere(candidates);
    let mut ranked: Vec<(&Candidate, Considered)> = candidates
        .iter()
        .map(|c| (c, consider(c, advice)))
        .collect();
    ranked.sort_by(|(a, x), (b, y)| {
        b.preferred
            .cmp(&a.preferred)
            .then(y.score.total_cmp(&x.score))
            .then(a.place.cmp(&b.place))
            .then(a.provider.cmp(&b.provider))
    });
    let order: Vec<&Candidate> = ranked.iter().map(|(c, _)| *c).collect();
    let decision = choose(&order, strategy, advice);
    (
        decision,
        ranked
            .into_iter()
            .map(|(_, considered)| considered)
            .collect(),
    )
}

/// Where somebody else can take the bead soon, those whose work on it was refused are out.
fn elsewhere(candidates: &[Candidate]) -> Vec<Candidate> {
    let soon = |c: &Candidate| match c.room {
        Room::Yes => !c.red,
        Room::Busy { .. } => true,
        Room::Closed { .. } | Room::TooLarge { .. } | Room::Never { .. } => false,
    };
    let others = candidates.iter().any(|c| !c.worn && soon(c));
    let mut all = candidates.to_vec();
    for c in all.iter_mut().filter(|c| others && c.worn) {
        c.room = Room::Never {
            reason: "its work on this bead was refused repeatedly: another one is asked".to_owned(),
        };
    }
    all
}

fn consider(c: &Candidate, advice: Option<&Advice>) -> Considered {
    let capacity = c.ratio.unwrap_or(UNKNOWN_CAPACITY).clamp(0.0, 1.0);
    let session = if c.has_session { SESSION_FACTOR } else { 1.0 };
    let spare = match c.room {
        Room::Yes => c.spare.clamp(0.0, 1.0),
        Room::Busy { .. } | Room::Closed { .. } | Room::TooLarge { .. } | Room::Never { .. } => 0.0,
    };
    let expiring = 1.0 + EXPIRING_WEIGHT * spare;
    // A nearly empty tank still counts a little, so that affinity can tell two of them apart.
    let score = c.affinity.value * capacity.max(0.05) * session * expiring;
    Considered {
        provider: c.provider.clone(),
        score,
        affinity: c.affinity.value,
        known: c.affinity,
        capacity,
        session,
        expiring,
        preferred: c.preferred,
        room: c.room.clone(),
        policy: c.ruled.clone(),
        plan: advice.and_then(|a| a.about(&c.provider)),
    }
}

/// `order` is best first.
fn choose(order: &[&Candidate], strategy: Strategy, advice: Option<&Advice>) -> Decision {
    let run = |c: &Candidate| Decision::Run {
        provider: c.provider.clone(),
        model: c.model.clone(),
        modify: c
            .ruled
            .as_ref()
            .map(|r| r.modify.clone())
            .unwrap_or_default(),
    };
    let has_room = |c: &&&Candidate| c.room == Room::Yes;
    if let Some(c) = order.iter().find(|c| c.preferred && c.room == Room::Yes) {
        return run(c);
    }
    // Its session is there and only its slot is taken: worth the wait for a run to end.
    if let Some(c) = order.iter().find(|c| c.has_session)
        && let Room::Busy { reason } = &c.room
    {
        return Decision::Wait {
            reason: reason.clone(),
        };
    }
    let willing: Vec<&&Candidate> = match strategy {
        Strategy::Aggressive => order.iter().filter(has_room).collect(),
        Strategy::Balanced => order.iter().filter(has_room).filter(|c| !c.red).collect(),
        Strategy::Conservative => {
            let possible =
                |c: &&&Candidate| !matches!(c.room, Room::Never { .. } | Room::TooLarge { .. });
            // Backwards, because of equals `max_by` takes the last.
            let best = order
                .iter()
                .rev()
                .filter(possible)
                .max_by(|a, b| a.affinity.value.total_cmp(&b.affinity.value));
            best.into_iter()
                .filter(has_room)
                .filter(|c| c.green)
                .collect()
        }
    };
    let planned = advice.and_then(|a| {
        willing
            .iter()
            .find(|c| a.start.as_ref() == Some(&c.provider))
    });
    let hold = |c: &Candidate| advice.and_then(|a| a.holds.get(&c.provider));
    if let Some(c) = planned.or_else(|| willing.iter().find(|c| hold(c).is_none())) {
        return run(c);
    }
    if let Some((c, hold)) = willing.first().and_then(|c| Some((c, hold(c)?))) {
        return Decision::Keep {
            provider: c.provider.clone(),
            until: hold.until,
            reason: hold.reason.clone(),
        };
    }
    if let Some(decision) = first_to_free(order) {
        return decision;
    }
    // Low tanks without a known reset: waiting would be for nothing.
    match order.iter().find(|c| c.room == Room::Yes) {
        Some(c) => run(c),
        None => hopeless(order),
    }
}

/// Waits for whoever has room first: a busy one soon, a closed one at its reset, a low one at
/// the reset that fills it.
fn first_to_free(order: &[&Candidate]) -> Option<Decision> {
    let busy = order.iter().find_map(|c| match &c.room {
        Room::Busy { reason } => Some(Decision::Wait {
            reason: format!("{}: {reason}", c.provider),
        }),
        Room::Yes | Room::Closed { .. } | Room::TooLarge { .. } | Room::Never { .. } => None,
    });
    let at_reset = order.iter().filter_map(|c| match &c.room {
        Room::Closed {
            window,
            until,
            reason,
        } => Some((*until, *c, window.as_str(), reason.as_str())),
        Room::Yes => c.next_reset.map(|until| (until, *c, "", "its tank is low")),
        Room::Busy { .. } | Room::TooLarge { .. } | Room::Never { .. } => None,
    });
    busy.or_else(|| {
        at_reset
            .min_by_key(|(until, ..)| *until)
            .map(|(until, c, window, reason)| Decision::Defer {
                provider: Some(c.provider.clone()),
                window: Some(window.to_owned()),
                until,
                reason: reason.to_owned(),
            })
    })
}

fn hopeless(order: &[&Candidate]) -> Decision {
    let reasons = |wanted: fn(&Room) -> Option<String>| {
        let all: Vec<String> = order
            .iter()
            .filter_map(|c| Some(format!("{}: {}", c.provider, wanted(&c.room)?)))
            .collect();
        all.join("; ")
    };
    let too_large = reasons(|room| match room {
        Room::TooLarge { window } => Some(format!("larger than {window}")),
        Room::Yes | Room::Busy { .. } | Room::Closed { .. } | Room::Never { .. } => None,
    });
    if !too_large.is_empty() {
        return Decision::TooLarge { reason: too_large };
    }
    let never = reasons(|room| match room {
        Room::Never { reason } => Some(reason.clone()),
        Room::Yes | Room::Busy { .. } | Room::Closed { .. } | Room::TooLarge { .. } => None,
    });
    let reason = if never.is_empty() {
        "no provider is configured".to_owned()
    } else {
        never
    };
    if order.iter().any(|c| c.is_denied) {
        return Decision::Forbidden { reason };
    }
    Decision::Impossible { reason }
}

#[cfg(test)]
mod tests;
