//! `rigs provider add`

use super::super::failure::{Failure, Kind};
use super::super::{App, Ended, Exit};
use super::placed;
use crate::config::edit::{self, NewEntry};
use crate::config::settings::Command;
use crate::config::{detect, template};
use crate::core::{Permission, ProviderKind, ProviderName};
use crate::view;

/// Add a provider to config.toml, comments and everything else in it kept
///
/// A name that is a kind (claude, codex, ollama ...) or a known service (deepseek, openrouter ...)
/// says enough by itself. A second account of one kind takes another name, `--kind` and
/// `--config-home`. Keys are never written: `--api-key-env` names the variable that holds one.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs provider add codex
  rigs provider add work --kind claude --config-home ~/.claude-work
  rigs provider add deepseek --model deepseek-chat
  rigs provider add lab --kind openai --base-url http://127.0.0.1:8080/v1 --model qwen
  rigs provider add rehearsal --kind sim
  rigs provider add mine --kind command -- mytool --model {model} --dir {workdir}")]
pub(crate) struct Args {
    /// Name of the provider, as beads and commands will use it
    #[arg(value_name = "NAME")]
    name: ProviderName,
    /// What it is; not needed where the name says it
    #[arg(long, value_name = "KIND")]
    kind: Option<ProviderKind>,
    /// Model to use; the provider's own choice when not given
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Name of the variable that holds the key, never the key itself
    #[arg(long, value_name = "VARIABLE")]
    api_key_env: Option<String>,
    /// Endpoint
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Program, a name in PATH or an absolute path
    #[arg(long, value_name = "PROGRAM")]
    command: Option<String>,
    /// Folder of a separate account: CLAUDE_CONFIG_DIR, CODEX_HOME and so on
    #[arg(long, value_name = "DIR")]
    config_home: Option<String>,
    /// The most that a bead may be permitted here
    #[arg(long, value_name = "LEVEL")]
    permission: Option<Permission>,
    /// Beads at once
    #[arg(long, value_name = "N")]
    max_parallel: Option<u32>,
    /// After `--`: for kind `command` the program and its arguments, else further arguments
    #[arg(last = true, value_name = "ARG")]
    rest: Vec<String>,
}

pub(crate) fn run(args: Args, app: &mut App) -> Ended {
    let name = args.name.clone();
    let entry = entry(args)?;
    let located = app.located()?;
    crate::config::home::prepare(&located.home)?;
    let found = detect::detect(&app.env);
    let fresh = template::render(&found);
    // Without any entry, what was found on the machine was used; it shall not vanish because of
    // one that is added.
    let had_entries = app
        .config()?
        .settings
        .providers
        .keys()
        .any(|name| !app.is_detected(name));
    let mut entries = vec![(name.clone(), entry)];
    let file_is_there = located.file.exists();
    let mut kept: Vec<ProviderName> = Vec::new();
    if file_is_there && !had_entries {
        for (found, entry) in detected(&found) {
            if found != name {
                kept.push(found.clone());
                entries.push((found, entry));
            }
        }
    }
    placed(app, &located, &fresh, |text| {
        let text = if file_is_there {
            text.to_owned()
        } else {
            // What was found is in the fresh file already; what is given takes its place.
            match edit::remove(&located.file, text, &name) {
                Ok(without) => without,
                Err(edit::EditError::Absent { .. }) => text.to_owned(),
                Err(error) => return Err(error),
            }
        };
        edit::add(&located.file, &text, &entries)
    })?;
    app.reload();
    let config = app.config()?;
    let answer = view::provider::list(config, &app.env)
        .into_iter()
        .find(|provider| provider.name == name)
        .ok_or_else(|| {
            Failure::new(
                Kind::Config,
                format!("the entry `{name}` was written, but is not read"),
            )
            .hint("`rigs config path` says which file counts")
        })?;
    if !kept.is_empty() {
        let kept: Vec<&str> = kept.iter().map(ProviderName::as_str).collect();
        app.out.note(format!(
            "Also written, because they were in use without an entry: {}",
            kept.join(", ")
        ))?;
    }
    app.out.answer(&answer, |page| {
        page.line(format!(
            "Added {name} ({}) to {}",
            answer.kind,
            located.file.display()
        ));
        if let Some(problem) = &answer.problem {
            page.line(format!("Not usable yet: {problem}"));
        }
        page.line(format!("Next: rigs provider test {name}"));
    })?;
    Ok(Exit::Done)
}

fn entry(args: Args) -> Result<NewEntry, Failure> {
    let is_command = args.kind == Some(ProviderKind::Command)
        || (args.kind.is_none() && args.name.as_str() == ProviderKind::Command.as_str());
    let (command, rest) = match (args.command, args.rest) {
        (Some(_), rest) if is_command && !rest.is_empty() => {
            return Err(Failure::usage(
                "give the program of a `command` provider once: --command or after `--`",
            ));
        }
        (Some(program), rest) => (Some(Command::Program(program)), rest),
        (None, argv) if is_command && !argv.is_empty() => (Some(Command::Argv(argv)), Vec::new()),
        (None, rest) => (None, rest),
    };
    if let Some(variable) = &args.api_key_env {
        variable_name(variable)?;
    }
    Ok(NewEntry {
        kind: args.kind.map(|kind| kind.as_str().to_owned()),
        command,
        args: rest,
        model: args.model,
        base_url: args.base_url,
        api_key_env: args.api_key_env,
        config_home: args.config_home,
        permission: args.permission.map(|level| level.as_str().to_owned()),
        max_parallel: args.max_parallel,
    })
}

/// Who pastes the key itself must not find it in a file.
fn variable_name(text: &str) -> Result<(), Failure> {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let is_name = !text.is_empty() && text.len() <= 64 && text.bytes().all(plain);
    if is_name {
        return Ok(());
    }
    Err(Failure::usage(
        "--api-key-env takes the NAME of a variable, in capitals; what was given is not shown, it may be a key",
    )
    .hint("export MY_API_KEY=... in your shell, then give --api-key-env MY_API_KEY"))
}

/// What stands in for `[providers]` where there is none, as entries.
pub(super) fn detected(found: &detect::Detected) -> Vec<(ProviderName, NewEntry)> {
    let name = |kind: ProviderKind| kind.as_str().parse().ok();
    let agents = found.agents.iter().filter_map(|(kind, path)| {
        let entry = NewEntry {
            command: Some(Command::Program(path.to_str()?.to_owned())),
            ..NewEntry::default()
        };
        Some((name(*kind)?, entry))
    });
    let ollama = name(ProviderKind::Ollama).map(|name| {
        let entry = NewEntry {
            base_url: Some(found.ollama.clone()),
            ..NewEntry::default()
        };
        (name, entry)
    });
    let embedded = name(ProviderKind::Embedded)
        .filter(|_| found.embedded)
        .map(|name| (name, NewEntry::default()));
    agents.chain(ollama).chain(embedded).collect()
}
