//! `rigs provider test`

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::failure::{Exit, Kind};
use super::super::page::{BAD, GOOD, WARN};
use super::super::{App, Ended, find};
use crate::config::ProviderSettings;
use crate::core::text::one_line;
use crate::core::{ProviderKind, ProviderName};
use crate::llm::openai::OpenAi;
use crate::llm::{anthropic, google, ollama};
use crate::process::{self, Limits, Spec, Stdin};
use crate::provider;
use crate::view::provider::{Check, Tested, program_name};

/// Check that a provider can be reached, without using any of its tokens
///
/// An agent CLI is asked for its version, a server for its models. Exits 1 when something is
/// missing, and says what to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs provider test claude
  rigs provider test ollama --json | jq .ok")]
pub(crate) struct Args {
    /// Name of the provider
    #[arg(value_name = "NAME")]
    name: ProviderName,
}

/// For a program that prints its version.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(20),
    output: 16 * 1024,
};

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let answer = examined(app, &args.name).await?;
    if answer.ok {
        lift(app, &answer.provider).await?;
    }
    let ok = answer.ok;
    app.out.answer(&answer, |page| {
        for check in &answer.checks {
            let mark = if check.ok {
                format!("{GOOD}ok{GOOD:#}  ")
            } else {
                format!("{BAD}not{BAD:#} ")
            };
            page.raw_line(&format!("{mark}{}: {}", check.name, check.detail));
            if let Some(hint) = &check.hint {
                page.raw_line(&format!("    {WARN}hint:{WARN:#} {hint}"));
            }
        }
    })?;
    Ok(if ok {
        Exit::Done
    } else {
        Exit::But(Kind::Failed)
    })
}

/// Every check of one provider.
pub(crate) async fn examined(
    app: &mut App,
    name: &ProviderName,
) -> Result<Tested, super::super::Failure> {
    let settings = app.config()?.settings.clone();
    let entry = find::provider(&settings, name)?;
    // A checked configuration has a kind in every entry.
    let Some(kind) = entry.kind else {
        return Err(super::super::Failure::new(
            Kind::Config,
            format!("the provider `{name}` has no kind"),
        ));
    };
    let mut test = Test {
        app,
        entry,
        checks: Vec::new(),
    };
    let ok = test.all(kind).await;
    Ok(Tested {
        provider: name.clone(),
        kind,
        ok,
        checks: test.checks,
    })
}

/// What stood against the provider is forgotten: the next run tries it again.
async fn lift(app: &App, name: &ProviderName) -> Result<(), super::super::Failure> {
    let db = app.store(crate::db::Mode::OneShot).await?;
    let mut tx = db.write().await?;
    crate::refinery::store::lift(&mut tx, &app.ids, app.now(), name).await?;
    tx.commit().await.map_err(crate::db::DbError::from)?;
    Ok(())
}

/// The checks of one entry; each is told, and the first that fails is the last.
struct Test<'a> {
    app: &'a App,
    entry: &'a ProviderSettings,
    checks: Vec<Check>,
}

impl Test<'_> {
    fn passed(&mut self, name: &str, detail: impl AsRef<str>) {
        self.tell(name, true, detail.as_ref(), None);
    }

    fn failed(&mut self, name: &str, detail: impl AsRef<str>, hint: &str) -> bool {
        self.tell(name, false, detail.as_ref(), Some(hint));
        false
    }

    fn tell(&mut self, name: &str, ok: bool, detail: &str, hint: Option<&str>) {
        self.checks.push(Check {
            name: name.to_owned(),
            ok,
            detail: crate::core::redact::redact(&one_line(detail, 300)),
            hint: hint.map(str::to_owned),
        });
    }

    async fn all(&mut self, kind: ProviderKind) -> bool {
        match kind {
            ProviderKind::Claude
            | ProviderKind::Codex
            | ProviderKind::Gemini
            | ProviderKind::Opencode
            | ProviderKind::Command => self.program(kind).await && self.key().await,
            ProviderKind::Ollama => self.ollama().await,
            ProviderKind::Openai | ProviderKind::Anthropic | ProviderKind::Google => {
                self.endpoint(kind).await
            }
            ProviderKind::Embedded => self.embedded(),
            ProviderKind::Sim => self.simulated(),
        }
    }

    /// The server answers and has the model.
    async fn ollama(&mut self) -> bool {
        let clock = &self.app.clock;
        let url = self
            .entry
            .base_url
            .as_deref()
            .unwrap_or(ollama::DEFAULT_URL);
        let found = match ollama::probe(url, clock).await {
            Ok(version) => ollama::models(url, clock)
                .await
                .map(|models| (version, models)),
            Err(error) => Err(error),
        };
        let (version, models) = match found {
            Ok(found) => found,
            Err(error) => {
                return self.failed("server", error.to_string(), "start it with `ollama serve`");
            }
        };
        self.passed("server", format!("Ollama {version} at {url}"));
        let names: Vec<String> = models.into_iter().map(|model| model.name).collect();
        self.model(&names, "`ollama pull MODEL` fetches one")
    }

    /// The endpoint takes the key and has the model.
    async fn endpoint(&mut self, kind: ProviderKind) -> bool {
        let stop = CancellationToken::new();
        let key = match provider::secrets(self.entry, &self.app.env, &self.app.clock, &stop).await {
            Ok(secrets) => secrets.key,
            Err(error) => return self.no_key(&error.to_string()),
        };
        if key.is_some() {
            self.passed("key", "found");
        }
        let url = self.entry.base_url.clone();
        let model = self.entry.model.as_deref().unwrap_or("");
        let clock = &self.app.clock;
        let (url, models) = match kind {
            ProviderKind::Anthropic => {
                let url = url.unwrap_or_else(|| anthropic::DEFAULT_URL.to_owned());
                let models = match anthropic::Anthropic::new(&url, model, key) {
                    Ok(server) => server.models(clock).await,
                    Err(error) => Err(error),
                };
                (url, models)
            }
            ProviderKind::Google => {
                let url = url.unwrap_or_else(|| google::DEFAULT_URL.to_owned());
                let models = match google::Google::new(&url, model, key) {
                    Ok(server) => server.models(clock).await,
                    Err(error) => Err(error),
                };
                (url, models)
            }
            ProviderKind::Claude
            | ProviderKind::Codex
            | ProviderKind::Gemini
            | ProviderKind::Opencode
            | ProviderKind::Command
            | ProviderKind::Ollama
            | ProviderKind::Openai
            | ProviderKind::Embedded
            | ProviderKind::Sim => {
                let url = url.unwrap_or_default();
                let models = match OpenAi::new(&url, model, key) {
                    Ok(server) => server.models(clock).await,
                    Err(error) => Err(error),
                };
                (url, models)
            }
        };
        match models {
            Ok(models) => {
                self.passed("server", url);
                self.model(&models, "set `model` to one that the server has")
            }
            Err(error) => self.failed(
                "server",
                error.to_string(),
                "check `base_url` and the key of the entry",
            ),
        }
    }

    fn model(&mut self, there: &[String], hint: &str) -> bool {
        let some: Vec<&str> = there.iter().take(8).map(String::as_str).collect();
        let some = some.join(", ");
        match &self.entry.model {
            None if there.is_empty() => self.failed("model", "the server has none", hint),
            None => {
                self.passed("model", format!("any of {}: {some}", there.len()));
                true
            }
            // Some servers list no models.
            Some(model) if there.is_empty() || there.contains(model) => {
                self.passed("model", model);
                true
            }
            Some(model) => {
                let detail = format!("`{model}` is not there; the server has {some}");
                self.failed("model", detail, hint)
            }
        }
    }

    fn embedded(&mut self) -> bool {
        if cfg!(feature = "local-llm") {
            self.passed("build", "with the feature local-llm");
            true
        } else {
            self.failed(
                "build",
                "this build cannot run models",
                "build rigs with --features local-llm",
            )
        }
    }

    fn simulated(&mut self) -> bool {
        let said = "nothing is asked and nothing is paid: its runs are made up inside rigs";
        self.passed("simulated", said);
        true
    }

    fn no_key(&mut self, error: &str) -> bool {
        self.failed(
            "key",
            error,
            "export the variable that the entry names, or change the entry",
        )
    }

    async fn key(&mut self) -> bool {
        let stop = CancellationToken::new();
        let (env, clock) = (&self.app.env, &self.app.clock);
        match provider::secrets(self.entry, env, clock, &stop).await {
            Ok(secrets) => {
                if secrets.key.is_some() {
                    self.passed("key", "found");
                }
                true
            }
            Err(error) => self.no_key(&error.to_string()),
        }
    }

    /// The program is there and says its version.
    async fn program(&mut self, kind: ProviderKind) -> bool {
        let wanted = program_name(kind, self.entry).unwrap_or_default();
        let Some(program) = self.app.env.find_program(&wanted) else {
            let hint = match kind {
                ProviderKind::Claude => "npm install -g @anthropic-ai/claude-code",
                ProviderKind::Codex => "npm install -g @openai/codex",
                ProviderKind::Gemini => "npm install -g @google/gemini-cli",
                ProviderKind::Opencode => "npm install -g opencode-ai",
                ProviderKind::Command
                | ProviderKind::Ollama
                | ProviderKind::Openai
                | ProviderKind::Anthropic
                | ProviderKind::Google
                | ProviderKind::Embedded
                | ProviderKind::Sim => "install it, or give its absolute path as `command`",
            };
            return self.failed("program", format!("`{wanted}` is not in PATH"), hint);
        };
        self.passed("program", program.display().to_string());
        let args = provider::version_args(kind);
        if args.is_empty() {
            return true;
        }
        self.version(program, args).await
    }

    async fn version(&mut self, program: PathBuf, args: &[&str]) -> bool {
        let spec = Spec {
            cwd: program.parent().map(Into::into).unwrap_or_default(),
            program,
            args: args.iter().map(Into::into).collect(),
            env: provider::base_env(&self.app.env, self.entry),
            stdin: Stdin::Null,
        };
        let stop = CancellationToken::new();
        match process::run(&spec, LIMITS, &self.app.clock, &stop).await {
            Ok(output) if output.exit.success() && !output.timed_out => {
                let line = output.stdout.lines().find(|line| !line.trim().is_empty());
                self.passed("version", line.unwrap_or("(none printed)"));
                true
            }
            Ok(output) if output.timed_out => self.failed(
                "version",
                format!("no answer within {}s", LIMITS.time.as_secs()),
                "run the program by hand to see what it waits for",
            ),
            Ok(output) => {
                let said = output.stderr.lines().find(|line| !line.trim().is_empty());
                let code = output.exit.code();
                self.failed(
                    "version",
                    format!("exit status {code}: {}", said.unwrap_or("nothing said")),
                    "run the program by hand; it may need to be reinstalled",
                )
            }
            Err(error) => self.failed(
                "version",
                error.to_string(),
                "check that the file is a program for this machine",
            ),
        }
    }
}
