//! Words about limits and about how patiently they are met; the settings and the store share them.

use super::words::word_enum;

word_enum! {
    /// How a window of a limit moves.
    pub(crate) enum LimitKind as "window kind" {
        /// Starts at the first use after the last one ended, and lasts its full length.
        Anchored = "anchored",
        /// The sum over the last stretch of its length.
        Rolling = "rolling",
        /// So many at once.
        Concurrency = "concurrency",
        /// A share that the provider reports; its size in tokens is unknown.
        Percent = "percent",
    }
}

word_enum! {
    /// What a limit counts.
    pub(crate) enum LimitUnit as "limit unit" {
        Requests = "requests",
        /// Input, output and cache writes.
        Tokens = "tokens",
        MicroUsd = "micro_usd",
        Percent = "percent",
        Runs = "runs",
    }
}

word_enum! {
    /// How long to wait for the best provider.
    pub(crate) enum Strategy as "strategy" {
        /// Only the best provider, and only while its tank is green.
        Conservative = "conservative",
        /// Any provider above red, else the one that frees first.
        Balanced = "balanced",
        /// Anything with room.
        Aggressive = "aggressive",
    }
}
