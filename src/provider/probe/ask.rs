//! Asking: a program or an endpoint, bounded in time and size. What comes back is read by the
//! file of the source.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::Value;

use super::super::key::secrets;
use super::{
    Answer, Asking, Probe, ProbeError, app_server, ccusage, deepseek, github, login, oauth, ollama,
    openrouter, rollout, usage,
};
use crate::core::Timestamp;
use crate::core::text::one_line;
use crate::llm::http::Endpoint;
use crate::process::{self, Asked, Exit, Limits, Spec};

/// Most bytes of a program's answer.
const OUTPUT: usize = 4 << 20;

/// Asks one source. Takes no longer than its patience, and leaves no process behind.
pub(crate) async fn ask(probe: Probe, asking: &Asking<'_>) -> Result<Answer, ProbeError> {
    let limit = probe.patience();
    // Programs and endpoints have the same limit of their own, with better words; this one is
    // for what has none: files, keys.
    let answer = asking
        .clock
        .timeout(limit * 2, Box::pin(unbounded(probe, asking)))
        .await;
    answer.unwrap_or(Err(ProbeError::TimedOut { limit }))
}

async fn unbounded(probe: Probe, asking: &Asking<'_>) -> Result<Answer, ProbeError> {
    let now = || asking.clock.now();
    match probe {
        Probe::AppServer => {
            let spec = app_server::spec(asking, program(asking, "codex")?);
            let line = line(probe, &spec, asking, "codex", app_server::is_answer).await?;
            app_server::read(&line, now())
        }
        Probe::Usage => {
            let spec = usage::spec(asking, program(asking, "claude")?);
            let line = line(probe, &spec, asking, "claude", usage::is_answer).await?;
            usage::read(&line, now())
        }
        Probe::Login => {
            // It exits with 1 when there is no login, and says so all the same.
            let spec = login::spec(asking, program(asking, "claude")?);
            let (printed, _) = output(probe, &spec, asking, "claude").await?;
            login::read(&printed)
        }
        Probe::Ccusage => {
            let spec = ccusage::spec(asking, program(asking, "ccusage")?);
            let (printed, exit) = output(probe, &spec, asking, "ccusage").await?;
            if exit.success() {
                ccusage::read(&printed, now())
            } else {
                Err(ended("ccusage", exit, ""))
            }
        }
        Probe::Rollout => {
            let folder = rollout::folder(asking)
                .ok_or_else(|| ProbeError::Nothing("$HOME is not set".into()))?;
            files(folder, now()).await
        }
        Probe::OAuth => {
            let file = oauth::file(asking)
                .ok_or_else(|| ProbeError::Nothing("$HOME is not set".into()))?;
            let token = oauth::token(&file, now())?;
            let base = asking.entry.base_url.as_deref().unwrap_or(oauth::BASE);
            let page = get(
                probe,
                asking,
                base,
                oauth::PATH,
                Some(token),
                oauth::HEADERS,
            )
            .await?;
            oauth::read(&page, now())
        }
        Probe::OpenRouter => {
            let page = with_key(probe, asking, openrouter::BASE, openrouter::PATH).await?;
            openrouter::read(&page, now())
        }
        Probe::DeepSeek => {
            let page = with_key(probe, asking, deepseek::BASE, deepseek::PATH).await?;
            deepseek::read(&page, now())
        }
        Probe::GitHub => {
            let page = with_key(probe, asking, github::BASE, github::PATH).await?;
            github::read(&page, now())
        }
        Probe::Ollama => {
            let base = asking
                .entry
                .base_url
                .as_deref()
                .unwrap_or(crate::llm::ollama::DEFAULT_URL);
            let (version, running) = tokio::try_join!(
                get(probe, asking, base, "/api/version", None, &[]),
                get(probe, asking, base, "/api/ps", None, &[]),
            )?;
            ollama::read(&version, &running)
        }
    }
}

fn program<'a>(asking: &Asking<'a>, program: &'static str) -> Result<&'a Path, ProbeError> {
    asking.program.ok_or(ProbeError::NoProgram { program })
}

fn limits(probe: Probe) -> Limits {
    Limits {
        time: probe.patience(),
        output: OUTPUT,
    }
}

/// The line of a program that is the answer.
async fn line(
    probe: Probe,
    spec: &Spec,
    asking: &Asking<'_>,
    program: &'static str,
    is_answer: fn(&str) -> bool,
) -> Result<String, ProbeError> {
    let limits = limits(probe);
    match process::ask(spec, limits, asking.clock, asking.stop, is_answer).await? {
        Asked::Answer(line) => Ok(line),
        Asked::TimedOut => Err(ProbeError::TimedOut { limit: limits.time }),
        Asked::Ended { exit, stderr } => Err(ended(program, exit, &stderr)),
    }
}

/// All that a program prints, and how it ended.
async fn output(
    probe: Probe,
    spec: &Spec,
    asking: &Asking<'_>,
    program: &'static str,
) -> Result<(String, Exit), ProbeError> {
    let limits = limits(probe);
    let output = process::run(spec, limits, asking.clock, asking.stop).await?;
    if output.timed_out {
        return Err(ProbeError::TimedOut { limit: limits.time });
    }
    if output.stdout.trim().is_empty() {
        let said = output.stderr.lines().rfind(|line| !line.trim().is_empty());
        return Err(ended(program, output.exit, said.unwrap_or_default()));
    }
    Ok((output.stdout, output.exit))
}

fn ended(program: &'static str, exit: Exit, said: &str) -> ProbeError {
    ProbeError::Ended {
        program,
        status: match exit {
            Exit::Code(code) => format!("exit status {code}"),
            Exit::Signal(signal) => format!("signal {signal}"),
        },
        said: one_line(said, 200),
    }
}

/// Files may lie on a disk that does not answer: not on the thread that everybody shares.
async fn files(folder: PathBuf, now: Timestamp) -> Result<Answer, ProbeError> {
    let read = tokio::task::spawn_blocking(move || rollout::read(&folder, now));
    read.await
        .unwrap_or_else(|e| Err(ProbeError::Nothing(e.to_string())))
}

/// A page of the entry's own service, with the entry's key. `/v1` and the like belong to the
/// models, not to these pages.
async fn with_key(
    probe: Probe,
    asking: &Asking<'_>,
    base: &str,
    path: &str,
) -> Result<Value, ProbeError> {
    let key = secrets(asking.entry, asking.env, asking.clock, asking.stop)
        .await?
        .key;
    let base = asking.entry.base_url.as_deref().unwrap_or(base);
    let root = base
        .trim_end_matches('/')
        .trim_end_matches("/v1")
        .trim_end_matches("/api");
    get(probe, asking, root, path, key, &[]).await
}

async fn get(
    probe: Probe,
    asking: &Asking<'_>,
    base: &str,
    path: &str,
    key: Option<SecretString>,
    headers: &[(&'static str, &'static str)],
) -> Result<Value, ProbeError> {
    let endpoint = Endpoint::new(base, key)?.with_headers(headers);
    Ok(endpoint.get(path, probe.patience(), asking.clock).await?)
}
