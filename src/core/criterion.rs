//! Acceptance criteria: what must hold before a bead counts as done.

use serde::{Deserialize, Serialize};

/// One acceptance criterion. In JSON an object with a `kind`; a plain string is accepted on
/// input and means `text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Criterion {
    /// Prose, for the agent and a reviewer; not checked by a program.
    Text { text: String },
    /// A program that must exit 0 in the worktree; only a person or trusted config gives one.
    Command { text: String, argv: Vec<String> },
    /// A file that must exist in the worktree, relative to its root.
    File { text: String, path: String },
    /// A regular expression that must match in a file of the worktree.
    Regex {
        text: String,
        path: String,
        pattern: String,
    },
    /// A gate of the compiled table by its name, for example `cargo-test`.
    Gate { text: String, gate: String },
}

impl Criterion {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// The words that a person reads.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Text { text }
            | Self::Command { text, .. }
            | Self::File { text, .. }
            | Self::Regex { text, .. }
            | Self::Gate { text, .. } => text,
        }
    }
}

/// The object form, read with a clear error for a kind that lacks its field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    kind: String,
    #[serde(default)]
    text: String,
    argv: Option<Vec<String>>,
    path: Option<String>,
    pattern: Option<String>,
    gate: Option<String>,
}

impl<'de> Deserialize<'de> for Criterion {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = serde_json::Value::deserialize(d)?;
        if let serde_json::Value::String(text) = value {
            return Ok(Self::Text { text });
        }
        let f: Fields = serde_json::from_value(value).map_err(D::Error::custom)?;
        let need = |name: &'static str| {
            D::Error::custom(format!("criterion of kind `{}` needs `{name}`", f.kind))
        };
        let or = |given: &str, otherwise: String| {
            if given.is_empty() {
                otherwise
            } else {
                given.to_owned()
            }
        };
        Ok(match f.kind.as_str() {
            "text" => Self::Text { text: f.text },
            "command" => {
                let argv = f
                    .argv
                    .filter(|a| !a.is_empty())
                    .ok_or_else(|| need("argv"))?;
                Self::Command {
                    text: or(&f.text, format!("`{}` succeeds", argv.join(" "))),
                    argv,
                }
            }
            "file" => {
                let path = f.path.ok_or_else(|| need("path"))?;
                Self::File {
                    text: or(&f.text, format!("{path} exists")),
                    path,
                }
            }
            "regex" => {
                let path = f.path.ok_or_else(|| need("path"))?;
                let pattern = f.pattern.ok_or_else(|| need("pattern"))?;
                Self::Regex {
                    text: or(&f.text, format!("{path} matches {pattern}")),
                    path,
                    pattern,
                }
            }
            "gate" => {
                let gate = f.gate.ok_or_else(|| need("gate"))?;
                Self::Gate {
                    text: or(&f.text, format!("{gate} passes")),
                    gate,
                }
            }
            other => {
                return Err(D::Error::custom(format!(
                    "unknown kind of criterion `{other}` (one of: text, command, file, regex, gate)"
                )));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_strings_and_objects_are_both_read() {
        let read = |json: &str| serde_json::from_str::<Criterion>(json).map_err(|e| e.to_string());
        assert_eq!(read(r#""tests pass""#), Ok(Criterion::text("tests pass")));
        assert_eq!(
            read(r#"{"kind":"file","path":"a.md"}"#),
            Ok(Criterion::File {
                text: "a.md exists".into(),
                path: "a.md".into()
            })
        );
        assert_eq!(
            read(r#"{"kind":"command","text":"x"}"#),
            Err("criterion of kind `command` needs `argv`".into())
        );
        assert!(
            read(r#"{"kind":"vibes"}"#)
                .unwrap_err()
                .contains("unknown kind")
        );
    }

    #[test]
    fn criteria_survive_a_round_trip() {
        let all = vec![
            Criterion::text("t"),
            Criterion::Command {
                text: "c".into(),
                argv: vec!["make".into(), "check".into()],
            },
            Criterion::Regex {
                text: "r".into(),
                path: "p".into(),
                pattern: "x+".into(),
            },
            Criterion::Gate {
                text: "g".into(),
                gate: "cargo-test".into(),
            },
        ];
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Criterion>>(&json).unwrap(), all);
    }
}
