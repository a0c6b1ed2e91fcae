//! Which programs the providers are: found once, at the start, and never in a place that what
//! they work on could have filled.

use std::collections::BTreeMap;
use std::path::Path;

use super::context::Provider;
use crate::config::env::lies_in;
use crate::config::settings::Command;
use crate::config::{Env, Paths, ProviderSettings, Settings};
use crate::core::{ProviderKind, ProviderName, Way};

/// Pins every enabled provider to a program, or says what is missing.
pub(crate) fn pin_providers(settings: &Settings, env: &Env) -> BTreeMap<ProviderName, Provider> {
    settings
        .providers
        .iter()
        .filter(|(_, entry)| entry.enabled)
        .filter_map(|(name, entry)| {
            let kind = entry.kind?;
            let (program, unusable) = match program_name(kind, entry) {
                None => (None, None),
                Some(wanted) => match env.find_program(&wanted) {
                    Some(path) => (Some(path), None),
                    None => (None, Some(missing(&wanted, env))),
                },
            };
            Some((
                name.clone(),
                Provider {
                    kind,
                    entry: entry.clone(),
                    program,
                    unusable,
                },
            ))
        })
        .collect()
}

/// The program to look for; `None` for kinds that are asked over HTTP or inside this process.
fn program_name(kind: ProviderKind, entry: &ProviderSettings) -> Option<String> {
    let given = match &entry.command {
        Some(Command::Program(program)) => Some(program.clone()),
        Some(Command::Argv(argv)) => argv.first().cloned(),
        None => None,
    };
    match kind.way() {
        Way::Agent => given.or_else(|| crate::provider::default_program(kind).map(str::to_owned)),
        Way::Program => Some(given.unwrap_or_default()),
        Way::Http | Way::Inside | Way::Nobody => None,
    }
}

fn missing(wanted: &str, env: &Env) -> String {
    env.passed_over(wanted)
        .unwrap_or_else(|| format!("the program `{wanted}` is not on the PATH or not executable"))
}

/// The program of a provider for work on `repo`; `None` for a kind without one. The error is for
/// a person: a program that was only named was found in that very repository (the foreman was
/// started elsewhere), or among the worktrees, which agents fill.
pub(super) fn program_for<'a>(
    p: &'a Provider,
    repo: Option<&Path>,
    paths: &Paths,
) -> Result<Option<&'a Path>, String> {
    let Some(program) = p.program.as_deref() else {
        return Ok(None);
    };
    let folder = program.parent().unwrap_or(program);
    let named = program_name(p.kind, &p.entry).is_some_and(|name| !name.contains('/'));
    let inside = |root: &Path| lies_in(folder, root);
    if inside(paths.worktrees()) || named && repo.is_some_and(inside) {
        return Err(format!(
            "the program {} is not run: it lies where agents work; set `command` of its provider \
             to one elsewhere",
            program.display()
        ));
    }
    Ok(Some(program))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn no_program_is_run_from_where_agents_work() {
        let paths = Paths::new("/home/dev/.rigs".into(), None);
        let provider = |command: &str, program: &str| Provider {
            kind: ProviderKind::Claude,
            entry: ProviderSettings {
                command: Some(Command::Program(command.into())),
                ..ProviderSettings::default()
            },
            program: Some(program.into()),
            unusable: None,
        };
        let repo = Path::new("/srv/project");
        for (command, program, repo, runs) in [
            ("claude", "/usr/bin/claude", Some(repo), true),
            ("claude", "/srv/project/bin/claude", Some(repo), false),
            ("claude", "/srv/project/bin/claude", None, true),
            ("claude", "/srv/project-too/claude", Some(repo), true),
            // What was named by its path was meant, as long as no agent can write it.
            (
                "/srv/project/bin/claude",
                "/srv/project/bin/claude",
                Some(repo),
                true,
            ),
            (
                "/home/dev/.rigs/worktrees/gt-1/claude",
                "/home/dev/.rigs/worktrees/gt-1/claude",
                None,
                false,
            ),
        ] {
            let p = provider(command, program);
            let got = program_for(&p, repo, &paths);
            assert_eq!(got.is_ok(), runs, "{program}: {got:?}");
        }
    }
}
