//! What a verdict of the policy means for a candidate.

use serde::Serialize;

use super::decide::{Candidate, Room};
use crate::core::ProviderName;
use crate::policy::{Action, Modify, Verdict};

/// The policy's word about one candidate, as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Ruled {
    pub(crate) action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    #[serde(skip_serializing_if = "Modify::is_empty")]
    pub(crate) modify: Modify,
}

/// What the room of a candidate becomes by the verdict about it, and where it is sent instead.
/// The policy takes room away and never makes any.
pub(crate) fn rule(candidate: &mut Candidate, verdict: Verdict) -> Option<ProviderName> {
    let Verdict {
        action,
        rule,
        reason,
        until,
        modify,
        warnings,
        ..
    } = verdict;
    let elsewhere = modify.provider.clone().filter(|_| action != Action::Deny);
    let never = matches!(candidate.room, Room::Never { .. } | Room::TooLarge { .. });
    match action {
        Action::Deny => {
            candidate.is_denied = !never;
            if !never {
                candidate.room = Room::Never {
                    reason: reason.clone(),
                };
            }
        }
        Action::Delay | Action::Defer if !never => {
            candidate.room = held(&candidate.room, until, &reason);
        }
        Action::Approve | Action::Warn | Action::Modify | Action::Delay | Action::Defer => {}
    }
    if let Some(elsewhere) = &elsewhere
        && !never
    {
        candidate.room = Room::Never {
            reason: format!("sent to {elsewhere}: {reason}"),
        };
    }
    if action != Action::Approve {
        candidate.ruled = Some(Ruled {
            action,
            rule,
            reason,
            warnings,
            modify,
        });
    }
    elsewhere
}

/// The later of two waits; one for the end of a run has no time.
fn held(room: &Room, until: Option<crate::core::Timestamp>, reason: &str) -> Room {
    let reason = reason.to_owned();
    match (room, until) {
        (Room::Closed { until: there, .. }, Some(until)) if *there >= until => room.clone(),
        (Room::Closed { .. }, None) => room.clone(),
        (_, Some(until)) => Room::Closed {
            window: "policy".to_owned(),
            until,
            reason,
        },
        (_, None) => Room::Busy { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Timestamp;
    use crate::dispatch::affinity::{Affinity, Prior, Says};
    use crate::policy::{Facts, Policy, evaluate};

    fn candidate(room: Room) -> Candidate {
        Candidate {
            provider: "claude".parse().unwrap(),
            model: None,
            room,
            affinity: Affinity::untried(Prior {
                value: 1.0,
                says: Says::BuiltIn,
            }),
            place: 0,
            ratio: None,
            red: false,
            green: true,
            next_reset: None,
            spare: 0.0,
            has_session: false,
            worn: false,
            preferred: false,
            ruled: None,
            is_denied: false,
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn verdict(action: Action, until: Option<Timestamp>) -> Verdict {
        Verdict {
            action,
            until,
            rule: Some("r".into()),
            reason: "why".into(),
            ..evaluate(&Policy::default(), &Facts::default(), at(0))
        }
    }

    fn ruled(room: Room, action: Action, until: Option<i64>) -> (Room, bool) {
        let mut c = candidate(room);
        rule(&mut c, verdict(action, until.map(at)));
        (c.room, c.is_denied)
    }

    fn closed(until: i64, window: &str, reason: &str) -> Room {
        Room::Closed {
            window: window.into(),
            until: at(until),
            reason: reason.into(),
        }
    }

    #[test]
    fn a_verdict_takes_room_away_and_never_makes_any() {
        let why = || Room::Never {
            reason: "why".into(),
        };
        let off = || Room::Never {
            reason: "off".into(),
        };
        let busy = |reason: &str| Room::Busy {
            reason: reason.into(),
        };
        let full = || closed(50, "5h", "full");
        for (room, action, until, becomes, denied) in [
            (Room::Yes, Action::Approve, None, Room::Yes, false),
            (Room::Yes, Action::Warn, None, Room::Yes, false),
            (Room::Yes, Action::Deny, None, why(), true),
            (off(), Action::Deny, None, off(), false),
            (off(), Action::Defer, Some(9), off(), false),
            (
                Room::Yes,
                Action::Defer,
                Some(9),
                closed(9, "policy", "why"),
                false,
            ),
            (full(), Action::Delay, Some(9), full(), false),
            (
                full(),
                Action::Defer,
                Some(99),
                closed(99, "policy", "why"),
                false,
            ),
            (
                busy("slots"),
                Action::Defer,
                Some(9),
                closed(9, "policy", "why"),
                false,
            ),
            (Room::Yes, Action::Defer, None, busy("why"), false),
            (full(), Action::Defer, None, full(), false),
        ] {
            assert_eq!(
                ruled(room.clone(), action, until),
                (becomes, denied),
                "{room:?} {action}"
            );
        }
    }

    #[test]
    fn what_is_sent_elsewhere_is_not_run_here() {
        let mut c = candidate(Room::Yes);
        let modify = Modify {
            provider: Some("codex".parse().unwrap()),
            ..Modify::default()
        };
        let to = rule(
            &mut c,
            Verdict {
                modify,
                ..verdict(Action::Modify, None)
            },
        );
        assert_eq!(to, Some("codex".parse().unwrap()));
        assert_eq!(
            c.room,
            Room::Never {
                reason: "sent to codex: why".into()
            }
        );
    }
}
