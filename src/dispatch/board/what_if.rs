//! A change of one provider that is only supposed.

use std::str::FromStr;

use crate::core::ProviderName;

/// `claude=off`, `claude=2x`, `claude=4`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WhatIf {
    provider: ProviderName,
    pub(super) change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    Off,
    /// Its windows hold so many times as much.
    Times(f64),
    Slots(u32),
}

impl WhatIf {
    pub(crate) fn provider(&self) -> &ProviderName {
        &self.provider
    }

    pub(crate) fn is_off(&self) -> bool {
        self.change == Change::Off
    }
}

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            let text = crate::core::text::one_line(text, 60);
            format!("`{text}` is none of NAME=off, NAME=2x (its windows), NAME=4 (runs at once)")
        };
        let (name, change) = text.split_once('=').ok_or_else(bad)?;
        let times = |t: &str| t.parse().ok().filter(|t| (0.01..=1000.0).contains(t));
        let change = match (change, change.strip_suffix('x')) {
            ("off", _) => Change::Off,
            (_, Some(t)) => Change::Times(times(t).ok_or_else(bad)?),
            (n, None) => Change::Slots(n.parse().ok().filter(|n| *n <= 10_000).ok_or_else(bad)?),
        };
        Ok(Self {
            provider: name.parse().map_err(|_| bad())?,
            change,
        })
    }
}
