//! `rigs bead edit`

use super::super::when::When;
use super::super::{App, Ended, Exit, Failure, find, input};
use super::create;
use crate::assayer::estimator;
use crate::core::{Permission, Priority, ProviderName, TaskType};
use crate::db::{DbError, Mode};
use crate::depot::{Act, BeadEdit, DepotError, store};
use crate::view;

/// Change a bead that does not run
///
/// Only what is given is changed. Criteria and labels that are given stand instead of all that it
/// had; dependencies are added. A bead that failed or is blocked is taken up again by `rigs bead
/// retry` or `rigs bead approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead edit gt-a1b2c -p critical
  rigs bead edit gt-a1b2c --description - < task.md
  rigs bead edit gt-a1b2c -t test --criterion \"the parser is tested\"")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// What is to be done; - reads it from stdin
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// Short name
    #[arg(long)]
    title: Option<String>,
    /// Kind of work; routing depends on it
    #[arg(short = 't', long = "type", value_name = "TYPE",
          value_parser = input::word::<TaskType>(TaskType::WORDS))]
    task_type: Option<TaskType>,
    /// Urgency
    #[arg(short, long, value_parser = input::word::<Priority>(Priority::WORDS))]
    priority: Option<Priority>,
    /// What must hold when it is done: words, or a criterion as JSON; repeat for several
    #[arg(long, value_name = "C")]
    criterion: Vec<String>,
    /// Prefer this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<ProviderName>,
    /// Prefer this model
    #[arg(long)]
    model: Option<String>,
    /// Bead that must be completed first, besides those it waits for; repeat for several
    #[arg(long, value_name = "ID")]
    depends_on: Vec<String>,
    /// Tokens that it will take
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    estimate: Option<u64>,
    /// What the agent may do in its worktree
    #[arg(long, value_parser = input::word::<Permission>(Permission::WORDS))]
    permission: Option<Permission>,
    /// When it should be done; of equal priority, what is due sooner goes first: 6h, or RFC 3339
    #[arg(long, value_name = "TIME")]
    deadline: Option<When>,
    /// Word to find it by; repeat for several
    #[arg(long)]
    label: Vec<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let edit = wanted(&args, app)?;
    if edit == BeadEdit::default() && args.depends_on.is_empty() {
        return Err(Failure::usage("nothing to change is named")
            .hint("`rigs bead edit --help` lists what can be changed"));
    }
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    let id = find::bead(&mut tx, &args.id).await?;
    let bead = store::get(&mut tx, &id)
        .await?
        .ok_or_else(|| DepotError::NoBead(id.clone()))?;
    let mut changed = store::edit(&mut tx, act, &bead, &edit).await?;
    for on in create::dependencies(&mut tx, &args.depends_on).await? {
        store::add_dependency(&mut tx, act, &id, &on).await?;
        changed.push(format!("depends_on {on}"));
    }
    let view = view::bead::show(&mut tx, &id).await?;
    tx.commit().await.map_err(DbError::from)?;
    if app.out.is_json() {
        app.out.answer(&view, |_| {})?;
    }
    app.out.note(if changed.is_empty() {
        format!("{id} is like that already")
    } else {
        format!("Changed {id}: {}", changed.join(", "))
    })?;
    Ok(Exit::Done)
}

fn wanted(args: &Args, app: &mut App) -> Result<BeadEdit, Failure> {
    if let Some(name) = &args.provider {
        create::provider(&app.config()?.settings, name, args.model.as_deref())?;
    }
    let given = |text: &Option<String>, what: &str| match text {
        Some(text) => input::text(text, what).map(Some),
        None => Ok(None),
    };
    let criteria: Result<Vec<_>, Failure> = args
        .criterion
        .iter()
        .map(|c| create::criterion(c))
        .collect();
    let criteria = criteria?;
    Ok(BeadEdit {
        title: given(&args.title, "title")?.map(|t| crate::core::text::one_line(&t, 200)),
        description: given(&args.description, "description")?,
        task_type: args.task_type,
        priority: args.priority,
        permission: args.permission,
        acceptance_criteria: (!criteria.is_empty()).then_some(criteria),
        labels: (!args.label.is_empty()).then(|| args.label.clone()),
        preferred_provider: args.provider.clone(),
        preferred_model: args.model.clone(),
        estimate: args.estimate.map(estimator::given),
        deadline: args.deadline.map(|t| t.ahead(app.now())),
    })
}
