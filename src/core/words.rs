//! Enums that are one word each in the store, in JSON, on the command line and in the docs.

/// A word that is none of those an enum knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{word}` (one of: {known})")]
pub(crate) struct UnknownWord {
    /// What was being named, for example "task type".
    pub(crate) what: &'static str,
    pub(crate) word: String,
    /// The known words, separated by commas.
    pub(crate) known: String,
}

/// Declares an enum together with its word per variant: `Display`, `FromStr`, serde and
/// JSON Schema all use that word, so no two places can disagree.
macro_rules! word_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident as $what:literal {
            $( $(#[$vmeta:meta])* $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name {
            $( $(#[$vmeta])* $variant, )+
        }

        #[allow(dead_code, reason = "one macro serves enums that need only some of these")]
        #[allow(clippy::allow_attributes, reason = "expect() would fail where all are used")]
        impl $name {
            /// Every variant, in declaration order.
            pub(crate) const ALL: &'static [Self] = &[$( Self::$variant, )+];
            /// Every word, in declaration order.
            pub(crate) const WORDS: &'static [&'static str] = &[$( $word, )+];

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::core::words::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $( $word => Ok(Self::$variant), )+
                    _ => Err($crate::core::words::UnknownWord {
                        what: $what,
                        word: $crate::core::text::one_line(word, 40),
                        known: Self::WORDS.join(", "),
                    }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": Self::WORDS })
            }
        }
    };
}

pub(crate) use word_enum;
