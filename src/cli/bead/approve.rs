//! `rigs bead approve`

use super::super::{App, Ended, Exit, Failure, Kind, find, input};
use crate::core::{BeadStatus, BlockCause};
use crate::db::{DbError, Mode};
use crate::depot::{Act, Bead, store};
use crate::view;

/// Let a bead go on that is blocked for a person, with what you say to its agent
///
/// For work that the quality gate refused too often, that was in conflict twice, or that could not
/// be judged. With an answer its next attempt is told that and what was found before. Without one
/// the work that it left is checked again as it is, which costs no tokens: for a gate that you have
/// mended. Its count of failures starts anew. `rigs bead show` says why it is blocked,
/// `rigs bead diff` what was done.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs bead approve gt-a1b2c --answer \"keep the old signature, and add a new function\"
  rigs bead approve gt-a1b2c --answer - < notes.md
  rigs bead approve gt-a1b2c && rigs goal resume cv-a1b2c")]
pub(crate) struct Args {
    /// Id of the bead, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// What its agent should know; - reads it from stdin
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let answer = match &args.answer {
        Some(answer) => Some(input::text(answer, "answer")?),
        None => None,
    };
    let db = app.store(Mode::OneShot).await?;
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    let id = find::bead(&mut tx, &args.id).await?;
    let Some(status) = store::approve(&mut tx, act, &id, answer.as_deref()).await? else {
        let bead = store::get(&mut tx, &id).await?;
        return Err(bead.map_or_else(
            || Failure::new(Kind::NotFound, format!("no bead {id}")),
            |bead| not_for_a_person(&bead),
        ));
    };
    let bead = view::bead::show(&mut tx, &id).await?;
    tx.commit().await.map_err(DbError::from)?;
    if app.out.is_json() {
        app.out.answer(&bead, |_| {})?;
    }
    let next = if status == BeadStatus::Reviewing {
        "its work is checked again"
    } else {
        "it is queued again"
    };
    app.out.note(format!("{id} is approved: {next}"))?;
    Ok(Exit::Done)
}

/// What else lifts what the bead waits for.
fn not_for_a_person(bead: &Bead) -> Failure {
    let id = &bead.id;
    let cause = bead
        .block_cause
        .filter(|_| bead.status == BeadStatus::Blocked);
    let state = match cause {
        Some(cause) => format!("blocked by {}", cause.as_str()),
        None => bead.status.as_str().to_owned(),
    };
    let failure = Failure::new(
        Kind::NotPossible,
        format!("{id} does not wait for a person: it is {state}"),
    );
    failure.hint(match cause {
        Some(BlockCause::Dependency) => "`rigs bead retry` the bead that it depends on".to_owned(),
        Some(BlockCause::TooLarge) => format!(
            "`rigs bead edit {id} --estimate N` when it takes less, then `rigs bead retry {id}`"
        ),
        Some(BlockCause::Policy) => format!("change the policy, then `rigs bead retry {id}`"),
        Some(BlockCause::Person) | None if bead.status.is_over() => {
            format!(
                "`rigs bead show {id}` says what became of it; `rigs bead retry {id}` tries again"
            )
        }
        Some(BlockCause::Person) | None => format!("`rigs bead show {id}` says where it stands"),
    })
}
