//! `rigs trust [REPO]`

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use super::super::page::{BAD, BOLD, GOOD, Page};
use super::super::{App, Ended, Exit, Failure, Kind};
use crate::config::repository::{FILE, Repository};
use crate::core::text::one_line;
use crate::db::{DbError, Mode};
use crate::depot::{Act, store};
use crate::foreman::trusted;
use crate::view::trust::TrustView;

#[derive(Debug, clap::Args)]
pub(crate) struct Grant {
    /// The repository; default: the one around the current folder
    #[arg(value_name = "REPO")]
    repo: Option<PathBuf>,
    /// Do not ask: you have read the file
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(args: Grant, app: &mut App) -> Ended {
    let repo = super::around(app, args.repo.as_ref()).await?;
    let head = repo.head().await?;
    let root = repo.root().to_string_lossy().into_owned();
    let shown = one_line(&root, 300);
    let Some(file) = trusted::file_of(&repo, &head.commit).await? else {
        let message = format!("there is no {FILE} in the last commit of {}", head.branch);
        return Err(
            Failure::new(Kind::NotPossible, format!("{message} at {shown}"))
                .hint("work starts from commits: commit the file first"),
        );
    };
    Repository::parse(&file.text).map_err(|e| {
        Failure::new(Kind::Config, format!("{shown}: {e}"))
            .hint("`rigs trust --help` lists what the file may say")
    })?;
    let there = std::fs::read_to_string(repo.root().join(FILE)).ok();
    if there.is_some_and(|text| text != file.text) {
        app.out.warn(format!(
            "the {FILE} in your checkout is another one than the last commit's, which is meant here"
        ))?;
    }
    let db = app.store(Mode::OneShot).await?;
    let mut conn = db.read().await?;
    let before = store::trusted(&mut conn, &root).await?;
    drop(conn);
    let known = before.as_ref().is_some_and(|t| t.sha256 == file.sha256);
    if !known && !args.yes {
        let was = before.as_ref().map(|t| t.content.as_str());
        agreed(app, &shown, &file.text, was)?;
    }
    let ids = app.ids.clone();
    let act = Act {
        ids: &ids,
        now: app.now(),
        who: "user",
    };
    let mut tx = db.write().await?;
    if !known {
        store::trust(&mut tx, act, &root, &file.sha256, &file.text).await?;
    }
    let now = store::trusted(&mut tx, &root).await?;
    tx.commit().await.map_err(DbError::from)?;
    if let Some(now) = now.filter(|_| app.out.is_json()) {
        app.out.answer(&TrustView::of(now), |_| {})?;
    }
    let already = if known {
        "is trusted already"
    } else {
        "counts from now on"
    };
    app.out.note(format!("{shown}/{FILE} {already}"))?;
    Ok(Exit::Done)
}

/// Shows the file, and what is different in it, and asks.
fn agreed(app: &mut App, repo: &str, text: &str, was: Option<&str>) -> Result<(), Failure> {
    let mut page = Page::new(app.out.width());
    page.styled(BOLD, format!("{repo}/{FILE}"));
    page.quote(text);
    if let Some(was) = was {
        page.blank();
        page.styled(BOLD, "Changed since you trusted it");
        for line in was.lines().filter(|line| !text.lines().any(|l| l == *line)) {
            page.styled(BAD, format!("- {line}"));
        }
        for line in text.lines().filter(|line| !was.lines().any(|l| l == *line)) {
            page.styled(GOOD, format!("+ {line}"));
        }
    }
    app.out.note(page.into_text().trim_end())?;
    let refused = |message: &str| {
        Failure::new(Kind::NotPossible, message).hint("`-y` says that you have read it")
    };
    if !std::io::stdin().is_terminal() || !app.out.is_live() {
        return Err(refused("nobody is there to ask; nothing was trusted"));
    }
    app.out
        .note("\nIts commands run with your rights. Trust it? [y/N] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused("nothing was trusted")),
    }
}
