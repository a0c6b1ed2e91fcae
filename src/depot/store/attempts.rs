//! Attempts and completions.

use serde_json::json;

use super::Result;
use crate::core::{
    AttemptId, BeadId, Complexity, ConvoyId, ProviderName, TaskType, Timestamp, kind::SIMULATED,
};
use crate::db::events::joint::{bind_event, with_event};
use crate::db::{Conn, EventType, NewEvent};
use crate::depot::{Act, Attempt, AttemptEnd, Completion, Verdict};

pub(crate) async fn last_attempt(conn: &mut Conn, bead: &BeadId) -> Result<Option<Attempt>> {
    Ok(
        sqlx::query_as("SELECT * FROM attempts WHERE bead_id = ?1 ORDER BY number DESC LIMIT 1")
            .bind(bead)
            .fetch_optional(conn)
            .await?,
    )
}

/// All attempts at a bead, archived or not, in order.
pub(crate) async fn attempts_of(conn: &mut Conn, bead: &BeadId) -> Result<Vec<Attempt>> {
    Ok(sqlx::query_as(
        "SELECT * FROM attempts WHERE bead_id = ?1
         UNION ALL SELECT * FROM archived_attempts WHERE bead_id = ?1 ORDER BY number",
    )
    .bind(bead)
    .fetch_all(conn)
    .await?)
}

/// Attempts that nobody has closed.
pub(crate) async fn running_attempts(conn: &mut Conn) -> Result<Vec<Attempt>> {
    Ok(
        sqlx::query_as("SELECT * FROM attempts WHERE status = 'running' ORDER BY started_at, id")
            .fetch_all(conn)
            .await?,
    )
}

/// The bead of the attempt whose processes carry this marker.
pub(crate) async fn bead_of_marker(conn: &mut Conn, marker: &str) -> Result<Option<BeadId>> {
    Ok(sqlx::query_scalar(OF_MARKER)
        .bind(marker)
        .fetch_optional(conn)
        .await?)
}

pub(super) const OF_MARKER: &str =
    "SELECT bead_id FROM attempts INDEXED BY attempts_by_marker WHERE marker = ?1 LIMIT 1";

/// Records where the attempt works and as which process group.
pub(crate) async fn started_run(
    conn: &mut Conn,
    attempt: AttemptId,
    worktree: Option<&str>,
    base_commit: Option<&str>,
    process: Option<(i32, u64)>,
) -> Result<()> {
    sqlx::query(
        "UPDATE attempts SET worktree = coalesce(?2, worktree), base_commit = coalesce(?3, base_commit),
            pgid = coalesce(?4, pgid), process_started = coalesce(?5, process_started) WHERE id = ?1",
    )
    .bind(attempt)
    .bind(worktree)
    .bind(base_commit)
    .bind(process.map(|(pgid, _)| i64::from(pgid)))
    .bind(process.map(|(_, started)| started as i64))
    .execute(conn)
    .await?;
    Ok(())
}

/// Records the provider's session as soon as it is known, so that a crash can resume it.
pub(crate) async fn session_started(
    conn: &mut Conn,
    attempt: AttemptId,
    session: &str,
    model: Option<&str>,
) -> Result<()> {
    sqlx::query("UPDATE attempts SET session_id = ?2, model = coalesce(?3, model) WHERE id = ?1")
        .bind(attempt)
        .bind(session)
        .bind(model)
        .execute(conn)
        .await?;
    Ok(())
}

/// Closes an attempt, once; a second end of the same attempt changes nothing and returns false.
pub(crate) async fn end_attempt(
    conn: &mut Conn,
    act: Act<'_>,
    attempt: &Attempt,
    end: &AttemptEnd,
) -> Result<bool> {
    const SQL: &str = with_event!(
        "UPDATE attempts SET status = ?10, rule = ?11, message = ?12, session_id = coalesce(?13, session_id),
            model = coalesce(?14, model), commit_id = coalesce(?15, commit_id), exit_code = ?16, finished_at = ?2
         WHERE id = ?8 AND status = 'running'"
    );
    let event = NewEvent::new(EventType::AttemptEnded, act.who)
        .bead(&attempt.bead_id)
        .provider(Some(&attempt.provider))
        .attempt(Some(attempt.id))
        .payload(json!({
            "attempt": attempt.number,
            "class": end.status,
            "rule": end.rule,
            "message": end.message,
            "exit_code": end.exit_code,
            "commit": end.commit_id,
            "session": end.session_id,
        }));
    let ended = bind_event!(sqlx::query(SQL), act.ids, act.now, event)
        .bind(&end.status)
        .bind(&end.rule)
        .bind(&end.message)
        .bind(&end.session_id)
        .bind(&end.model)
        .bind(&end.commit_id)
        .bind(end.exit_code)
        .execute(conn)
        .await?
        .rows_affected();
    Ok(ended > 0)
}

/// Stores a completion and adds its tokens to the bead.
pub(crate) async fn complete_record(
    conn: &mut Conn,
    act: Act<'_>,
    done: &Completion,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO completions (id, bead_id, attempt_id, provider, model, task_type, complexity, estimated_tokens,
            actual_tokens, duration_ms, success, verdict, quality_score, original_prompt, optimized_prompt,
            error_message, completed_at, asked_model, repo, prompt_chars, is_fresh)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )
    .bind(act.ids.event())
    .bind(&done.bead)
    .bind(done.attempt)
    .bind(&done.provider)
    .bind(&done.model)
    .bind(done.task_type)
    .bind(done.complexity)
    .bind(done.estimated_tokens)
    .bind(done.actual_tokens)
    .bind(done.duration_ms)
    .bind(done.verdict == Verdict::Accepted)
    .bind(done.verdict.as_str())
    .bind(done.quality_score)
    .bind(&done.original_prompt)
    .bind(&done.optimized_prompt)
    .bind(&done.error_message)
    .bind(act.now)
    .bind(&done.asked_model)
    .bind(&done.repo)
    .bind(done.prompt_chars)
    .bind(done.is_fresh)
    .execute(conn)
    .await?;
    Ok(())
}

/// The providers whose work on the bead was refused, newest first, as far as its count of
/// failures reaches back.
pub(crate) async fn refused_by(conn: &mut Conn, bead: &BeadId) -> Result<Vec<ProviderName>> {
    Ok(sqlx::query_scalar(
        "SELECT provider FROM completions WHERE bead_id = ?1 AND verdict <> 'accepted'
         ORDER BY completed_at DESC, rowid DESC LIMIT (SELECT failures FROM beads WHERE id = ?1)",
    )
    .bind(bead)
    .fetch_all(conn)
    .await?)
}

/// A past run, for the estimator.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct PastRow {
    pub(crate) bead_id: BeadId,
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    pub(crate) task_type: TaskType,
    pub(crate) complexity: Complexity,
    pub(crate) repo: Option<String>,
    pub(crate) prompt_chars: i64,
    pub(crate) estimated_tokens: i64,
    pub(crate) actual_tokens: i64,
    pub(crate) completed_at: Timestamp,
}

/// The newest whole runs that had a result, newest first: begun afresh, and not failed, because
/// where a run broke off says little about how long it would have been. Simulated ones are left out.
pub(crate) async fn past_runs(conn: &mut Conn, limit: i64) -> Result<Vec<PastRow>> {
    Ok(sqlx::query_as(PAST)
        .bind(limit)
        .bind(SIMULATED)
        .fetch_all(conn)
        .await?)
}

pub(super) const PAST: &str = "SELECT bead_id, provider, model, task_type, complexity, repo, prompt_chars, \
     estimated_tokens, actual_tokens, completed_at FROM completions INDEXED BY completions_whole \
     WHERE verdict <> 'failed' AND is_fresh = 1 AND model IS NOT ?2 \
     UNION ALL SELECT bead_id, provider, model, task_type, complexity, repo, prompt_chars, \
     estimated_tokens, actual_tokens, completed_at \
     FROM archived_completions INDEXED BY archived_completions_whole \
     WHERE verdict <> 'failed' AND is_fresh = 1 AND model IS NOT ?2 ORDER BY completed_at DESC LIMIT ?1";

/// A bead of the convoy with work that was only simulated.
pub(crate) async fn simulated_work(conn: &mut Conn, convoy: &ConvoyId) -> Result<Option<BeadId>> {
    Ok(sqlx::query_scalar(
        "SELECT b.id FROM beads b JOIN attempts a ON a.bead_id = b.id
         WHERE b.convoy_id = ?1 AND a.model = ?2 AND a.commit_id IS NOT NULL
         UNION ALL
         SELECT b.id FROM archived_beads b JOIN archived_attempts a ON a.bead_id = b.id
         WHERE b.convoy_id = ?1 AND a.model = ?2 AND a.commit_id IS NOT NULL LIMIT 1",
    )
    .bind(convoy)
    .bind(SIMULATED)
    .fetch_optional(conn)
    .await?)
}
