//! Which models may plan, found on this machine or named in the settings.

use std::sync::Arc;

use super::Context;
use crate::assayer::chain::{Backend, Found, order, size_in_name};
use crate::core::ProviderKind;
use crate::llm::{LanguageModel, ollama};

/// The planning backends in the order they are asked, and notes about those that cannot be. The
/// rules stand behind them and need no entry.
pub(crate) async fn backends(ctx: &Context) -> (Vec<Backend>, Vec<String>) {
    let settings = &ctx.settings.assayer;
    let listed = settings.backends.as_deref();
    let wanted = |name: &str| listed.is_none_or(|names| names.iter().any(|n| n == name));
    let mut found: Vec<(Found, Arc<dyn LanguageModel>)> = Vec::new();
    let mut notes = Vec::new();
    if settings.use_ollama && wanted("ollama") {
        match local_ollama(ctx).await {
            Ok(Some(model)) => found.push(model),
            Ok(None) => {}
            // Nobody asked for it by name: a machine without Ollama is no news.
            Err(reason) if listed.is_some() => notes.push(format!("ollama: {reason}")),
            Err(reason) => tracing::debug!("no Ollama for planning: {reason}"),
        }
    }
    for (name, p) in ctx.providers.iter() {
        let local = p.entry.base_url.as_deref().is_some_and(is_loopback);
        let named = listed.is_some_and(|names| names.iter().any(|n| n == name.as_str()));
        let fits = match p.kind {
            ProviderKind::Openai => named || (listed.is_none() && local),
            ProviderKind::Ollama => named || listed.is_none(),
            ProviderKind::Anthropic | ProviderKind::Google | ProviderKind::Embedded => named,
            ProviderKind::Claude
            | ProviderKind::Codex
            | ProviderKind::Gemini
            | ProviderKind::Opencode
            | ProviderKind::Command
            | ProviderKind::Sim => false,
        };
        let gone = p.unusable.is_some() && !named;
        if !fits || gone || found.iter().any(|(f, _)| f.name == name.as_str()) {
            continue;
        }
        match ctx.models.get(ctx, name, p).await {
            Ok(model) => {
                let label = settings
                    .planner_model
                    .clone()
                    .or_else(|| p.entry.model.clone())
                    .unwrap_or_default();
                let size = size_in_name(&label);
                let paid = !local
                    && matches!(
                        p.kind,
                        ProviderKind::Openai | ProviderKind::Anthropic | ProviderKind::Google
                    );
                found.push((
                    Found {
                        name: name.to_string(),
                        model: label,
                        tenths_of_billions: size,
                        paid,
                    },
                    model,
                ));
            }
            Err(error) => notes.push(format!("{name}: {error}")),
        }
    }
    let facts: Vec<Found> = found.iter().map(|(f, _)| f.clone()).collect();
    let chosen = order(&facts, listed);
    let chain = chosen
        .into_iter()
        .map(|at| Backend::new(Arc::clone(&found[at].1), settings.timeout.0))
        .collect();
    (chain, notes)
}

async fn local_ollama(
    ctx: &Context,
) -> Result<Option<(Found, Arc<dyn LanguageModel>)>, crate::llm::LlmError> {
    let settings = &ctx.settings.assayer;
    let url = ollama::base_url(settings.base_url.as_deref(), ctx.env.get("OLLAMA_HOST"));
    ollama::probe(&url, &ctx.clock).await?;
    let model = if let Some(model) = &settings.planner_model {
        model.clone()
    } else {
        let installed = ollama::models(&url, &ctx.clock).await?;
        let Some(best) = ollama::choose(&installed, u64::MAX) else {
            return Ok(None);
        };
        best.name.clone()
    };
    let facts = Found {
        name: "ollama".into(),
        tenths_of_billions: size_in_name(&model),
        paid: false,
        model: model.clone(),
    };
    Ok(Some((facts, Arc::new(ollama::Ollama::new(&url, &model)?))))
}

fn is_loopback(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or(url);
    ["127.", "localhost", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local))
}
