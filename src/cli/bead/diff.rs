//! `rigs bead diff`

use super::super::{App, Ended, Exit, Failure, Kind, find, repo};
use crate::db::Mode;
use crate::depot::store;
use crate::view::diff::Diff;

/// Print what a bead changed, as a diff
///
/// From where its last attempt started to the work that the attempt left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead diff gt-a1b2c
  rigs bead diff gt-a1b2c | git apply --stat")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// Number of the attempt; default: the last that left work
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    attempt: Option<i64>,
}

/// A diff for a person; more is for `git diff`.
const MOST: usize = 4 << 20;

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let id = find::bead(&mut conn, &args.id).await?;
    let bead = store::get(&mut conn, &id).await?;
    let root = match bead.and_then(|bead| bead.convoy_id) {
        Some(convoy) => store::convoy(&mut conn, &convoy)
            .await?
            .and_then(|c| c.repo),
        None => None,
    };
    let attempts = store::attempts_of(&mut conn, &id).await?;
    drop(conn);
    let nothing = |what: String| Failure::new(Kind::NotPossible, what);
    let Some(root) = root else {
        return Err(nothing(format!("{id} works on no repository"))
            .hint(format!("`rigs bead show {id}` has its output")));
    };
    let attempt = attempts.iter().rev().find(|a| {
        args.attempt
            .map_or(a.commit_id.is_some(), |n| a.number == n)
    });
    let (from, to) = match attempt.map(|a| (&a.base_commit, &a.commit_id)) {
        Some((Some(from), Some(to))) => (from, to),
        Some(_) => return Err(nothing(format!("that attempt of {id} left no work"))),
        None if args.attempt.is_some() => {
            return Err(Failure::not_found(format!("{id} has no such attempt"))
                .hint(format!("`rigs bead show {id}` lists its attempts")));
        }
        None => return Err(nothing(format!("{id} has left no work yet"))),
    };
    let repo = repo::open(app, root.as_ref()).await?;
    let diff = repo.diff(from, to, MOST).await?;
    let answer = Diff {
        bead_id: id,
        from: from.clone(),
        to: to.clone(),
        text: diff,
    };
    let mut text = crate::core::text::clean(&answer.text);
    if app.out.is_json() {
        app.out.answer(&answer, |_| {})?;
    } else {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        app.out.data(&text)?;
    }
    Ok(Exit::Done)
}
