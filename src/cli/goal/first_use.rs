//! The first goal on a machine with nothing but this program: offer to fetch the small model.

use std::io::{BufRead, IsTerminal};

use super::super::model::fetch;
use super::super::signals::Signals;
use super::super::{App, Failure, Kind};
use crate::core::{ProviderKind, ProviderName};
use crate::foreman::Context;
use crate::llm::store::{ModelStore, SMALL};

/// Sees to it that the embedded provider has a model, when the work would otherwise have nobody.
pub(crate) async fn provide(
    app: &mut App,
    ctx: &mut Context,
    signals: &mut Signals,
    has_repo: bool,
    only: Option<&ProviderName>,
    yes: bool,
) -> Result<(), Failure> {
    ctx.probe().await;
    let wanted = |name: &ProviderName| only.is_none_or(|o| o == name);
    let mut embedded = None;
    for (name, p) in ctx.providers.iter().filter(|(name, _)| wanted(name)) {
        if p.kind == ProviderKind::Embedded {
            embedded = Some((name.clone(), p.entry.model.clone()));
        } else if p.unusable.is_none() {
            return Ok(());
        }
    }
    // Coding work is beyond it; that is said when the plan is looked at.
    let Some((name, model)) = embedded.filter(|_| !has_repo) else {
        return Ok(());
    };
    let store = ModelStore::new(ctx.paths.models());
    let found = store.choose(model.as_deref());
    match (found, model) {
        (Ok(Some(_)), _) => Ok(()),
        (Ok(None), None) => {
            app.out.note(format!(
                "no agent, API key or model server was found; {name} can run {} in this process ({} MB, fetched once)",
                SMALL.name,
                SMALL.size_bytes / 1_000_000
            ))?;
            if !yes && !agreed(app)? {
                return Err(Failure::new(Kind::NoProvider, "no provider can be used yet")
                    .hint("`rigs model pull` fetches the small model; `-y` does so without asking")
                    .hint("for coding work install Claude Code or Codex, log in, then run `rigs init`"));
            }
            let model = fetch::fetch_with(app, signals, &store, &SMALL).await?;
            app.out.note(format!("{} is here", model.name))
        }
        (Ok(None), Some(model)) => Err(Failure::new(
            Kind::NoProvider,
            format!("the model {model} of provider {name} is not here"),
        )
        .hint("`rigs model list` shows what is; `rigs model add FILE` brings one in")),
        (Err(error), _) => Err(error.into()),
    }
}

fn agreed(app: &mut App) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    app.out.note("Fetch it? [Y/n]")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_lowercase().as_str(),
        "" | "y" | "yes"
    ))
}
