//! `rigs init`

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{App, Ended, Exit, Failure, Kind};
use crate::config::{self, detect};
use crate::core::ProviderKind;
use crate::db::Mode;
use crate::process::{self, Limits, Spec, Stdin};
use crate::view::init::{Agent, Initialized};

/// Set up the home folder: store, commented configuration, detected providers
///
/// Running it again is safe: what is there stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs init
  rigs init ~/work/.rigs --git")]
pub(crate) struct Args {
    /// Home folder to set up; default: --home, $RIGS_HOME or ~/.rigs
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Make the home folder a git repository that versions the configuration
    #[arg(long)]
    git: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    if let Some(path) = args.path {
        app.move_home(path)?;
    }
    let located = app.located()?;
    let found = detect::detect(&app.env);
    let home_created = config::home::prepare(&located.home)?;
    let config_created = if located.explicit {
        false
    } else {
        write_new(&located.file, &config::template::render(&found))?
    };
    app.reload();
    // An existing file that is broken is told now, before anything relies on it.
    let paths = app.config()?.paths.clone();
    let configured: Vec<ProviderKind> = app
        .config()?
        .settings
        .providers
        .values()
        .filter_map(|entry| entry.kind)
        .collect();
    let store_created = !paths.store().exists();
    app.store(Mode::OneShot).await?.close().await?;

    let repository = if args.git {
        Some(version(app, &located.home).await?)
    } else {
        None
    };

    let answer = Initialized {
        home: located.home.display().to_string(),
        home_created,
        config: located.file.display().to_string(),
        config_created,
        store: paths.store().display().to_string(),
        store_created,
        repository_created: repository,
        agents: found
            .agents
            .iter()
            .map(|(kind, path)| Agent {
                kind: *kind,
                path: path.display().to_string(),
                configured: configured.contains(kind),
            })
            .collect(),
        ollama: found.ollama.clone(),
        key_variables: found
            .services
            .iter()
            .map(|(_, key)| (*key).to_owned())
            .collect(),
        embedded: found.embedded,
    };
    app.out.answer(&answer, |page| {
        let was = |created: bool| if created { "created" } else { "kept as it is" };
        page.fields(&[
            (
                "home",
                Some(format!("{} ({})", answer.home, was(home_created))),
            ),
            (
                "config",
                Some(format!("{} ({})", answer.config, was(config_created))),
            ),
            (
                "store",
                Some(format!("{} ({})", answer.store, was(store_created))),
            ),
        ]);
        page.blank();
        for agent in &answer.agents {
            page.line(format!("Found {} at {}", agent.kind, agent.path));
            if !agent.configured {
                // An existing file is not touched.
                page.line(format!(
                    "  it is not in the configuration yet: add a line [providers.{}]{}",
                    agent.kind,
                    match agent.kind {
                        ProviderKind::Gemini => " and its api_key_env",
                        ProviderKind::Claude
                        | ProviderKind::Codex
                        | ProviderKind::Opencode
                        | ProviderKind::Command
                        | ProviderKind::Ollama
                        | ProviderKind::Openai
                        | ProviderKind::Anthropic
                        | ProviderKind::Google
                        | ProviderKind::Embedded
                        | ProviderKind::Sim => "",
                    }
                ));
            }
        }
        if answer.agents.is_empty() {
            page.line(
                "Found no agent CLI in PATH (claude, codex, gemini, opencode): code can be planned, not edited",
            );
        }
        page.line(format!(
            "Ollama is used whenever it answers at {}",
            answer.ollama
        ));
        for variable in &answer.key_variables {
            page.line(format!(
                "Found a key in ${variable}: its provider bills by use and is off; see the config"
            ));
        }
        page.blank();
        page.line("Next: rigs goal execute \"...\"");
    })?;
    Ok(Exit::Done)
}

/// Only what is text and safe to share is versioned: no store, no logs, no worktrees.
const GITIGNORE: &str = "# Everything but the configuration and exports stays out.
*
!.gitignore
!config.toml
!/exports/
!/exports/**
";

/// Makes `home` a git repository of its own; false when it was one.
async fn version(app: &App, home: &Path) -> Result<bool, Failure> {
    write_new(&home.join(".gitignore"), GITIGNORE)?;
    if home.join(".git").exists() {
        return Ok(false);
    }
    let failed = |why: String| Failure::new(Kind::Failed, format!("git init failed: {why}"));
    let program = app.env.find_program("git").ok_or_else(|| {
        Failure::new(Kind::NotPossible, "there is no `git` in PATH").hint("leave out --git")
    })?;
    let spec = Spec {
        program,
        // No template: it could bring hooks along.
        args: ["init", "--quiet", "--template=", "."]
            .map(Into::into)
            .to_vec(),
        env: app.env.child(),
        cwd: home.to_owned(),
        stdin: Stdin::Null,
    };
    let limits = Limits {
        time: Duration::from_secs(30),
        output: 16 * 1024,
    };
    let output = process::run(&spec, limits, &app.clock, &CancellationToken::new())
        .await
        .map_err(|e| failed(e.to_string()))?;
    if !output.exit.success() {
        let said = crate::core::text::one_line(&output.stderr, 200);
        return Err(failed(said));
    }
    Ok(true)
}

/// Writes the file unless it is there; true when it was written. It appears whole or not at
/// all, and a file that appears meanwhile is not replaced.
fn write_new(file: &Path, text: &str) -> Result<bool, Failure> {
    let failed = |e: std::io::Error| {
        Failure::new(
            Kind::Config,
            format!("cannot write {}: {e}", file.display()),
        )
    };
    if std::fs::symlink_metadata(file).is_ok() {
        return Ok(false);
    }
    let draft = file.with_extension(format!("new.{}", std::process::id()));
    let write = |to: &Path| {
        let mut out = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()
    };
    let there = |e: &std::io::Error| e.kind() == std::io::ErrorKind::AlreadyExists;
    let written = write(&draft).and_then(|()| match std::fs::hard_link(&draft, file) {
        Ok(()) => Ok(true),
        Err(e) if there(&e) => Ok(false),
        // A file system without hard links.
        Err(_) => match write(file) {
            Ok(()) => Ok(true),
            Err(e) if there(&e) => Ok(false),
            Err(e) => Err(e),
        },
    });
    let removed = std::fs::remove_file(&draft);
    let written = written.map_err(failed)?;
    removed.map_err(failed)?;
    Ok(written)
}
