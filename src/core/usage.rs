//! Tokens and money: what was used, and what is expected to be used.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use super::{MicroUsd, words::word_enum};

/// What a run, or a part of one, used. The four kinds of tokens are disjoint: `input` never
/// contains `cache_read` or `cache_write`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    /// Model calls.
    pub(crate) requests: u64,
    pub(crate) cost_micro_usd: MicroUsd,
}

impl Usage {
    /// The tokens that are charged: input, output and cache writes.
    pub(crate) fn tokens(&self) -> u64 {
        self.input
            .saturating_add(self.output)
            .saturating_add(self.cache_write)
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// What this adds to `earlier`, counter by counter; never negative.
    pub(crate) fn beyond(&self, earlier: &Self) -> Self {
        Self {
            input: self.input.saturating_sub(earlier.input),
            output: self.output.saturating_sub(earlier.output),
            cache_read: self.cache_read.saturating_sub(earlier.cache_read),
            cache_write: self.cache_write.saturating_sub(earlier.cache_write),
            requests: self.requests.saturating_sub(earlier.requests),
            cost_micro_usd: MicroUsd((self.cost_micro_usd.0 - earlier.cost_micro_usd.0).max(0)),
        }
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            requests: self.requests.saturating_add(other.requests),
            cost_micro_usd: self.cost_micro_usd + other.cost_micro_usd,
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

word_enum! {
    /// Where an estimate came from.
    pub(crate) enum EstimateSource as "estimate source" {
        /// Given by the person or the plan.
        Given = "given",
        /// The table for the task type, no history yet.
        Prior = "prior",
        /// Past completions, shrunk towards the table.
        History = "history",
    }
}

/// Expected tokens of a whole run, as quantiles. Reservations use `p80`, envelopes `p95`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Estimate {
    pub(crate) p50: u64,
    pub(crate) p80: u64,
    pub(crate) p95: u64,
    pub(crate) source: EstimateSource,
}
