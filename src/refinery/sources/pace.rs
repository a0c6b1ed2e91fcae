//! How often a source may be asked. Some limit those who ask, so the times are kept in the store:
//! a restart, or a second process, does not begin anew.

use std::time::Duration;

use crate::core::Timestamp;
use crate::provider::probe::Probe;

/// Who wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Person,
    /// With `--force`: sooner than usual, but never below the least interval.
    Insistent,
    /// By itself: sources that fail are asked ever less often.
    Foreman,
}

/// The last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) asked_at: Timestamp,
    pub(crate) answered_at: Option<Timestamp>,
    pub(crate) blocked_until: Option<Timestamp>,
    /// Questions in a row without an answer.
    pub(crate) failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Now,
    Wait {
        asked_at: Timestamp,
        until: Timestamp,
        can_be_forced: bool,
    },
}

/// The longest that a failing source is left alone by itself.
const LONGEST: Duration = Duration::from_hours(1);
/// The first wait after a refusal that states none, and the longest.
const BLOCK: Duration = Duration::from_mins(5);
const LONGEST_BLOCK: Duration = Duration::from_hours(4);

pub(crate) fn may_ask(probe: Probe, last: Option<&Last>, now: Timestamp, asker: Asker) -> Pace {
    let Some(last) = last else {
        return Pace::Now;
    };
    // Of a clock that was ahead.
    let asked_at = last.asked_at.min(now);
    let blocked = last
        .blocked_until
        .map(|until| until.min(asked_at + LONGEST_BLOCK * 2));
    let least = (asked_at + probe.least()).max(blocked.unwrap_or(asked_at));
    let usual = match asker {
        Asker::Person => asked_at + probe.usual(),
        Asker::Insistent => least,
        Asker::Foreman => {
            let longer = probe.usual().saturating_mul(1 << last.failures.min(10));
            asked_at + longer.min(LONGEST.max(probe.usual()))
        }
    };
    let until = usual.max(least);
    if until <= now {
        Pace::Now
    } else {
        Pace::Wait {
            asked_at,
            until,
            can_be_forced: least <= now,
        }
    }
}

/// How long a source that refused to be asked is left alone: as long as it says, else longer
/// with each refusal. "At once" is not believed.
pub(crate) fn block(stated: Option<Duration>, failures: u32) -> Duration {
    match stated.filter(|stated| !stated.is_zero()) {
        Some(stated) => stated.min(LONGEST_BLOCK * 2),
        None => BLOCK
            .saturating_mul(1 << failures.min(10))
            .min(LONGEST_BLOCK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(probe: Probe, ago: u64, last: impl Fn(&mut Last), asker: Asker) -> Option<(u64, bool)> {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        let mut known = Last {
            asked_at: now.minus(Duration::from_secs(ago)),
            answered_at: None,
            blocked_until: None,
            failures: 0,
        };
        last(&mut known);
        match may_ask(probe, Some(&known), now, asker) {
            Pace::Now => None,
            Pace::Wait {
                until,
                can_be_forced,
                ..
            } => Some((until.since(now).as_secs(), can_be_forced)),
        }
    }

    #[test]
    fn intervals_hold_and_only_the_usual_one_gives_way() {
        use Asker::{Foreman, Insistent, Person};
        let nothing = |_: &mut Last| {};
        for (probe, ago, asker, want) in [
            (Probe::AppServer, 120, Person, None),
            (Probe::AppServer, 40, Person, Some((80, true))),
            (Probe::AppServer, 40, Insistent, None),
            (Probe::AppServer, 20, Insistent, Some((10, false))),
            (Probe::OAuth, 240, Insistent, Some((60, false))),
            (Probe::OAuth, 301, Insistent, None),
            (Probe::OAuth, 301, Foreman, Some((599, true))),
            (Probe::Ollama, 0, Insistent, None),
        ] {
            assert_eq!(wait(probe, ago, nothing, asker), want, "{probe} {ago}");
        }
        // What fails is asked less and less, by itself only.
        let failing = |last: &mut Last| last.failures = 3;
        assert_eq!(
            wait(Probe::AppServer, 120, failing, Foreman),
            Some((840, true))
        );
        assert_eq!(wait(Probe::AppServer, 120, failing, Person), None);
        let hopeless = |last: &mut Last| last.failures = u32::MAX;
        assert_eq!(
            wait(Probe::AppServer, 0, hopeless, Foreman),
            Some((3600, false))
        );
    }

    #[test]
    fn a_refusal_holds_for_everybody_and_a_clock_that_was_wrong_for_nobody() {
        let blocked = |seconds: u64| {
            move |last: &mut Last| {
                last.blocked_until = Some(last.asked_at + Duration::from_secs(seconds));
            }
        };
        assert_eq!(
            wait(Probe::OAuth, 1000, blocked(7200), Asker::Insistent),
            Some((6200, false))
        );
        let forever = blocked(u64::from(u32::MAX));
        assert_eq!(
            wait(Probe::OAuth, 0, forever, Asker::Insistent),
            Some((8 * 3600, false))
        );
        let from_the_future = |last: &mut Last| last.asked_at = Timestamp::from_secs(4e9 as i64);
        assert_eq!(
            wait(Probe::AppServer, 0, from_the_future, Asker::Person),
            Some((120, false))
        );
    }

    #[test]
    fn a_refusal_without_a_time_is_waited_out_longer_each_time() {
        let minutes = |stated: Option<u64>, failures| {
            block(stated.map(Duration::from_secs), failures).as_secs() / 60
        };
        assert_eq!(minutes(Some(600), 9), 10);
        assert_eq!(
            [0, 1, 2, 3, 40].map(|failures| minutes(None, failures)),
            [5, 10, 20, 40, 240]
        );
        assert_eq!(minutes(Some(0), 0), 5);
        assert_eq!(minutes(Some(u64::from(u32::MAX)), 0), 480);
    }
}
