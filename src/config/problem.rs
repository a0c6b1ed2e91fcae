//! What can be wrong with the settings. All problems of a load are told at once.

use std::fmt;
use std::path::PathBuf;

use super::origin::Origin;

/// One thing that is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) origin: Origin,
    /// The key, for example `providers.claude.model`; empty when it is about the whole file.
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(origin: &Origin, key: &str, message: impl Into<String>) -> Self {
        Self {
            origin: origin.clone(),
            key: key.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Why there are no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{}", joined(.0))]
    Invalid(Vec<Problem>),
    #[error("cannot read the configuration file {}: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
    #[error(transparent)]
    Home(#[from] super::home::HomeError),
}

impl ConfigError {
    /// Where the first problem is, for an event: line and column from 1.
    pub(crate) fn place(&self) -> Option<(usize, usize)> {
        match self {
            Self::Invalid(problems) => place(problems),
            Self::Unreadable { .. } | Self::Home(_) => None,
        }
    }
}

/// Where in a file the first of these is; line and column from 1.
pub(crate) fn place(problems: &[Problem]) -> Option<(usize, usize)> {
    problems.iter().find_map(|p| match &p.origin {
        Origin::File(place) => Some((place.line, place.column)),
        Origin::BuiltIn | Origin::Detected | Origin::Env(_) | Origin::Flag(_) => None,
    })
}

fn joined(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
