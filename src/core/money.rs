//! Money as whole millionths of a US dollar: sums never drift.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in micro-USD (1 USD = 1,000,000).
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub(crate) struct MicroUsd(pub(crate) i64);

impl MicroUsd {
    /// From dollars as programs print them; not finite counts as zero.
    pub(crate) fn from_usd(usd: f64) -> Self {
        if usd.is_finite() {
            Self((usd * 1e6).round() as i64)
        } else {
            Self(0)
        }
    }
}

impl Add for MicroUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MicroUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for MicroUsd {
    /// Two decimals, four below ten cents: `$1.25`, `$0.0031`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usd = self.0 as f64 / 1e6;
        let text = if self.0 != 0 && self.0.abs() < 100_000 {
            format!("${usd:.4}")
        } else {
            format!("${usd:.2}")
        };
        f.pad(&text)
    }
}

impl FromStr for MicroUsd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().trim_start_matches('$').parse::<f64>() {
            Ok(usd) if usd.is_finite() && (0.0..1e9).contains(&usd) => Ok(Self::from_usd(usd)),
            _ => Err(format!("`{text}` is not an amount in dollars such as 2.50")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_shown() {
        assert_eq!("2.50".parse(), Ok(MicroUsd(2_500_000)));
        assert_eq!(MicroUsd(2_500_000).to_string(), "$2.50");
        assert_eq!(MicroUsd(3_070).to_string(), "$0.0031");
        assert!("-1".parse::<MicroUsd>().is_err() && "NaN".parse::<MicroUsd>().is_err());
    }
}
