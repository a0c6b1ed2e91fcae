//! `rigs convoy land`

mod pull_request;

use super::super::{App, Ended, Exit, Failure, Kind, find, repo};
use crate::core::ConvoyId;
use crate::core::text::count;
use crate::db::{Conn, Db, DbError, Mode};
use crate::depot::{Act, Convoy, DepotError, Progress, store};
use crate::foreman::crash::{self, Side};
use crate::git::{Landed, Message, Refusal, Repo};

/// Merge the finished work of a convoy into the branch it started from
///
/// Fast-forward where possible, else a merge commit. Nothing is pushed. A checkout with
/// uncommitted changes is left alone. With --branch the branch it started from stays as it is: the
/// work goes to one of its own, and a title and a text for a pull request are printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy land cv-a1b2c
  rigs convoy land cv-a1b2c --partial
  rigs convoy land cv-a1b2c --branch parser > pr.md && git push -u origin parser")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// Land what is finished although other beads are not
    #[arg(long)]
    partial: bool,
    /// Bring it to this branch instead, for a pull request; it is made unless it is there
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let id = {
        let mut conn = db.read().await?;
        find::convoy(&mut conn, &args.id).await?
    };
    if let Some(branch) = &args.branch {
        return Box::pin(pull_request::run(app, &db, &id, args.partial, branch)).await;
    }
    let words = land(app, &db, &id, args.partial).await?;
    let convoy = super::shown(&db, &id).await?;
    if app.out.is_json() {
        app.out.answer(&convoy, |_| {})?;
    }
    app.out.note(words)?;
    Ok(Exit::Done)
}

/// Lands the convoy and says what became of it.
pub(crate) async fn land(
    app: &App,
    db: &Db,
    id: &ConvoyId,
    partial: bool,
) -> Result<String, Failure> {
    let (convoy, progress) = {
        let mut conn = db.read().await?;
        let convoy = store::convoy(&mut conn, id)
            .await?
            .ok_or_else(|| DepotError::NoConvoy(id.clone()))?;
        real(&mut conn, id).await?;
        (convoy, store::progress(&mut conn, id).await?)
    };
    finished(&convoy, &progress, partial)?;
    let (Some(root), Some(base), Some(branch)) =
        (&convoy.repo, &convoy.base_branch, &convoy.branch)
    else {
        return Err(no_repository(id));
    };
    let repo = repo::open(app, root.as_ref()).await?;
    let (commit, words) = bring(app, &repo, &convoy, branch, base).await?;
    let act = Act {
        ids: &app.ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    store::landed(&mut tx, act, id, &commit).await?;
    crash::point(&app.env, Side::Before, "convoy.landed");
    tx.commit().await.map_err(DbError::from)?;
    crash::point(&app.env, Side::After, "convoy.landed");
    Ok(words)
}

/// Brings the work on `branch` of the convoy to the branch `to`: the commit, and what was done.
async fn bring(
    app: &App,
    repo: &Repo,
    convoy: &Convoy,
    branch: &str,
    to: &str,
) -> Result<(String, String), Failure> {
    let id = &convoy.id;
    let Some(commit) = repo.resolve(&format!("refs/heads/{branch}")).await? else {
        return Err(Failure::new(
            Kind::NotPossible,
            format!("the branch {branch} does not exist, so nothing was merged yet"),
        ));
    };
    let message = Message {
        subject: format!("Merge {branch}: {}", convoy.name),
        body: convoy.goal.clone().unwrap_or_default(),
        trailers: vec![("Rigs-Convoy".to_owned(), id.to_string())],
    };
    // One name for all tries: a try that was killed half way is tidied up by the next.
    let scratch = app.config()?.paths.scratch().join(format!("land-{id}"));
    crash::point(&app.env, Side::Before, "convoy.moved");
    let landed = repo.land(to, &commit, &message, &scratch).await?;
    crash::point(&app.env, Side::After, "convoy.moved");
    Ok(match landed {
        Landed::UpToDate => (commit, format!("{to} has all of {id} already")),
        Landed::FastForward { commit } => {
            let words = format!("{to} is at the work of {id} now ({})", short(&commit));
            (commit, words)
        }
        Landed::Merged { commit } => {
            let words = format!("Merged {id} into {to} ({})", short(&commit));
            (commit, words)
        }
        Landed::Refused(refusal) => return Err(refused(to, branch, &refusal)),
    })
}

fn no_repository(id: &ConvoyId) -> Failure {
    Failure::new(
        Kind::NotPossible,
        format!("{id} works on no repository, so there is nothing to land"),
    )
    .hint("`rigs bead show ID` has the output of each bead")
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// What was only simulated stays on the convoy's own branch.
async fn real(conn: &mut Conn, id: &ConvoyId) -> Result<(), Failure> {
    let Some(bead) = store::simulated_work(conn, id).await? else {
        return Ok(());
    };
    let message = format!("{id} holds work that was only simulated, of {bead} for one");
    Err(Failure::new(Kind::NotPossible, message).hint(format!(
        "`rigs convoy diff {id}` shows it; for the real thing plan the goal again with another provider"
    )))
}

fn finished(convoy: &Convoy, progress: &Progress, partial: bool) -> Result<(), Failure> {
    let open =
        usize::try_from(progress.total - progress.completed - progress.cancelled).unwrap_or(0);
    if open == 0 || partial {
        return Ok(());
    }
    let id = &convoy.id;
    Err(Failure::new(
        Kind::NotPossible,
        format!(
            "{} of {id} not completed",
            count(open, "bead is", "beads are")
        ),
    )
    .hint(format!(
        "`rigs convoy show {id}` lists them; --partial lands what is finished"
    )))
}

fn refused(base: &str, branch: &str, refusal: &Refusal) -> Failure {
    let list = |files: &[String]| {
        let shown: Vec<&str> = files.iter().take(5).map(String::as_str).collect();
        let more = files.len().saturating_sub(shown.len());
        match more {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    };
    let (message, hint) = match refusal {
        Refusal::NoBranch => (
            format!("the branch {base} is gone"),
            format!("merge {branch} by hand where you want it"),
        ),
        Refusal::Dirty { checkout, files } => (
            format!(
                "{} has changes of its own: {}",
                checkout.display(),
                list(files)
            ),
            "commit or stash them, then land again".to_owned(),
        ),
        Refusal::Conflict { files } => (
            format!("{branch} conflicts with {base} in {}", list(files)),
            format!("`git merge {branch}` and resolve them by hand"),
        ),
        Refusal::Moved => (format!("{base} moved meanwhile"), "land again".to_owned()),
        Refusal::Filtered { checkout, files } => (
            format!(
                "files in {} pass through filters that rigs does not run: {}",
                checkout.display(),
                list(files)
            ),
            format!("`git merge {branch}` by hand"),
        ),
        Refusal::Git { checkout, reason } => (
            format!("git refused in {}: {reason}", checkout.display()),
            "finish or abort what is going on there, then land again".to_owned(),
        ),
    };
    Failure::new(Kind::NotPossible, message).hint(hint)
}
