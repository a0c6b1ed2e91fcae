//! Words about limits and about how patiently they are met; the settings and the store share them.

use std::fmt;
use std::str::FromStr;

use super::calendar::Period;
use super::time::Span;
use super::words::word_enum;

word_enum! {
    /// How a window of a limit moves.
    pub(crate) enum LimitKind as "window kind" {
        /// A bucket that fills up steadily: `amount` per `window`, up to `burst`.
        Refill = "refill",
        /// Starts at the first use after the last one ended, and lasts its full length.
        Anchored = "anchored",
        /// The sum over the last stretch of its length.
        Rolling = "rolling",
        /// A day, week or month of a time zone.
        Calendar = "calendar",
        /// So many at once.
        Concurrency = "concurrency",
        /// Paid in advance; nothing but a person fills it up.
        Balance = "balance",
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
        /// Input and cache writes.
        InputTokens = "input_tokens",
        OutputTokens = "output_tokens",
        /// Cache reads as well.
        AllTokens = "all_tokens",
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

/// How long a window is: so long, or a stretch of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    For(Span),
    Each(Period),
}

impl Length {
    pub(crate) fn span(self) -> Option<Span> {
        match self {
            Self::For(span) => Some(span),
            Self::Each(_) => None,
        }
    }

    pub(crate) fn period(self) -> Option<Period> {
        match self {
            Self::For(_) => None,
            Self::Each(period) => Some(period),
        }
    }
}

/// Text that is no length of a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a duration such as 5h nor day, week or month")]
pub(crate) struct NotALength(String);

impl FromStr for Length {
    type Err = NotALength;

    fn from_str(text: &str) -> Result<Self, NotALength> {
        let period = text.parse().map(Self::Each);
        period
            .or_else(|_| text.parse().map(Self::For))
            .map_err(|_| NotALength(super::text::one_line(text, 40)))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => fmt::Display::fmt(span, f),
            Self::Each(period) => fmt::Display::fmt(period, f),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Length {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Length {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_string().replace(' ', ""))
    }
}

impl schemars::JsonSchema for Length {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "duration, day, week, month" })
    }
}
