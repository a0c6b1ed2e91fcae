//! `rigs bead create`

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::when::When;
use super::super::{App, Ended, Exit, Failure, find, input, repo};
use crate::assayer::estimator;
use crate::config::Settings;
use crate::core::{BeadId, ConvoyId, Criterion, Permission, Priority, ProviderName, TaskType};
use crate::db::{Conn, Mode};
use crate::depot::{Act, Base, NewBead, NewConvoy, store};
use crate::view;

/// Create a bead and print its id
///
/// It is run by `rigs foreman start`, or with its convoy by `rigs goal resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead create \"fix the flaky test\" -p high --criterion \"cargo test passes\"
  id=$(rigs bead create \"add tests for the parser\" -t test)
  rigs bead create \"fix what they show\" --depends-on $id
  rigs bead create - -t documentation < task.md
  rigs bead create -- \"--help prints nothing\"")]
pub(crate) struct Args {
    /// What is to be done; - reads it from stdin
    #[arg(value_name = "DESC")]
    description: String,
    /// Kind of work; routing and estimate depend on it
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "implementation",
          value_parser = input::word::<TaskType>(TaskType::WORDS))]
    task_type: TaskType,
    /// Urgency
    #[arg(short, long, default_value = "normal",
          value_parser = input::word::<Priority>(Priority::WORDS))]
    priority: Priority,
    /// Short name; default: the first line of the description
    #[arg(long)]
    title: Option<String>,
    /// Prefer this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<ProviderName>,
    /// Prefer this model
    #[arg(long)]
    model: Option<String>,
    /// Bead that must be completed first; repeat for several; without --convoy its convoy is joined
    #[arg(long, value_name = "ID")]
    depends_on: Vec<String>,
    /// What must hold when it is done: words, or a criterion as JSON; repeat for several
    #[arg(long, value_name = "C")]
    criterion: Vec<String>,
    /// Convoy to put it into: its beads build on each other's work; default: one of its own
    #[arg(long, value_name = "ID", conflicts_with_all = ["repo", "no_repo"])]
    convoy: Option<String>,
    /// Tokens that it will take; default: estimated from its kind and history
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    estimate: Option<u64>,
    /// Repository to work on; default: the one around the current folder
    #[arg(long, value_name = "DIR")]
    repo: Option<PathBuf>,
    /// Do text work, even inside a repository
    #[arg(long, conflicts_with = "repo")]
    no_repo: bool,
    /// What the agent may do in its worktree
    #[arg(long, default_value = "edit",
          value_parser = input::word::<Permission>(Permission::WORDS))]
    permission: Permission,
    /// Do not start before TIME: a span such as 2h, or RFC 3339
    #[arg(long, value_name = "TIME")]
    not_before: Option<When>,
    /// When it should be done; of equal priority, what is due sooner goes first: 6h, or RFC 3339
    #[arg(long, value_name = "TIME")]
    deadline: Option<When>,
    /// Word to find it by; repeat for several
    #[arg(long)]
    label: Vec<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let description = input::text(&args.description, "description")?;
    if let Some(name) = &args.provider {
        provider(&app.config()?.settings, name, args.model.as_deref())?;
    }
    let mut new = NewBead::new(&description, args.task_type);
    if let Some(title) = &args.title {
        new.title = crate::core::text::one_line(&input::checked(title, "title")?, 200);
    }
    let criteria: Result<_, Failure> = args.criterion.iter().map(|c| criterion(c)).collect();
    new.acceptance_criteria = criteria?;
    new.priority = args.priority;
    new.permission = args.permission;
    new.preferred_provider = args.provider;
    new.preferred_model = args.model;
    new.labels = args.label;
    new.estimate = args.estimate.map(estimator::given);
    new.not_before = args.not_before.map(|t| t.ahead(app.now()));
    new.deadline = args.deadline.map(|t| t.ahead(app.now()));

    // Asked before the store is locked: git may take its time.
    let base = match (&args.convoy, args.no_repo) {
        (Some(_), _) | (None, true) => None,
        (None, false) => repo::base(app, args.repo.as_deref()).await?,
    };
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    if let Some(base) = &base {
        let mut conn = db.read().await?;
        repo::warn_untrusted(app, &mut conn, base).await?;
    }
    let mut tx = db.write().await?;
    new.depends_on = dependencies(&mut tx, &args.depends_on).await?;
    new.convoy_id = match (&args.convoy, base) {
        (Some(typed), _) => Some(find::convoy(&mut tx, typed).await?),
        (None, Some(base)) => {
            let joined = convoy_to_join(&mut tx, &new.depends_on, &base).await?;
            if joined.is_some() {
                joined
            } else {
                let convoy = NewConvoy {
                    name: new.title.clone(),
                    base: Some(base),
                    ..NewConvoy::default()
                };
                Some(store::insert_convoy(&mut tx, act, convoy).await?.id)
            }
        }
        (None, None) => None,
    };
    let depends_on = new.depends_on.clone();
    let bead = store::insert(&mut tx, act, new).await?;
    tx.commit().await.map_err(crate::db::DbError::from)?;

    let view = view::bead::new(bead, depends_on);
    app.out.answer(&view, |page| page.line(view.id.as_str()))?;
    Ok(Exit::Done)
}

/// The convoy of a dependency on the same repository, while it is open: only there does the bead
/// see the work that it waits for.
async fn convoy_to_join(
    conn: &mut Conn,
    depends_on: &[BeadId],
    base: &Base,
) -> Result<Option<ConvoyId>, Failure> {
    for id in depends_on {
        let bead = store::get(conn, id).await?;
        let Some(convoy) = bead.and_then(|b| b.convoy_id) else {
            continue;
        };
        let found = store::convoy(conn, &convoy).await?;
        let joins = found.is_some_and(|c| {
            !c.status.is_over() && c.repo.as_deref().map(Path::new) == Some(base.repo.as_path())
        });
        if joins {
            return Ok(Some(convoy));
        }
    }
    Ok(None)
}

pub(super) fn criterion(text: &str) -> Result<Criterion, Failure> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str::<Value>(text)
            .and_then(serde_json::from_value)
            .map_err(|e| Failure::usage(format!("the criterion is not understood: {e}")));
    }
    Ok(Criterion::text(input::checked(text, "criterion")?))
}

/// The provider can be used, with that model.
pub(super) fn provider(
    settings: &Settings,
    name: &ProviderName,
    model: Option<&str>,
) -> Result<(), Failure> {
    let entry = find::provider(settings, name)?;
    let mut allowed = entry
        .models
        .iter()
        .chain(&entry.model)
        .chain(&entry.fallback_model);
    match model {
        Some(model) if !entry.models.is_empty() && !allowed.any(|known| known == model) => {
            let shown = crate::core::text::one_line(model, 80);
            Err(
                Failure::usage(format!("`{name}` may not use the model `{shown}`"))
                    .hint(format!("it may use: {}", entry.models.join(", "))),
            )
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) async fn dependencies(
    conn: &mut Conn,
    typed: &[String],
) -> Result<Vec<crate::core::BeadId>, Failure> {
    let mut ids = Vec::new();
    for typed in typed {
        let id = find::bead(conn, typed).await?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}
