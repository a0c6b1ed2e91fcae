//! Ids, and the one place that makes them.
//!
//! Beads and convoys have short ids that people type (`gt-` and `cv-` with base36, after Gas
//! Town); attempts, reservations and events have UUIDv7, whose order is their order in time.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use rand::RngExt;
#[cfg(any(test, feature = "test-hooks"))]
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::{Builder, Uuid};

use super::Clock;

/// Text that is not an id of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {what} id: it looks like `{example}`")]
pub(crate) struct BadId {
    what: &'static str,
    given: String,
    example: &'static str,
}

macro_rules! short_id {
    ($(#[$meta:meta])* $name:ident, $what:literal, $prefix:literal, $example:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, schemars::JsonSchema)]
        #[schemars(transparent)]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) const PREFIX: &'static str = $prefix;

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            /// Accepts the whole id, in any case: prefix and 3 to 12 base36 characters.
            fn from_str(text: &str) -> Result<Self, BadId> {
                let id = text.trim().to_ascii_lowercase();
                let ok = id.strip_prefix($prefix).is_some_and(|rest| {
                    (3..=12).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric())
                });
                if ok {
                    Ok(Self(id))
                } else {
                    Err(BadId {
                        what: $what,
                        given: super::text::one_line(text, 40),
                        example: $example,
                    })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub(crate) struct $name(Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": "uuid" })
            }
        }
    };
}

short_id!(
    /// The id of a bead: `gt-` and base36.
    BeadId, "bead", "gt-", "gt-a1b2c"
);
short_id!(
    /// The id of a convoy: `cv-` and base36.
    ConvoyId, "convoy", "cv-", "cv-a1b2c"
);
impl BeadId {
    /// The id that stands for a thing of another system: the same bytes give the same id. Ten
    /// characters, so that a digest of a million things hardly ever meets itself.
    pub(crate) fn standing_for(digest: &[u8]) -> Self {
        let digits = digest
            .iter()
            .take(10)
            .map(|byte| DIGITS[usize::from(*byte) % DIGITS.len()]);
        Self(Self::PREFIX.to_owned() + &digits.map(char::from).collect::<String>())
    }
}

uuid_id!(
    /// One attempt at a bead.
    AttemptId
);
uuid_id!(
    /// Capacity set aside for one attempt.
    ReservationId
);
uuid_id!(
    /// One event of the log.
    EventId
);

/// Makes ids and other randomness. Clones share one sequence; a seed makes it repeatable.
#[derive(Clone)]
pub(crate) struct Ids {
    clock: Clock,
    // Shared because clones are handed to concurrent tasks; held for one draw at a time.
    sequence: Arc<Mutex<Sequence>>,
}

struct Sequence {
    rng: StdRng,
    /// Never seeded: two processes with the same tokens would end each other's runs.
    tokens: StdRng,
    last: (i64, u16),
}

impl Ids {
    /// Random ids from the operating system's entropy.
    pub(crate) fn random(clock: Clock) -> Self {
        Self::with(clock, rand::make_rng())
    }

    /// Repeatable ids.
    #[cfg(any(test, feature = "test-hooks"))]
    pub(crate) fn seeded(clock: Clock, seed: u64) -> Self {
        Self::with(clock, StdRng::seed_from_u64(seed))
    }

    fn with(clock: Clock, rng: StdRng) -> Self {
        Self {
            clock,
            sequence: Arc::new(Mutex::new(Sequence {
                rng,
                tokens: rand::make_rng(),
                last: (0, 0),
            })),
        }
    }

    fn draw<T>(&self, f: impl FnOnce(&mut Sequence) -> T) -> T {
        f(&mut self
            .sequence
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// A bead id of `len` base36 characters; the store retries with a longer one on collision.
    pub(crate) fn bead(&self, len: usize) -> BeadId {
        BeadId(self.short(BeadId::PREFIX, len))
    }

    pub(crate) fn convoy(&self, len: usize) -> ConvoyId {
        ConvoyId(self.short(ConvoyId::PREFIX, len))
    }

    pub(crate) fn attempt(&self) -> AttemptId {
        AttemptId(self.uuid())
    }

    pub(crate) fn reservation(&self) -> ReservationId {
        ReservationId(self.uuid())
    }

    pub(crate) fn event(&self) -> EventId {
        EventId(self.uuid())
    }

    /// An unguessable word for marking processes and naming private files, whatever the seed.
    pub(crate) fn token(&self) -> String {
        self.draw(|s| word(&mut s.tokens, 20))
    }

    /// Uniform in 0 (inclusive) to 1 (exclusive), for jitter.
    pub(crate) fn unit(&self) -> f64 {
        self.draw(|s| s.rng.random::<f64>())
    }

    fn short(&self, prefix: &str, len: usize) -> String {
        self.draw(|s| prefix.to_owned() + &word(&mut s.rng, len))
    }

    /// RFC 9562 version 7: milliseconds, a counter within the millisecond, random bits. Ids of
    /// one sequence only ever grow, also when the clock steps back.
    fn uuid(&self) -> Uuid {
        let now = self.clock.now();
        self.draw(|s| {
            let (ms, counter) = s.last;
            s.last = match now.millis() {
                later if later > ms => (later, 0),
                _ if counter == 0x0fff => (ms + 1, 0),
                _ => (ms, counter + 1),
            };
            let mut tail: [u8; 10] = s.rng.random();
            tail[0] = (s.last.1 >> 8) as u8;
            tail[1] = s.last.1 as u8;
            Builder::from_unix_timestamp_millis(s.last.0.max(0) as u64, &tail).into_uuid()
        })
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

/// The process that holds leases: its pid, when it started and a random part, so that a reused
/// pid is never mistaken for its former owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    /// The kernel's start time of that process (clock ticks since boot on Linux).
    pub(crate) started: u64,
    pub(crate) token: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.pid, self.started, self.token)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(());
        Ok(Self {
            pid: next()?.parse().map_err(|_| ())?,
            started: next()?.parse().map_err(|_| ())?,
            token: next()?.to_owned(),
        })
    }
}

/// Base36.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

fn word(rng: &mut StdRng, len: usize) -> String {
    (0..len)
        .map(|_| char::from(DIGITS[rng.random_range(0..36)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Timestamp;
    use crate::core::clock::FakeClock;

    #[test]
    fn ids_are_read_in_any_case_and_nonsense_is_refused() {
        assert_eq!("GT-A1B2C".parse::<BeadId>().unwrap().as_str(), "gt-a1b2c");
        for bad in [
            "",
            "gt-",
            "gt-ab",
            "cv-a1b2c",
            "gt-a1b2c; rm",
            "gt-ä1b2c",
            "--help",
        ] {
            assert!(bad.parse::<BeadId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_seed_repeats_the_whole_sequence() {
        let (_fake, clock) = FakeClock::at("2026-01-01T00:00:00Z");
        let make = || {
            let ids = Ids::seeded(clock.clone(), 7);
            (ids.bead(5), ids.attempt(), ids.event())
        };
        assert_eq!(make(), make());
    }

    #[test]
    fn a_seed_never_repeats_a_token() {
        let (_fake, clock) = FakeClock::at("2026-01-01T00:00:00Z");
        let make = || Ids::seeded(clock.clone(), 7).token();
        assert_ne!(make(), make());
        assert_eq!(make().len(), 20);
    }

    #[test]
    fn uuids_grow_even_when_the_clock_steps_back() {
        let (fake, clock) = FakeClock::at("2026-01-01T00:00:00Z");
        let ids = Ids::seeded(clock.clone(), 7);
        let mut made: Vec<EventId> = (0..5000).map(|_| ids.event()).collect();
        fake.set(Timestamp::from_secs(1));
        made.extend((0..10).map(|_| ids.event()));
        assert!(made.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn an_owner_survives_its_text_form() {
        let owner = Owner {
            pid: 12,
            started: 99,
            token: "abc".into(),
        };
        assert_eq!(owner.to_string().parse(), Ok(owner));
    }
}
