//! Providers that answer with text: the same polecat, with a model client in place of a program.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::context::Provider;
use super::polecat::{Log, Teller, halted, not_started};
use super::stage::{Halt, Job, Leash, RunReport, Said};
use crate::config::{ProviderSettings, secret};
use crate::core::redact::Redactor;
use crate::core::text::clean;
use crate::core::{ProviderKind, ProviderName, Usage};
use crate::llm::embedded::Embedded;
use crate::llm::store::ModelStore;
use crate::llm::{LanguageModel, LlmError, Message, Request};
use crate::process::{Limits, Spec, Stdin, Stream};
use crate::provider::{self, Class, Outcome, Scope, Secrets, Signal};

/// Most tokens of a text answer.
const MOST_TOKENS: u32 = 4096;
/// Pieces of an answer that may wait for the log.
const PIECES: usize = 256;

/// The clients that were made so far; loading a model twice would take its memory twice.
#[derive(Default)]
pub(crate) struct Models {
    made: Mutex<HashMap<ProviderName, Arc<dyn LanguageModel>>>,
}

impl Models {
    /// The client of a provider that has no program.
    pub(crate) async fn get(
        &self,
        ctx: &Context,
        name: &ProviderName,
        p: &Provider,
    ) -> Result<Arc<dyn LanguageModel>, LlmError> {
        let mut made = self.made.lock().await;
        if let Some(model) = made.get(name) {
            return Ok(Arc::clone(model));
        }
        let model = make(ctx, name, p).await?;
        made.insert(name.clone(), Arc::clone(&model));
        Ok(model)
    }
}

async fn make(
    ctx: &Context,
    name: &ProviderName,
    p: &Provider,
) -> Result<Arc<dyn LanguageModel>, LlmError> {
    let entry = &p.entry;
    let unusable = |reason: String| LlmError::Unusable(format!("provider {name}: {reason}"));
    let named_model = || {
        let model = entry.model.clone();
        model.ok_or_else(|| unusable(format!("set providers.{name}.model")))
    };
    match p.kind {
        ProviderKind::Ollama => {
            let url =
                crate::llm::ollama::base_url(entry.base_url.as_deref(), ctx.env.get("OLLAMA_HOST"));
            let model = if let Some(model) = &entry.model {
                model.clone()
            } else {
                let installed = crate::llm::ollama::models(&url, &ctx.clock).await?;
                let chosen = crate::llm::ollama::choose(&installed, u64::MAX);
                chosen
                    .ok_or_else(|| {
                        unusable("Ollama has no model yet: `ollama pull qwen2.5-coder:7b`".into())
                    })?
                    .name
                    .clone()
            };
            Ok(Arc::new(crate::llm::ollama::Ollama::new(&url, &model)?))
        }
        ProviderKind::Openai => {
            let url = entry
                .base_url
                .as_deref()
                .unwrap_or("https://api.openai.com/v1");
            let key = secrets(ctx, entry).await.map_err(unusable)?.key;
            let model = named_model()?;
            Ok(Arc::new(crate::llm::openai::OpenAi::new(url, &model, key)?))
        }
        ProviderKind::Anthropic => {
            use crate::llm::anthropic::{Anthropic, DEFAULT_URL};
            let url = entry.base_url.as_deref().unwrap_or(DEFAULT_URL);
            let key = secrets(ctx, entry).await.map_err(unusable)?.key;
            Ok(Arc::new(Anthropic::new(url, &named_model()?, key)?))
        }
        ProviderKind::Google => {
            use crate::llm::google::{DEFAULT_URL, Google};
            let url = entry.base_url.as_deref().unwrap_or(DEFAULT_URL);
            let key = secrets(ctx, entry).await.map_err(unusable)?.key;
            Ok(Arc::new(Google::new(url, &named_model()?, key)?))
        }
        ProviderKind::Embedded => {
            let store = ModelStore::new(ctx.paths.models());
            let chosen = store
                .choose(entry.model.as_deref())
                .map_err(|e| unusable(e.to_string()))?;
            let model = chosen.ok_or_else(|| {
                unusable("it has no model yet: `rigs model pull` fetches the small one".into())
            })?;
            Ok(Arc::new(Embedded::load(&model.name, &model.path).await?))
        }
        ProviderKind::Claude
        | ProviderKind::Codex
        | ProviderKind::Gemini
        | ProviderKind::Opencode
        | ProviderKind::Command => Err(unusable(format!("kind {} runs as a program", p.kind))),
        ProviderKind::Sim => Err(unusable(
            "it answers nothing: it only simulates runs".into(),
        )),
    }
}

/// The key of a provider, fetched now.
pub(crate) async fn secrets(ctx: &Context, entry: &ProviderSettings) -> Result<Secrets, String> {
    let key = secret::resolve(entry, &ctx.env, |argv| ask_for_key(ctx, argv))
        .await
        .map_err(|e| e.to_string())?;
    Ok(key.map(Secrets::with_key).unwrap_or_default())
}

/// Runs `api_key_command`. What it prints is a secret: it never appears in an error.
async fn ask_for_key(ctx: &Context, argv: Vec<String>) -> Result<String, String> {
    let (program, args) = argv.split_first().ok_or("it is empty")?;
    let spec = Spec {
        program: ctx.env.find_program(program).ok_or("no such program")?,
        args: args.iter().map(Into::into).collect(),
        env: ctx.env.child(),
        cwd: ctx.paths.home().to_owned(),
        stdin: Stdin::Null,
    };
    let limits = Limits {
        time: Duration::from_secs(30),
        output: 64 * 1024,
    };
    let output = crate::process::run(&spec, limits, &ctx.clock, &CancellationToken::new())
        .await
        .map_err(|e| e.to_string())?;
    match output.exit {
        _ if output.timed_out => Err("it took longer than 30 s".into()),
        exit if exit.success() => Ok(output.stdout),
        exit => Err(format!("it exited with {}", exit.code())),
    }
}

/// Runs the attempt on a model: one request, its answer the result.
pub(super) async fn run_model(
    ctx: &Context,
    job: &Job,
    tell: &Teller<'_>,
    mut leash: Leash,
) -> RunReport {
    let p = match ctx.provider(&job.provider) {
        Ok(p) => p,
        Err(error) => return not_started("provider.unknown", &error.to_string()),
    };
    let model = match ctx.models.get(ctx, &job.provider, p).await {
        Ok(model) => model,
        Err(error) => return ended(classify(p, &error, ctx), None),
    };
    tell.say(Said::Started { process: None }).await;
    tell.say(Said::Signal(Signal::Model(model.label()))).await;
    let (pieces, mut heard) = mpsc::channel(PIECES);
    let mut messages: Vec<Message> = job.system.iter().map(Message::system).collect();
    messages.push(Message::user(&job.prompt));
    let request = Request {
        max_tokens: u32::try_from(job.envelope.tokens)
            .map_or(MOST_TOKENS, |most| most.min(MOST_TOKENS)),
        timeout: job
            .envelope
            .time
            .map_or(p.entry.timeout.0, |most| most.min(p.entry.timeout.0)),
        idle_timeout: p.entry.idle_timeout.0,
        pieces: Some(pieces),
        ..Request::new(messages)
    };
    let mut log = Log::open(&job.log, Redactor::default());
    let mut line = String::new();
    let answer = {
        let asked = model.complete(&request, &ctx.clock);
        tokio::pin!(asked);
        loop {
            tokio::select! {
                answer = &mut asked => break Some(answer),
                Some(piece) = heard.recv() => {
                    line.push_str(&piece);
                    while let Some(end) = line.find('\n') {
                        log.write(Stream::Out, &line[..end]);
                        line.drain(..=end);
                    }
                }
                () = halted(&mut leash) => break None,
            }
        }
    };
    if !line.is_empty() {
        log.write(Stream::Out, &line);
    }
    match answer {
        None => {
            let cancelled = *leash.halt.borrow() == Some(Halt::Cancel);
            let rule = if cancelled {
                "stopped.cancel"
            } else {
                "stopped.shutdown"
            };
            // What the model had read and written by then, nobody counts.
            ended(outcome(Class::Stopped, rule, "ended by rigs"), None)
        }
        Some(Err(error)) => {
            let asked = p.entry.model.as_deref();
            for seen in provider::closed_by(&error, asked, ctx.clock.now()) {
                tell.say(Said::Signal(Signal::Window(seen))).await;
            }
            ended(classify(p, &error, ctx), None)
        }
        Some(Ok(done)) => {
            let text = crate::core::redact::redact(clean(&done.text).trim());
            let usage = if done.usage.is_zero() {
                estimated(job, &text)
            } else {
                done.usage
            };
            let usage = provider::with_cost(p.kind, &p.entry, Some(&done.model), usage);
            tell.say(Said::Signal(Signal::UsageSoFar(usage))).await;
            let asked = p.entry.model.as_deref();
            for seen in provider::observations(&done.headers, asked, ctx.clock.now()) {
                tell.say(Said::Signal(Signal::Window(seen))).await;
            }
            let message = if done.truncated {
                "the answer was cut at its longest"
            } else {
                "answered"
            };
            let mut report = ended(outcome(Class::Done, "answered", message), Some(usage));
            report.output = text;
            report.model = Some(model.label());
            report
        }
    }
}

/// For a server that reports no usage: counted here, with the tokenizer of the assayer.
fn estimated(job: &Job, answer: &str) -> Usage {
    Usage {
        input: crate::assayer::tokens::count(&job.prompt),
        output: crate::assayer::tokens::count(answer),
        requests: 1,
        ..Usage::default()
    }
}

fn classify(p: &Provider, error: &LlmError, ctx: &Context) -> Outcome {
    provider::classify(p.kind, error, p.entry.model.as_deref(), ctx.clock.now())
}

fn outcome(class: Class, rule: &'static str, message: &str) -> Outcome {
    Outcome {
        class,
        rule,
        message: message.to_owned(),
        resets_at: None,
        scope: Scope::Account,
    }
}

fn ended(outcome: Outcome, usage: Option<Usage>) -> RunReport {
    let mut report = not_started("", "");
    report.usage = usage.or_else(|| outcome.used_nothing().then(Usage::default));
    report.outcome = outcome;
    report
}
