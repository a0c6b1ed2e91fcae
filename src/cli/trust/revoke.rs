//! `rigs trust revoke`

use std::path::PathBuf;

use super::super::{App, Ended, Exit, Failure, Kind};
use crate::core::text::one_line;
use crate::db::{DbError, Mode};
use crate::depot::{Act, store};
use crate::view::trust::TrustView;

/// Let the `.rigs.toml` of a repository count no longer
///
/// What is running goes on as it was begun; everything that starts later goes without it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs trust revoke
  rigs trust revoke ~/work/project")]
pub(crate) struct Args {
    /// The repository, which may be gone by now; default: the one around the current folder
    #[arg(value_name = "REPO")]
    repo: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let repo = match super::around(app, args.repo.as_ref()).await {
        Ok(found) => found.root().to_string_lossy().into_owned(),
        Err(failure) => match &args.repo {
            Some(named) => app.env.cwd().join(named).to_string_lossy().into_owned(),
            None => return Err(failure),
        },
    };
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    let was = store::trusted(&mut tx, &repo).await?;
    let revoked = store::revoke(&mut tx, act, &repo).await?;
    tx.commit().await.map_err(DbError::from)?;
    let Some(was) = was.filter(|_| revoked) else {
        let message = format!("{} is not trusted", one_line(&repo, 300));
        return Err(Failure::new(Kind::NotFound, message).hint("`rigs trust list` shows which are"));
    };
    let view = TrustView {
        trusted: false,
        trusted_at: None,
        ..TrustView::of(was)
    };
    if app.out.is_json() {
        app.out.answer(&view, |_| {})?;
    }
    app.out
        .note(format!("{} is no longer trusted", one_line(&repo, 300)))?;
    Ok(Exit::Done)
}
