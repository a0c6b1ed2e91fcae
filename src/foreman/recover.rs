//! Taking over from a foreman that is gone: end what it left running, keep the work, charge what
//! was used, close its attempts as lost and put their beads back. What was done and committed is
//! not done again: beads under review or being merged are taken up where they were.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account;
use super::again::again;
use super::polecat::Log;
use super::stage::Job;
use super::worktree::attempt_ref;
use super::{Context, ForemanError};
use crate::core::id::Owner;
use crate::core::{AttemptId, BeadStatus, text};
use crate::db::{EventType, NewEvent, events};
use crate::depot::store as depot;
use crate::depot::{Attempt, AttemptEnd, Bead, DepotError, Fence};
use crate::git::Message;
use crate::policy::Envelope;
use crate::refinery::store as refinery;

/// How long the processes of a dead foreman get to obey.
const GRACE: Duration = Duration::from_secs(3);

/// The finished run of a bead that is taken up again.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) output: String,
    pub(crate) commit: Option<String>,
    pub(crate) model: Option<String>,
}

/// Cleans up behind dead foremen; returns the beads to go on with.
pub(super) async fn recover(ctx: &Context, owner: &str) -> Result<Vec<(Job, Found)>, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let running = depot::running_attempts(&mut conn).await?;
    drop(conn);
    let mut lost = 0;
    let of_dead = |a: &Attempt| is_gone(&a.owner) || is_former(&a.owner, owner);
    for attempt in running.into_iter().filter(of_dead) {
        lose(ctx, &attempt).await?;
        lost += 1;
    }
    let mut conn = ctx.db.read().await?;
    let leased = depot::leased(&mut conn).await?;
    drop(conn);
    let mut taken_up = Vec::new();
    for bead in leased {
        let holder = bead.lease_owner.clone().unwrap_or_default();
        let expired = bead.lease_expires_at.is_none_or(|at| at <= ctx.clock.now());
        let free = is_gone(&holder) || is_former(&holder, owner) || expired;
        if holder == owner || !free {
            continue;
        }
        if let Some(found) = take_back(ctx, &bead, owner).await? {
            taken_up.push(found);
        }
    }
    let mut tx = ctx.db.write().await?;
    let mut leaked = 0;
    for open in refinery::expired(&mut tx, ctx.clock.now()).await? {
        account::charge_lost(&mut tx, ctx.act(), open.attempt, &open.bead).await?;
        leaked += 1;
    }
    if lost > 0 || leaked > 0 || !taken_up.is_empty() {
        let event =
            NewEvent::new(EventType::ForemanRecovered, "foreman").payload(serde_json::json!({
                "lost_attempts": lost, "charged_reservations": leaked, "taken_up": taken_up.len(),
            }));
        events::append(&mut tx, &ctx.ids, ctx.clock.now(), event).await?;
    }
    ctx.commit(tx, "recovery.closed").await?;
    sweep_scratch(ctx).await?;
    Ok(taken_up)
}

/// Takes away the folders of runs that nobody goes on with: programs leave conversations in their
/// temporary files. Failing to tidy up is no reason to stop.
async fn sweep_scratch(ctx: &Context) -> Result<(), ForemanError> {
    let mut conn = ctx.db.read().await?;
    let running = depot::running_attempts(&mut conn).await?;
    drop(conn);
    let folders = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in folders(&ctx.paths.scratch()).flat_map(|provider| folders(&provider.path())) {
        let attempt = entry.file_name().to_string_lossy().parse::<AttemptId>();
        let is_over = attempt.is_ok_and(|id| running.iter().all(|a| a.id != id));
        if is_over && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!("{} is left: {error}", entry.path().display());
        }
    }
    Ok(())
}

/// Whether the process that owns a lease has ended. An owner that cannot be read is gone.
pub(crate) fn is_gone(owner: &str) -> bool {
    let owner: Result<Owner, ()> = owner.parse();
    owner.map_or(true, |o| !crate::process::is_alive(o.pid, o.started))
}

/// Whether this very process held it in an earlier life, before `owner`.
fn is_former(holder: &str, owner: &str) -> bool {
    let read = |text: &str| -> Option<Owner> { text.parse().ok() };
    match (read(holder), read(owner)) {
        (Some(then), Some(now)) => {
            (then.pid, then.started) == (now.pid, now.started) && then.token != now.token
        }
        _ => false,
    }
}

/// Closes an attempt whose foreman died: its processes, its work, its account, its bead.
async fn lose(ctx: &Context, attempt: &Attempt) -> Result<(), ForemanError> {
    let group = match (attempt.pgid, attempt.process_started) {
        (Some(pgid), Some(started)) => i32::try_from(pgid).ok().map(|g| (g, started as u64)),
        _ => None,
    };
    ctx.before("lost.ended");
    if let Some(marker) = &attempt.marker {
        let left = crate::process::end_marked(marker, group, GRACE, &ctx.clock).await;
        if !left.is_empty() {
            tracing::error!(bead = %attempt.bead_id, "processes that could not be ended: {left:?}");
        }
    }
    ctx.after("lost.ended");
    let root = repository(ctx, attempt).await?;
    ctx.before("lost.kept");
    let commit = match again(|| keep_work(ctx, attempt, root.as_deref())).await {
        Ok(commit) => commit,
        Err(error) => {
            tracing::warn!(bead = %attempt.bead_id, "its unfinished work stays uncommitted: {error}");
            None
        }
    };
    ctx.after("lost.kept");
    let mut tx = ctx.db.write().await?;
    let act = ctx.act();
    let end = AttemptEnd {
        status: "lost".into(),
        rule: Some("recover.owner_gone".into()),
        message: Some("the foreman that ran it is gone".into()),
        commit_id: commit,
        ..AttemptEnd::default()
    };
    account::charge_lost(&mut tx, act, attempt.id, &attempt.bead_id).await?;
    depot::end_attempt(&mut tx, act, attempt, &end).await?;
    let bead = depot::get(&mut tx, &attempt.bead_id).await?;
    if let Some(bead) = bead.filter(|b| b.attempt == attempt.number)
        && matches!(bead.status, BeadStatus::Assigned | BeadStatus::InProgress)
    {
        depot::release(
            &mut tx,
            act,
            &bead.id,
            bead.status,
            None,
            "its foreman is gone",
        )
        .await?;
    }
    ctx.commit(tx, "lost.closed").await?;
    if let Some(log) = &attempt.log_path {
        let note = "… rigs was interrupted here";
        Log::open(Path::new(log), crate::core::redact::Redactor::default())
            .write(crate::process::Stream::Err, note);
    }
    Ok(())
}

/// The repository that the attempt worked on.
async fn repository(ctx: &Context, attempt: &Attempt) -> Result<Option<PathBuf>, ForemanError> {
    let mut conn = ctx.db.read().await?;
    let Some(bead) = depot::get(&mut conn, &attempt.bead_id).await? else {
        return Ok(None);
    };
    let Some(convoy) = bead.convoy_id else {
        return Ok(None);
    };
    Ok(depot::convoy(&mut conn, &convoy)
        .await?
        .and_then(|c| c.repo)
        .map(PathBuf::from))
}

/// Commits what the attempt had done in its worktree and keeps it under the attempt's ref.
async fn keep_work(
    ctx: &Context,
    attempt: &Attempt,
    root: Option<&Path>,
) -> Result<Option<String>, crate::git::GitError> {
    let dir = ctx.paths.worktree(&attempt.bead_id);
    let (true, Some(base), Some(root)) = (dir.is_dir(), &attempt.base_commit, root) else {
        return Ok(None);
    };
    let repo = ctx.git.discover(root).await?;
    let tree = repo.worktree(&dir);
    let message = Message {
        subject: format!("Unfinished work on {}", attempt.bead_id),
        body: String::new(),
        trailers: vec![
            ("Rigs-Bead".into(), attempt.bead_id.to_string()),
            ("Rigs-Attempt".into(), attempt.number.to_string()),
        ],
    };
    super::worktree::unshare(ctx, root, &dir)?;
    tree.commit_all(&message).await?;
    let head = tree.head_commit().await?;
    if head == *base {
        return Ok(None);
    }
    let name = attempt_ref(&attempt.bead_id, attempt.number);
    if repo.resolve(&name).await?.as_deref() != Some(head.as_str()) {
        repo.update_ref(&name, &head, None).await?;
    }
    Ok(Some(head))
}

/// The commands of a gate may have outlived the foreman that ran them.
async fn end_gates(ctx: &Context, bead: &Bead) -> Result<(), ForemanError> {
    let mut conn = ctx.db.read().await?;
    let last = depot::last_attempt(&mut conn, &bead.id).await?;
    drop(conn);
    if let Some(marker) = last.and_then(|a| a.marker) {
        let left = crate::process::end_marked(&marker, None, GRACE, &ctx.clock).await;
        if !left.is_empty() {
            tracing::error!(bead = %bead.id, "processes that could not be ended: {left:?}");
        }
    }
    Ok(())
}

/// A bead whose lease is without an owner: taken up when its run was done, else put back.
pub(super) async fn take_back(
    ctx: &Context,
    bead: &Bead,
    owner: &str,
) -> Result<Option<(Job, Found)>, ForemanError> {
    end_gates(ctx, bead).await?;
    let unheld = bead.status == BeadStatus::Reviewing && bead.lease_owner.is_none();
    if unheld && !Box::pin(super::approved::may_be_checked(ctx, bead)).await? {
        return Ok(None);
    }
    let until = ctx.clock.now() + ctx.settings.foreman.lease.0;
    let mut tx = ctx.db.write().await?;
    let act = ctx.act();
    match bead.status {
        BeadStatus::Reviewing | BeadStatus::Merging => {
            let attempt = depot::adopt(&mut tx, act, bead, owner, until).await?;
            let convoy = match &bead.convoy_id {
                Some(id) => depot::convoy(&mut tx, id).await?,
                None => None,
            };
            let settings = super::trusted::settings(ctx, &mut tx, convoy.as_ref()).await?;
            let resolves = depot::resolves(&mut tx, &bead.id).await?;
            ctx.commit(tx, "bead.adopted").await?;
            let found = Found {
                output: bead.output.clone().unwrap_or_default(),
                commit: attempt.commit_id.clone(),
                model: attempt.model.clone(),
            };
            let job = Job {
                bead: bead.clone(),
                convoy,
                settings,
                attempt: attempt.id,
                fence: Fence {
                    attempt: attempt.number,
                    owner: owner.to_owned(),
                },
                provider: attempt.provider,
                model: attempt.model,
                resume: None,
                keeps_worktree: true,
                base_commit: attempt.base_commit,
                resolves,
                marker: attempt.marker.unwrap_or_else(|| ctx.ids.token()),
                log: attempt.log_path.map(Into::into).unwrap_or_default(),
                prompt: String::new(),
                system: None,
                // Its run is done.
                envelope: Envelope::none(),
                effort: None,
            };
            return Ok(Some((job, found)));
        }
        BeadStatus::Optimizing | BeadStatus::Assigned | BeadStatus::InProgress => {
            match depot::release(
                &mut tx,
                act,
                &bead.id,
                bead.status,
                None,
                "its foreman is gone",
            )
            .await
            {
                Err(DepotError::LostRace { .. }) => {}
                other => other?,
            }
        }
        BeadStatus::Pending
        | BeadStatus::Queued
        | BeadStatus::Completed
        | BeadStatus::Deferred
        | BeadStatus::Blocked
        | BeadStatus::Failed
        | BeadStatus::Cancelled => {
            tracing::warn!(bead = %bead.id, "{} holds a lease", text::one_line(bead.status.as_str(), 20));
        }
    }
    tx.commit().await?;
    Ok(None)
}
