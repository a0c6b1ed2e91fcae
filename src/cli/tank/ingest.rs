//! `rigs tank ingest`

use std::io::Read;

use super::super::{App, Ended, Exit, Failure};
use crate::config::{LimitUnit, Settings};
use crate::core::{ProviderKind, ProviderName, Timestamp};
use crate::db::{DbError, Mode};
use crate::provider::Observation;
use crate::provider::probe::feed;
use crate::refinery::{TankView, sources};
use crate::view::source::{Ingested, IngestedFor};

/// Take in what an agent says about its limits on stdin
///
/// Understood are the JSON that Claude Code hands to its status line, events of its stream-json
/// (`rate_limit_event`), and lines of Codex's rollout files. Use of your own, outside of rigs,
/// becomes known by it as it happens. As a status line, in Claude Code's settings.json:
///
///   {"statusLine": {"type": "command", "command": "rigs tank ingest --print"}}
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs tank ingest --print < statusline.json
  claude -p hello --output-format stream-json --verbose | rigs tank ingest claude
  tail -n 50 ~/.codex/sessions/2026/11/20/rollout-*.jsonl | rigs tank ingest codex")]
pub(crate) struct Args {
    /// Name of the provider; needed where several are of the agent's kind
    #[arg(value_name = "PROVIDER")]
    provider: Option<ProviderName>,
    /// Print a status line: what is left of each window
    #[arg(long)]
    print: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let now = app.now();
    let feed = feed::read(&stdin()?, now).map_err(|e| {
        Failure::usage(e.to_string()).hint("`rigs tank ingest --help` shows what is understood")
    })?;
    let settings = app.config()?.settings.clone();
    let mut found = Vec::new();
    for kind in &feed.kinds {
        let name = provider(&settings, *kind, args.provider.as_ref())?;
        let windows: Vec<Observation> = feed
            .windows
            .iter()
            .filter(|(of, _)| of == kind)
            .map(|(_, window)| window.clone())
            .collect();
        found.push((name, windows));
    }
    let mut answer = Ingested {
        providers: Vec::new(),
    };
    let db = app.store(Mode::OneShot).await?;
    let mut line = Vec::new();
    for (name, windows) in found {
        let mut taken = sources::Taken::default();
        if !windows.is_empty() {
            let mut tx = db.write().await?;
            taken = sources::feed(&mut tx, &app.ids, now, &name, &windows).await?;
            if taken.news > 0 {
                super::wake(app, &mut tx, &super::settings(app, &name)?).await?;
            }
            tx.commit().await.map_err(DbError::from)?;
        }
        if args.print {
            line.push(status_line(
                &super::one(app, &super::settings(app, &name)?).await?,
                now,
            ));
        }
        answer.providers.push(IngestedFor {
            provider: name,
            windows: taken.windows,
            news: taken.news as u64,
        });
    }
    drop(db);
    if args.print {
        app.out.data(&format!("{}\n", line.join("  ")))?;
        return Ok(Exit::Done);
    }
    if app.out.is_json() {
        app.out.answer(&answer, |_| {})?;
    }
    for one in &answer.providers {
        app.out.note(match one.windows.as_slice() {
            [] => format!("{}: nothing about limits in it", one.provider),
            windows => format!("{}: {}", one.provider, windows.join(", ")),
        })?;
    }
    Ok(Exit::Done)
}

/// At most as much as is understood, and one byte more to tell.
fn stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(feed::MOST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::usage(format!("stdin cannot be read: {e}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The provider that is meant: the one named, or the only one of the kind.
fn provider(
    settings: &Settings,
    kind: ProviderKind,
    named: Option<&ProviderName>,
) -> Result<ProviderName, Failure> {
    let of_kind = || {
        let all = settings.providers.iter();
        all.filter(|(_, entry)| entry.enabled && entry.kind == Some(kind))
            .map(|(name, _)| name)
    };
    if let Some(name) = named {
        let entry = super::super::find::provider(settings, name)?;
        if entry.kind != Some(kind) {
            return Err(Failure::usage(format!(
                "this was said by {kind}, and the provider `{name}` is not of that kind"
            )));
        }
        return Ok(name.clone());
    }
    let names: Vec<&ProviderName> = of_kind().collect();
    match names.as_slice() {
        [name] => Ok((*name).clone()),
        [] => Err(
            Failure::not_found(format!("no provider of kind {kind} is enabled"))
                .hint(format!("add [providers.{kind}] to the configuration")),
        ),
        several => {
            let names: Vec<&str> = several.iter().map(|n| n.as_str()).collect();
            Err(
                Failure::usage(format!("several providers are of kind {kind}"))
                    .hint(format!("name one of them: {}", names.join(", "))),
            )
        }
    }
}

/// `5h 58% left until 14:20 | 7d 83% left`: short, because others stand beside it.
fn status_line(tank: &TankView, now: Timestamp) -> String {
    let windows = tank
        .windows
        .iter()
        .filter(|w| w.scope == "account" && w.unit != LimitUnit::Runs);
    let parts: Vec<String> = windows
        .map(|w| {
            let name = match w.duration_seconds {
                Some(s) => crate::core::time::Span(std::time::Duration::from_secs(s)).to_string(),
                None => w.id.clone(),
            };
            let left = match w.percent {
                Some(percent) => format!("{:.0}% left", (100.0 - percent).max(0.0)),
                None => "unknown".to_owned(),
            };
            match w.closed_until.max(w.resets_at) {
                Some(at) => format!("{name} {left} until {}", super::super::when::clock(at, now)),
                None => format!("{name} {left}"),
            }
        })
        .collect();
    match parts.as_slice() {
        [] => format!("{}: no limits known", tank.provider),
        parts => parts.join(" | "),
    }
}
