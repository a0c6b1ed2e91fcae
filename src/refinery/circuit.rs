//! The circuit of an account or a model: it opens after errors that pass by themselves, and is
//! disabled by those that only a person can mend.

use std::time::Duration;

use crate::core::backoff::Backoff;
use crate::core::words::word_enum;
use crate::core::{ProviderName, Timestamp};
use crate::provider::Class;

/// Transient errors in a row that open it.
const FAILURES_TO_OPEN: u32 = 3;
/// 1, 2, 4 ... 30 minutes.
const PAUSE: Backoff = Backoff::new(Duration::from_mins(1), Duration::from_mins(30));

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Circuit {
    pub(crate) state: State,
    /// Transient errors since the last success.
    pub(crate) failures: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum State {
    #[default]
    Closed,
    /// Nothing passes until then; afterwards one probe at a time, until one succeeds.
    Open { until: Timestamp, class: Class },
    /// Until a person acts.
    Disabled {
        class: Class,
        reason: String,
        /// Of the provider's configuration at that time; a change lifts it.
        fingerprint: Option<String>,
    },
}

/// What happens to a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Failed {
        class: Class,
        now: Timestamp,
    },
    Succeeded,
    Disabled {
        class: Class,
        reason: String,
        fingerprint: Option<String>,
    },
    /// A person or a test of the provider says that it is well again.
    Lifted,
}

word_enum! {
    /// How a circuit shows itself.
    pub(crate) enum CircuitWord as "circuit" {
        Closed = "closed",
        Open = "open",
        /// Lets one probe through.
        HalfOpen = "half_open",
        Disabled = "disabled",
    }
}

impl Circuit {
    pub(crate) fn apply(self, event: Event) -> Self {
        match (self.state, event) {
            (_, Event::Lifted) | (State::Closed | State::Open { .. }, Event::Succeeded) => {
                Self::default()
            }
            // A run that was under way when the login broke proves nothing about the next.
            (disabled @ State::Disabled { .. }, Event::Failed { .. } | Event::Succeeded) => Self {
                state: disabled,
                failures: self.failures,
            },
            // The same burst: it began before the circuit opened.
            (State::Open { until, class }, Event::Failed { now, .. }) if now < until => Self {
                state: State::Open { until, class },
                failures: self.failures,
            },
            (State::Closed | State::Open { .. }, Event::Failed { class, now }) => {
                let failures = self.failures.saturating_add(1);
                let state = match failures.checked_sub(FAILURES_TO_OPEN) {
                    Some(beyond) => State::Open {
                        until: now + PAUSE.delay(beyond),
                        class,
                    },
                    None => State::Closed,
                };
                Self { state, failures }
            }
            (
                _,
                Event::Disabled {
                    class,
                    reason,
                    fingerprint,
                },
            ) => Self {
                state: State::Disabled {
                    class,
                    reason,
                    fingerprint,
                },
                failures: self.failures,
            },
        }
    }

    /// The circuit under the present configuration of its provider.
    pub(crate) fn under(self, fingerprint: &str) -> Self {
        let changed = match &self.state {
            State::Disabled { fingerprint: f, .. } => {
                f.as_deref().is_some_and(|f| f != fingerprint)
            }
            State::Closed | State::Open { .. } => false,
        };
        if changed { Self::default() } else { self }
    }

    pub(crate) fn word(&self, now: Timestamp) -> CircuitWord {
        match &self.state {
            State::Closed => CircuitWord::Closed,
            State::Open { until, .. } if *until > now => CircuitWord::Open,
            State::Open { .. } => CircuitWord::HalfOpen,
            State::Disabled { .. } => CircuitWord::Disabled,
        }
    }
}

/// What a person must do about an error that does not pass, where there is such a thing.
pub(crate) fn remedy(class: Class, provider: &ProviderName) -> Option<String> {
    match class {
        Class::Auth => Some(format!(
            "log in or set the key again, then run `rigs provider test {provider}`"
        )),
        Class::OutOfCredit => Some(format!(
            "add credit or raise the spend limit, then run `rigs provider test {provider}`"
        )),
        Class::BadModel => Some(format!(
            "set another model in [providers.{provider}] of config.toml"
        )),
        Class::Done
        | Class::Limit
        | Class::RateLimited
        | Class::Overloaded
        | Class::ContextTooLong
        | Class::Network
        | Class::Silent
        | Class::TimedOut
        | Class::Runaway
        | Class::Stopped
        | Class::NotStarted
        | Class::Broken
        | Class::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_secs(0) + Duration::from_mins(minutes)
    }

    fn failed(minutes: u64) -> Event {
        Event::Failed {
            class: Class::Overloaded,
            now: at(minutes),
        }
    }

    fn disabled() -> Event {
        Event::Disabled {
            class: Class::Auth,
            reason: "log in again".into(),
            fingerprint: Some("a".into()),
        }
    }

    #[test]
    fn three_errors_in_a_row_open_it_for_longer_each_time() {
        let mut circuit = Circuit::default();
        let mut pauses = Vec::new();
        let mut now = 0;
        for _ in 0..10 {
            circuit = circuit.apply(failed(now));
            match circuit.state {
                State::Open { until, .. } => {
                    pauses.push(until.since(at(now)).as_secs() / 60);
                    now = u64::try_from(until.millis()).unwrap() / 60_000;
                }
                State::Closed | State::Disabled { .. } => pauses.push(0),
            }
        }
        assert_eq!(pauses, [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(circuit.word(at(now)), CircuitWord::HalfOpen);
        assert_eq!(circuit.apply(Event::Succeeded), Circuit::default());
    }

    #[test]
    fn a_success_between_errors_keeps_it_closed() {
        let circuit = [failed(0), failed(1), Event::Succeeded, failed(2), failed(3)]
            .into_iter()
            .fold(Circuit::default(), Circuit::apply);
        assert_eq!(circuit.state, State::Closed);
    }

    #[test]
    fn a_burst_of_runs_that_fail_together_opens_it_once() {
        let circuit = (0..8)
            .map(|_| failed(0))
            .fold(Circuit::default(), Circuit::apply);
        let expected = State::Open {
            until: at(1),
            class: Class::Overloaded,
        };
        assert_eq!(circuit.state, expected);
    }

    #[test]
    fn only_a_person_or_a_new_configuration_lifts_a_disabled_one() {
        let circuit = Circuit::default().apply(disabled());
        let still = circuit.clone().apply(Event::Succeeded).apply(failed(9));
        assert_eq!(still, circuit);
        assert_eq!(circuit.clone().under("a"), circuit);
        assert_eq!(circuit.clone().under("b"), Circuit::default());
        assert_eq!(circuit.apply(Event::Lifted), Circuit::default());
    }

    proptest! {
        #[test]
        fn an_open_circuit_always_ends_within_half_an_hour(
            steps in proptest::collection::vec((0_u8..3, 0_u64..600), 0..60)
        ) {
            let mut circuit = Circuit::default();
            let mut now = 0;
            for (what, wait) in steps {
                now += wait;
                circuit = circuit.apply(match what {
                    0 | 1 => failed(now),
                    _ => Event::Succeeded,
                });
                if let State::Open { until, .. } = circuit.state {
                    prop_assert!(until.since(at(now)) <= Duration::from_mins(30));
                }
            }
        }
    }
}
