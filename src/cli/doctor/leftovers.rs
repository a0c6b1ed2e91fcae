//! What a crash may have left: runs that nobody watches, processes, worktrees, branches,
//! temporary files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::{App, Failure, goal};
use super::Doctor;
use crate::core::text::count;
use crate::core::{BeadId, ConvoyId, Timestamp};
use crate::depot::store as depot;
use crate::foreman::{self, Context, Tidied};
use crate::git::{GitError, Repo};
use crate::process;
use crate::refinery::store as refinery;

/// Convoys whose repositories are looked at.
const CONVOYS: i64 = 1000;
/// Temporary files of this age belong to nobody any more.
const OLD: Duration = Duration::from_hours(24);
/// What ended processes get to obey.
const GRACE: Duration = Duration::from_secs(3);
/// What a person edited is kept until they take it away.
const KEPT: &str = "plan-";

impl Doctor {
    pub(super) async fn leftovers(&mut self, app: &App) -> Result<(), Failure> {
        let ctx = goal::context(app).await?;
        let before = self.findings.len();
        self.processes(&ctx).await?;
        self.runs(&ctx).await?;
        self.worktrees(&ctx).await?;
        self.branches(&ctx).await?;
        self.scratch(&ctx)?;
        if self.findings.len() == before {
            self.ok("leftovers", "none");
        }
        Ok(())
    }

    /// Processes of runs whose foreman is gone.
    async fn processes(&mut self, ctx: &Context) -> Result<(), Failure> {
        let mut markers = BTreeSet::new();
        let mut conn = ctx.db.read().await?;
        for (pid, marker) in process::marked() {
            if !foreman::is_gone(&marker) {
                continue;
            }
            let Some(bead) = depot::bead_of_marker(&mut conn, &marker).await? else {
                continue;
            };
            // What a dead foreman began a living one may have taken up.
            let holder = depot::get(&mut conn, &bead)
                .await?
                .and_then(|b| b.lease_owner);
            if holder.is_none_or(|owner| foreman::is_gone(&owner)) {
                self.problem(
                    "process",
                    format!("{pid} is left of a run of {bead} whose foreman is gone"),
                    "`rigs doctor --fix` ends it; so does the next foreman",
                );
                if self.fix && markers.insert(marker.clone()) {
                    let left = process::end_marked(&marker, None, GRACE, &ctx.clock).await;
                    if left.is_empty() {
                        self.was_fixed();
                    }
                } else if self.fix {
                    self.was_fixed();
                }
            }
        }
        Ok(())
    }

    /// Attempts, leases and reservations of foremen that are gone.
    async fn runs(&mut self, ctx: &Context) -> Result<(), Failure> {
        let lost = lost(ctx).await?;
        if lost.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{} held by a foreman that is gone: {}",
            count(lost.len(), "thing is", "things are"),
            lost.join(", ")
        );
        self.problem(
            "work",
            text,
            "`rigs doctor --fix` puts it back; so does the next foreman",
        );
        if self.fix {
            self.tidy(ctx).await?;
        }
        Ok(())
    }

    /// What the next foreman would do at its start; not beside one that runs.
    async fn tidy(&mut self, ctx: &Context) -> Result<(), Failure> {
        match Box::pin(foreman::tidy(ctx)).await? {
            Tidied::Done => self.was_fixed(),
            Tidied::Busy(who) => {
                let who = who.map_or_else(String::new, |h| format!(", process {}", h.owner.pid));
                self.warning(
                    "work",
                    format!("a foreman runs{who}, and was left alone"),
                    "`rigs foreman stop`, then `rigs doctor --fix`",
                );
            }
        }
        Ok(())
    }

    /// Folders that no bead needs.
    async fn worktrees(&mut self, ctx: &Context) -> Result<(), Failure> {
        let (mut served, mut strange) = (Vec::new(), Vec::new());
        for path in entries(ctx.paths.worktrees()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match is_needed(ctx, &name).await? {
                Some(true) => {}
                Some(false) => served.push(path),
                None => strange.push(path),
            }
        }
        if !served.is_empty() {
            let text = format!("served and still there: {}", listed(&served));
            let next = "`rigs doctor --fix` takes them away; so does the next foreman";
            self.warning("worktree", text, next);
            if self.fix {
                self.tidy(ctx).await?;
                let left: Vec<PathBuf> = served.into_iter().filter(|p| p.exists()).collect();
                if let Some(told) = self.findings.iter_mut().rfind(|f| f.area == "worktree")
                    && !left.is_empty()
                {
                    told.fixed = false;
                    told.detail = format!("cannot be taken away: {}", listed(&left));
                    told.next = Some("`rigs -v doctor --fix` says why".into());
                }
            }
        }
        if !strange.is_empty() {
            let text = format!("of no bead in this store: {}", listed(&strange));
            let next = "look at them, and move them away if they are not needed";
            self.warning("worktree", text, next);
        }
        Ok(())
    }

    /// Branches of beads that are over, and repositories that are gone.
    async fn branches(&mut self, ctx: &Context) -> Result<(), Failure> {
        let mut conn = ctx.db.read().await?;
        let convoys = depot::list_convoys(&mut conn, CONVOYS).await?;
        drop(conn);
        let open: BTreeSet<&str> = convoys
            .iter()
            .filter(|c| !c.status.is_over())
            .filter_map(|c| c.repo.as_deref())
            .collect();
        let all: BTreeSet<&str> = convoys.iter().filter_map(|c| c.repo.as_deref()).collect();
        for root in all {
            let repo = match ctx.git.discover(root.as_ref()).await {
                Ok(repo) => repo,
                Err(error) if open.contains(root) => {
                    let text = format!("{root}: {error}");
                    let next = "move it back, or `rigs convoy cancel` what works on it";
                    self.warning("repo", text, next);
                    continue;
                }
                // What is over needs it no more.
                Err(_) => continue,
            };
            self.records(ctx, root, &repo).await?;
            for branch in repo.branches("rigs/").await.map_err(Failure::from)? {
                let name = branch.strip_prefix("rigs/").unwrap_or_default();
                let has_tree = ctx.paths.worktrees().join(name).exists();
                let is_bead = name.parse::<BeadId>().is_ok();
                if !is_bead || has_tree || is_needed(ctx, name).await? != Some(false) {
                    continue;
                }
                let text = format!("{branch} of {root} is of a bead that is over");
                self.warning(
                    "branch",
                    text,
                    "`rigs doctor --fix` deletes it if its work is kept",
                );
                if self.fix {
                    match repo.delete_branch(&branch).await {
                        Ok(()) => self.was_fixed(),
                        Err(error @ GitError::NotMerged { .. }) => {
                            let next = format!("{error}; look at it with `git log {branch}`");
                            self.tell_next(&next);
                        }
                        Err(error) => self.tell_next(&error.to_string()),
                    }
                }
            }
        }
        Ok(())
    }

    /// What a repository has on record of worktrees that are gone: it keeps their branches
    /// checked out, and a worktree of that name from being made.
    async fn records(&mut self, ctx: &Context, root: &str, repo: &Repo) -> Result<(), Failure> {
        for path in repo.lost_worktrees(ctx.paths.worktrees())? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A bead that goes on takes up its own.
            if is_needed(ctx, &name).await? == Some(true) {
                continue;
            }
            let text = format!("{root} has {name} on record, whose folder is gone");
            let next = "`rigs doctor --fix` ends the record; its commits are kept";
            self.warning("worktree", text, next);
            if self.fix {
                match repo.remove_worktree(&path).await {
                    Ok(()) => self.was_fixed(),
                    Err(error) => self.tell_next(&error.to_string()),
                }
            }
        }
        Ok(())
    }

    fn tell_next(&mut self, next: &str) {
        if let Some(last) = self.findings.last_mut() {
            last.next = Some(crate::core::text::one_line(next, 400));
        }
    }

    fn scratch(&mut self, ctx: &Context) -> Result<(), Failure> {
        let now = ctx.clock.now();
        let old: Vec<PathBuf> = entries(&ctx.paths.scratch())
            .into_iter()
            .filter(|path| is_old(path, now))
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        let text = format!("more than a day old: {}", listed(&old));
        self.warning("tmp", text, "`rigs doctor --fix` removes them");
        if self.fix {
            for path in &old {
                let meta = std::fs::symlink_metadata(path)?;
                if meta.is_dir() {
                    std::fs::remove_dir_all(path)?;
                } else {
                    std::fs::remove_file(path)?;
                }
            }
            self.was_fixed();
        }
        Ok(())
    }
}

/// What is held by foremen that are gone, in words.
async fn lost(ctx: &Context) -> Result<Vec<String>, Failure> {
    let mut conn = ctx.db.read().await?;
    let mut lost = BTreeSet::new();
    for attempt in depot::running_attempts(&mut conn).await? {
        if foreman::is_gone(&attempt.owner) {
            lost.insert(format!("a run of {}", attempt.bead_id));
        }
    }
    for bead in depot::leased(&mut conn).await? {
        let owner = bead.lease_owner.as_deref();
        if owner.is_some_and(foreman::is_gone) {
            lost.insert(format!("{} ({})", bead.id, bead.status));
        }
    }
    for open in refinery::expired(&mut conn, ctx.clock.now()).await? {
        lost.insert(format!("a reservation of {}", open.bead));
    }
    Ok(lost.into_iter().collect())
}

/// Whether somebody still needs the worktree or branch of this name; `None` when nobody in this
/// store knows it.
async fn is_needed(ctx: &Context, name: &str) -> Result<Option<bool>, Failure> {
    let mut conn = ctx.db.read().await?;
    if let Ok(id) = name.parse::<BeadId>() {
        use crate::core::BeadStatus::{Cancelled, Completed};
        let bead = depot::get(&mut conn, &id).await?;
        return Ok(bead.map(|b| !matches!(b.status, Completed | Cancelled)));
    }
    if let Ok(id) = name.parse::<ConvoyId>() {
        let convoy = depot::convoy(&mut conn, &id).await?;
        return Ok(convoy.map(|c| !c.status.is_over()));
    }
    Ok(None)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn listed(paths: &[PathBuf]) -> String {
    let some: Vec<String> = paths
        .iter()
        .take(10)
        .map(|p| p.display().to_string())
        .collect();
    let more = paths.len().saturating_sub(some.len());
    let more = (more > 0).then(|| format!(" and {more} more"));
    format!("{}{}", some.join(", "), more.unwrap_or_default())
}

fn is_old(path: &Path, now: Timestamp) -> bool {
    use std::os::unix::fs::MetadataExt;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let meta = std::fs::symlink_metadata(path);
    let changed = meta.map(|m| Timestamp::from_millis(m.mtime().saturating_mul(1000)));
    !name.starts_with(KEPT) && changed.is_ok_and(|at| now.since(at) > OLD)
}
