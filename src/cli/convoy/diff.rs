//! `rigs convoy diff`

use super::super::page::{Page, Table, cell};
use super::super::{App, Ended, Exit, Failure, Kind, find, repo};
use crate::core::text::{clean, count, one_line};
use crate::db::Mode;
use crate::depot::{DepotError, store};
use crate::git::Change;
use crate::view::diff::{ConvoyDiff, FileChanged};

/// Print what the finished beads of a convoy changed, as a diff
///
/// From the commit that the convoy started from to its branch: what `land` would bring.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs convoy diff cv-a1b2c --stat
  rigs convoy diff cv-a1b2c | less
  rigs convoy diff cv-a1b2c --json | jq -r '.files[].path'")]
pub(crate) struct Args {
    /// Id of the convoy, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// List the changed files and the merged work instead of the diff
    #[arg(long)]
    stat: bool,
}

/// A diff for a person; more is for `git diff`.
const MOST: usize = 8 << 20;

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let db = app.store(Mode::OneShot).await?;
    let convoy = {
        let mut conn = db.read().await?;
        let id = find::convoy(&mut conn, &args.id).await?;
        let convoy = store::convoy(&mut conn, &id).await?;
        convoy.ok_or(DepotError::NoConvoy(id))?
    };
    let id = convoy.id;
    let nothing = |what: String| Failure::new(Kind::NotPossible, what);
    let (Some(root), Some(from), Some(branch)) = (convoy.repo, convoy.base_commit, convoy.branch)
    else {
        return Err(nothing(format!("{id} works on no repository"))
            .hint("`rigs bead show ID` has the output of each bead"));
    };
    let repo = repo::open(app, root.as_ref()).await?;
    let Some(to) = repo.resolve(&format!("refs/heads/{branch}")).await? else {
        return Err(nothing(format!(
            "the branch {branch} does not exist, so nothing was merged yet"
        )));
    };
    let text = if args.stat {
        String::new()
    } else {
        repo.diff(&from, &to, MOST).await?
    };
    let files = repo.diff_stat(&from, &to).await?;
    let answer = ConvoyDiff {
        convoy_id: id,
        commits: repo.log_subjects(&from, &to).await?,
        files: files.iter().map(changed).collect(),
        from,
        to,
        text: clean(&text),
    };
    if args.stat || app.out.is_json() {
        app.out.answer(&answer, |page| stat(page, &answer))?;
    } else {
        let mut text = answer.text;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        app.out.data(&text)?;
    }
    Ok(Exit::Done)
}

fn changed(file: &crate::git::FileChange) -> FileChanged {
    FileChanged {
        path: one_line(&file.path, 1000),
        added: file.added,
        deleted: file.deleted,
        change: match file.status {
            Change::Added => "added",
            Change::Modified => "modified",
            Change::Deleted => "deleted",
            Change::TypeChanged => "type_changed",
            Change::Conflicted => "conflicted",
        },
    }
}

fn stat(page: &mut Page, diff: &ConvoyDiff) {
    let mut table = Table::new(&["CHANGE", "ADDED", "DELETED", "FILE"], 3);
    for file in &diff.files {
        table.row([
            cell(file.change),
            cell(file.added.to_string()),
            cell(file.deleted.to_string()),
            cell(&file.path),
        ]);
    }
    page.table(&table);
    if !diff.commits.is_empty() {
        page.blank();
    }
    for subject in &diff.commits {
        page.line(subject);
    }
    page.blank();
    let added: u64 = diff.files.iter().map(|f| f.added).sum();
    let deleted: u64 = diff.files.iter().map(|f| f.deleted).sum();
    page.line(format!(
        "{}, {added} added and {deleted} deleted lines",
        count(diff.files.len(), "file", "files")
    ));
}
