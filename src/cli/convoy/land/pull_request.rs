//! `rigs convoy land --branch`: a branch and the words for a pull request. Nothing is pushed:
//! the user's own git has the keys, and asks nobody's configuration but theirs.

use std::fmt::Write;

use super::super::super::{App, Ended, Exit, Failure, Kind, repo};
use crate::core::text::{clean, count, one_line};
use crate::core::{BeadStatus, ConvoyId, redact};
use crate::db::Db;
use crate::depot::{Bead, Convoy, DepotError, store};
use crate::view::convoy::PullRequest;

pub(super) async fn run(app: &mut App, db: &Db, id: &ConvoyId, partial: bool, to: &str) -> Ended {
    let (convoy, progress, beads) = {
        let mut conn = db.read().await?;
        let convoy = store::convoy(&mut conn, id)
            .await?
            .ok_or_else(|| DepotError::NoConvoy(id.clone()))?;
        super::real(&mut conn, id).await?;
        let progress = store::progress(&mut conn, id).await?;
        (convoy, progress, store::beads_of(&mut conn, id).await?)
    };
    super::finished(&convoy, &progress, partial)?;
    let (Some(root), Some(base), Some(from), Some(branch)) = (
        &convoy.repo,
        &convoy.base_branch,
        &convoy.base_commit,
        &convoy.branch,
    ) else {
        return Err(super::no_repository(id));
    };
    if to.starts_with("rigs/") {
        return Err(Failure::new(
            Kind::NotPossible,
            "branches that begin with rigs/ belong to rigs",
        )
        .hint("give it a name of its own"));
    }
    let repo = repo::open(app, root.as_ref()).await?;
    if repo.resolve(&format!("refs/heads/{to}")).await?.is_none() {
        repo.create_branch(to, from).await?;
    }
    let (commit, words) = super::bring(app, &repo, &convoy, branch, to).await?;
    let answer = PullRequest {
        convoy_id: id.clone(),
        branch: to.to_owned(),
        base: base.clone(),
        commit,
        title: redact::redact(&one_line(&convoy.name, 120)),
        body: body(&convoy, &beads),
    };
    app.out.answer(&answer, |page| {
        page.line(&answer.title);
        page.blank();
        for line in answer.body.lines() {
            page.line(line);
        }
    })?;
    app.out.note(words)?;
    app.out.note(format!(
        "`git push -u origin {to}` and open a pull request to {base} with the text above"
    ))?;
    Ok(Exit::Done)
}

/// What was wanted, and which beads did it.
fn body(convoy: &Convoy, beads: &[Bead]) -> String {
    let mut out = String::new();
    if let Some(goal) = convoy
        .goal
        .as_deref()
        .filter(|goal| !goal.trim().is_empty())
    {
        out.push_str(clean(goal).trim());
        out.push_str("\n\n");
    }
    let of = |done: bool| {
        beads
            .iter()
            .filter(move |b| b.status != BeadStatus::Cancelled)
            .filter(move |b| (b.status == BeadStatus::Completed) == done)
    };
    let mut list = |head: &str, done: bool| {
        let lines: Vec<String> = of(done)
            .map(|b| format!("- {} ({})\n", one_line(&b.title, 120), b.id))
            .collect();
        if !lines.is_empty() {
            let beads = count(lines.len(), "bead", "beads");
            let _ = writeln!(out, "{head} {beads}:\n{}", lines.concat());
        }
    };
    list("Done in", true);
    list("Not done yet:", false);
    redact::redact(out.trim_end())
}
