//! The name under which a provider stands in the configuration.

use std::fmt;
use std::str::FromStr;

/// A provider's name: 1 to 64 of `a-z 0-9 - _`, beginning with a letter or digit, so that it
/// is safe in file names, environment variables and tables alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, schemars::JsonSchema)]
#[schemars(transparent)]
pub(crate) struct ProviderName(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a provider name: use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit"
)]
pub(crate) struct BadProviderName(String);

impl ProviderName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderName {
    type Err = BadProviderName;

    fn from_str(name: &str) -> Result<Self, BadProviderName> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let ok = (1..=64).contains(&name.len())
            && name.bytes().all(|b| plain(b) || b == b'-' || b == b'_')
            && name.bytes().next().is_some_and(plain);
        if ok {
            Ok(Self(name.to_owned()))
        } else {
            Err(BadProviderName(super::text::one_line(name, 70)))
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl serde::Serialize for ProviderName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ProviderName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_a_flag_or_a_path_are_refused() {
        assert!("claude-2".parse::<ProviderName>().is_ok());
        for bad in [
            "",
            "-x",
            "../x",
            "Claude",
            "a b",
            "a/b",
            "é",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<ProviderName>().is_err(), "{bad}");
        }
    }
}
