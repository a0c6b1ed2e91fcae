//! `.rigs.toml`: what a repository says about how its work is checked, and who does it best. It counts only after a
//! person trusted that very text; it can set nothing but what is listed here, least of all
//! providers, endpoints, keys or rules.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::settings::{Affinity, Settings};
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
    pub(crate) routing: RepositoryRouting,
}

/// Hints: which of the providers that a person has set up does which kind of work best here. It
/// can only order them; where the person has said something, that stands.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RepositoryRouting {
    /// Per provider name or kind, per task type, 0 to 1. Names that nobody has are no error:
    /// whoever wrote the file knows the providers of others only by their kinds.
    pub(crate) affinity: BTreeMap<String, Affinity>,
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
        let mut shares = read.routing.affinity.values().flat_map(Affinity::values);
        if shares.any(|share| !(0.0..=1.0).contains(share)) {
            return Err(format!("{FILE}: an affinity is a number from 0 to 1"));
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
        new.routing.hints = self.routing.affinity;
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
    fn hints_order_the_providers_where_the_person_has_said_nothing() {
        use crate::core::TaskType::{Debug, Test};
        let mut settings = Settings::default();
        let of = |pairs: &[_]| pairs.iter().copied().collect::<Affinity>();
        settings.routing.affinity = BTreeMap::from([("codex".into(), of(&[(Test, 0.2)]))]);
        let read = Repository::parse(
            "[routing.affinity]\ncodex = { test = 1.0, debug = 0.9 }\nmine = { test = 0.5 }\n",
        );
        let mut want = settings.clone();
        want.routing.hints = BTreeMap::from([
            ("codex".into(), of(&[(Test, 1.0), (Debug, 0.9)])),
            ("mine".into(), of(&[(Test, 0.5)])),
        ]);
        assert_eq!(read.unwrap().over(&settings), want);
        for share in ["nan", "1.5", "-0.1", "inf"] {
            let text = format!("[routing.affinity]\ncodex = {{ test = {share} }}\n");
            let error = Repository::parse(&text).unwrap_err();
            assert!(error.contains("from 0 to 1"), "{error}");
        }
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
                "[routing]\nfallback_order = [\"x\"]\n",
                ".rigs.toml, line 2: unknown field `fallback_order`",
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
