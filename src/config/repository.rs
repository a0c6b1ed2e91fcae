//! `.rigs.toml`: what a repository says about how its work is checked. It counts only after a
//! person trusted that very text; it can set nothing but what is listed here, least of all
//! providers, endpoints, keys or rules.

use std::path::PathBuf;

use serde::Deserialize;

use super::settings::Settings;
use crate::core::text::one_line;
use crate::core::time::Span;

/// Its name, at the top of the repository.
pub(crate) const FILE: &str = ".rigs.toml";

/// Largest file that is read, in bytes.
pub(crate) const MAX_FILE: usize = 64 * 1024;

/// What the file may say. Fields that are not there leave things as they are.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Repository {
    pub(crate) gate: RepositoryGate,
}

/// The part of `[gate]` that a repository knows best.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RepositoryGate {
    pub(crate) commands: Option<Vec<Vec<String>>>,
    pub(crate) setup: Option<Vec<Vec<String>>>,
    pub(crate) share: Option<Vec<PathBuf>>,
    pub(crate) timeout: Option<Span>,
    /// Besides those of the configuration.
    pub(crate) protected: Vec<String>,
}

impl Repository {
    /// The error is one line, for a person.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_FILE {
            return Err(format!("{FILE} is larger than {} KiB", MAX_FILE / 1024));
        }
        let read: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text[..text.floor_char_boundary(span.start)]
                    .matches('\n')
                    .count()
                    + 1
            });
            format!("{FILE}, line {line}: {}", one_line(error.message(), 300))
        })?;
        let empty = |argv: &Vec<String>| argv.first().is_none_or(|word| word.trim().is_empty());
        let mut commands = read.gate.commands.iter().chain(&read.gate.setup).flatten();
        if commands.any(empty) {
            return Err(format!("{FILE}: a command of [gate] is empty"));
        }
        if let Some(glob) = read
            .gate
            .protected
            .iter()
            .find(|g| globset::Glob::new(g).is_err())
        {
            return Err(format!("{FILE}: `{}` is no glob", one_line(glob, 80)));
        }
        Ok(read)
    }

    /// The settings with what the file says about this repository.
    pub(crate) fn over(self, settings: &Settings) -> Settings {
        let mut new = settings.clone();
        let gate = &mut new.gate;
        if let Some(commands) = self.gate.commands {
            gate.commands = Some(commands);
        }
        gate.setup.extend(self.gate.setup.unwrap_or_default());
        gate.share.extend(self.gate.share.unwrap_or_default());
        gate.timeout = self.gate.timeout.unwrap_or(gate.timeout);
        for glob in self.gate.protected {
            if !gate.protected.contains(&glob) {
                gate.protected.push(glob);
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn the_gate_of_the_repository_counts_and_nothing_else_can_be_said() {
        let mut settings = Settings::default();
        settings.gate.protected = vec!["ci/**".into()];
        settings.gate.setup = vec![vec!["a".into()]];
        let read = Repository::parse(
            "[gate]\ncommands = [[\"just\", \"test\"]]\nsetup = [[\"b\"]]\nshare = [\"target\"]\n\
             timeout = \"2m\"\nprotected = [\"ci/**\", \"tests/**\"]\n",
        );
        let mut want = settings.clone();
        want.gate.commands = Some(vec![vec!["just".into(), "test".into()]]);
        want.gate.setup = vec![vec!["a".into()], vec!["b".into()]];
        want.gate.share = vec!["target".into()];
        want.gate.timeout = Span(std::time::Duration::from_mins(2));
        want.gate.protected = vec!["ci/**".into(), "tests/**".into()];
        assert_eq!(read.unwrap().over(&settings), want);
    }

    #[test]
    fn what_it_may_not_say_is_named() {
        for (text, want) in [
            (
                "[providers.claude]\nbase_url = \"http://x\"\n",
                ".rigs.toml, line 1: unknown field `providers`",
            ),
            (
                "[gate]\nmax_attempts = 99\n",
                ".rigs.toml, line 2: unknown field `max_attempts`",
            ),
            (
                "[policy]\nfile = \"x\"\n",
                ".rigs.toml, line 1: unknown field `policy`",
            ),
            (
                "[gate]\ncommands = [[]]\n",
                ".rigs.toml: a command of [gate] is empty",
            ),
            (
                "[gate]\nprotected = [\"a[\"]\n",
                ".rigs.toml: `a[` is no glob",
            ),
        ] {
            let error = Repository::parse(text).unwrap_err();
            assert!(error.starts_with(want), "{error}");
        }
        assert!(Repository::parse(&"#".repeat(MAX_FILE + 1)).is_err());
    }
}
