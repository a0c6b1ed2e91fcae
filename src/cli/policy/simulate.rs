//! `rigs policy simulate`

use std::path::PathBuf;

use super::super::page::{Table, cell};
use super::super::{App, Ended, Exit, Failure, input, when::When};
use crate::core::{MicroUsd, Priority, ProviderName, TaskType, Timestamp};
use crate::depot::store as depot;
use crate::foreman::Context;
use crate::policy::{Facts, Policy, WindowFacts, evaluate, explain};
use crate::view::policy::Judged;

/// Say what the rules would decide: about every ready bead, or about a run you describe
///
/// Without a description the beads that are ready are judged on each provider with the tanks as
/// they are, or with --at as they will be if nothing happens until then. Nothing is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs policy simulate
  rigs policy simulate --at 6h --file draft.toml
  rigs policy simulate --provider claude --model opus --tokens 300000 --window 7d=15%")]
pub(crate) struct Args {
    /// As of then: a span such as 6h, or RFC 3339; default: now
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// By the rules of FILE instead of those in force
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Look at N ready beads
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    #[command(flatten)]
    run: Described,
}

/// A run that is made up; any of these makes one.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "A run you describe")]
struct Described {
    /// Provider it would run on
    #[arg(long, value_name = "NAME")]
    provider: Option<ProviderName>,
    /// Model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Kind of work
    #[arg(long, value_name = "TYPE", value_parser = input::word::<TaskType>(TaskType::WORDS))]
    task_type: Option<TaskType>,
    /// Urgency
    #[arg(long, value_name = "PRIO", value_parser = input::word::<Priority>(Priority::WORDS))]
    priority: Option<Priority>,
    /// Who asks; default: rigs
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Convoy it belongs to, by id or name
    #[arg(long, value_name = "NAME")]
    convoy: Option<String>,
    /// Repository it works on, by path
    #[arg(long, value_name = "DIR")]
    repo: Option<String>,
    /// Tokens it is expected to use
    #[arg(long, value_name = "N")]
    tokens: Option<u64>,
    /// Dollars it is expected to cost
    #[arg(long, value_name = "X")]
    cost: Option<MicroUsd>,
    /// Window with the share left in it, and after a comma the time to its reset: 7d=15%,2d
    #[arg(long, value_name = "NAME=SHARE", value_parser = window)]
    window: Vec<Left>,
    /// Share left of the tightest budget
    #[arg(long, value_name = "SHARE", value_parser = share)]
    budget_left: Option<f64>,
    /// Runs on the provider at the moment
    #[arg(long, value_name = "N")]
    in_flight: Option<u64>,
}

/// `7d=15%,2d`
#[derive(Debug, Clone, PartialEq)]
struct Left {
    name: String,
    ratio: f64,
    reset: Option<crate::core::time::Span>,
}

fn share(text: &str) -> Result<f64, String> {
    let (figure, by) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let x: f64 = figure
        .trim()
        .parse()
        .map_err(|_| "write a share such as 15% or 0.15".to_owned())?;
    let x = x / by;
    if (0.0..=1.0).contains(&x) {
        Ok(x)
    } else {
        Err("must be a share between 0 and 1".to_owned())
    }
}

fn window(text: &str) -> Result<Left, String> {
    let (name, rest) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("write a window with its share left, such as 7d=15%")?;
    let (ratio, reset) = match rest.split_once(',') {
        Some((ratio, span)) => (
            ratio,
            Some(
                span.parse()
                    .map_err(|e: crate::core::time::NotASpan| e.to_string())?,
            ),
        ),
        None => (rest, None),
    };
    Ok(Left {
        name: name.to_owned(),
        ratio: share(ratio)?,
        reset,
    })
}

impl Described {
    /// The facts; `None` where nothing is described.
    fn facts(self, at: Timestamp) -> Option<Facts> {
        let Self {
            provider,
            model,
            task_type,
            priority,
            agent,
            convoy,
            repo,
            tokens,
            cost,
            window,
            budget_left,
            in_flight,
        } = self;
        let windows: Vec<WindowFacts> = window
            .into_iter()
            .map(|left| WindowFacts {
                name: left.name,
                ratio: Some(left.ratio),
                resets_at: left.reset.map(|span| at + span.0),
                p_exhausted: None,
            })
            .collect();
        let facts = Facts {
            agent: agent.clone().unwrap_or_else(|| "rigs".to_owned()),
            provider,
            model,
            task_type,
            priority,
            convoy: convoy.into_iter().collect(),
            repo,
            estimated_tokens: tokens,
            estimated_cost: cost,
            windows: (!windows.is_empty()).then_some(windows),
            in_flight: in_flight.unwrap_or(0),
            budget_left,
            ..Facts::default()
        };
        let nothing = Facts {
            agent: "rigs".to_owned(),
            ..Facts::default()
        };
        (agent.is_some() || facts != nothing).then_some(facts)
    }
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let Args {
        at,
        file,
        limit,
        run,
    } = args;
    let now = app.now();
    let at = at.map_or(now, |when| when.ahead(now));
    let described = run.facts(at);
    let is_one = described.is_some();
    let judged = if let Some(facts) = described {
        let rules = super::rules(app, file.as_deref())?;
        let policy = rules.policy();
        vec![Judged {
            bead_id: None,
            title: None,
            provider: facts.provider.clone(),
            at,
            verdict: evaluate(policy, &facts, at).into(),
            rules: explain(policy, &facts, at),
            facts,
        }]
    } else {
        let (ctx, rules) = super::context(app, file.as_ref()).await?;
        ready(&ctx, rules.policy(), at, limit).await?
    };
    app.out.answer(&judged, |page| {
        if is_one {
            for one in &judged {
                super::text::explained(page, one, now);
            }
        } else if judged.is_empty() {
            page.line("No bead is ready");
        } else {
            let mut table = Table::new(&["BEAD", "PROVIDER", "VERDICT"], 2);
            for one in &judged {
                table.row([
                    cell(one.bead_id.as_ref().map_or("", |id| id.as_str())),
                    cell(one.provider.as_ref().map_or("", |p| p.as_str())),
                    cell(super::text::verdict(&one.verdict, now)),
                ]);
            }
            page.table(&table);
        }
    })?;
    Ok(Exit::Done)
}

/// Every ready bead on every provider.
async fn ready(
    ctx: &Context,
    policy: &Policy,
    at: Timestamp,
    limit: i64,
) -> Result<Vec<Judged>, Failure> {
    let beads = depot::ready(&mut *ctx.db.read().await?, None, limit).await?;
    let mut all = Vec::new();
    for bead in beads {
        for facts in crate::foreman::told_of(ctx, policy, &bead, at).await? {
            all.push(Judged {
                bead_id: Some(bead.id.clone()),
                title: Some(bead.title.clone()),
                provider: facts.provider.clone(),
                at,
                verdict: evaluate(policy, &facts, at).into(),
                rules: Vec::new(),
                facts,
            });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_described_with_share_and_reset() {
        let left = window("7d=15%,2d").unwrap();
        assert_eq!((left.name.as_str(), left.ratio), ("7d", 0.15));
        assert_eq!(left.reset.unwrap().to_string(), "2d");
        assert_eq!(window("5h=0.5").unwrap().reset, None);
        for bad in ["7d", "=5%", "7d=120%", "7d=nan", "7d=5%,soon"] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }
}
