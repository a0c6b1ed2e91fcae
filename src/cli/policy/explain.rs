//! `rigs policy explain`

use std::path::PathBuf;

use super::super::page::BOLD;
use super::super::{App, Ended, Exit, find, when::When};
use crate::core::ProviderName;
use crate::depot::store as depot;
use crate::policy::{evaluate, explain};
use crate::view::policy::Judged;

/// Say what every rule says about a bead, with the figures it looked at
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs policy explain gt-a1b2c
  rigs policy explain gt-a1b2c --provider claude --at 6h")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "BEAD")]
    bead: String,
    /// On this provider only; default: on each that is enabled
    #[arg(long, value_name = "NAME")]
    provider: Option<ProviderName>,
    /// As of then: a span such as 6h, or RFC 3339; default: now
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// By the rules of FILE instead of those in force
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let Args {
        bead,
        provider,
        at,
        file,
    } = args;
    let (ctx, rules) = super::context(app, file.as_ref()).await?;
    if let Some(name) = &provider {
        find::provider(&ctx.settings, name)?;
    }
    let now = app.now();
    let at = at.map_or(now, |when| when.ahead(now));
    let mut conn = ctx.db.read().await?;
    let id = find::bead(&mut conn, &bead).await?;
    let ready = depot::as_ready(&mut conn, &id).await?;
    drop(conn);
    let policy = rules.policy();
    let told = crate::foreman::told_of(&ctx, policy, &ready, at).await?;
    let judged: Vec<Judged> = told
        .into_iter()
        .filter(|facts| provider.is_none() || facts.provider == provider)
        .map(|facts| Judged {
            bead_id: Some(id.clone()),
            title: Some(ready.title.clone()),
            provider: facts.provider.clone(),
            at,
            verdict: evaluate(policy, &facts, at).into(),
            rules: explain(policy, &facts, at),
            facts,
        })
        .collect();
    app.out.answer(&judged, |page| {
        page.styled(BOLD, format!("{id}  {}", ready.title));
        if policy.rules.is_empty() {
            page.line("There are no rules: everything is approved");
        }
        for one in &judged {
            super::text::explained(page, one, now);
        }
    })?;
    Ok(Exit::Done)
}
