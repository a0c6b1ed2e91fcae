//! The words that everything else is written in: ids, time, money, the bead's life,
//! provider names, usage, text that is safe to show. No I/O and no other module below it.

pub(crate) mod backoff;
pub(crate) mod bead_state;
pub(crate) mod calendar;
pub(crate) mod capability;
pub(crate) mod clock;
pub(crate) mod convoy_state;
pub(crate) mod criterion;
pub(crate) mod dice;
pub(crate) mod digest;
pub(crate) mod id;
pub(crate) mod kind;
pub(crate) mod limit;
pub(crate) mod money;
pub(crate) mod provider_name;
pub(crate) mod redact;
pub(crate) mod schedule;
pub(crate) mod suggest;
pub(crate) mod task;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod usage;
pub(crate) mod words;
pub(crate) mod zone;

pub(crate) use bead_state::{BeadEvent, BeadStatus, BlockCause, IllegalTransition};
pub(crate) use calendar::{Calendar, Period};
pub(crate) use capability::{Capability, Permission};
pub(crate) use clock::Clock;
pub(crate) use convoy_state::ConvoyStatus;
pub(crate) use criterion::Criterion;
pub(crate) use id::{AttemptId, BeadId, ConvoyId, EventId, Ids, ReservationId};
pub(crate) use kind::{ProviderKind, Way};
pub(crate) use limit::{Length, LimitKind, LimitUnit, Strategy};
pub(crate) use money::MicroUsd;
pub(crate) use provider_name::ProviderName;
pub(crate) use task::{Complexity, Priority, TaskType};
pub(crate) use time::Timestamp;
pub(crate) use usage::{Estimate, EstimateSource, Usage};
pub(crate) use zone::Zone;
