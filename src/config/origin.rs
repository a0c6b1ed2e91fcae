//! Where a value of the settings came from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The layer, and within it the place, that gave a value. Later layers win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Compiled in.
    BuiltIn,
    /// Found on this machine because no provider is configured.
    Detected,
    File(Place),
    /// The environment variable of this name.
    Env(String),
    /// The command-line flag of this name.
    Flag(String),
}

/// A place in a file; line and column count from 1, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<PathBuf>,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// The place of byte `offset` of `text`, which is the file's content.
    pub(crate) fn at(file: &Arc<PathBuf>, text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self {
            file: Arc::clone(file),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Detected => f.write_str("detected"),
            Self::File(place) => place.fmt(f),
            Self::Env(name) => write!(f, "${name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}
