//! The traces of rewritten prompts, in `optimization_traces`. Ids are the attempt's or made by
//! the caller; the transaction is the caller's.

use sqlx::FromRow;

use crate::core::{BeadId, TaskType, Timestamp};
use crate::db::{Conn, DbError};

/// What became of one prompt.
#[derive(Debug, Clone, PartialEq, FromRow, serde::Serialize)]
pub(crate) struct Trace {
    /// UUIDv7, or any other unique text.
    pub(crate) id: String,
    pub(crate) bead_id: Option<BeadId>,
    pub(crate) task_type: TaskType,
    /// `rules`, or the label of the model.
    pub(crate) backend: String,
    pub(crate) original_prompt: String,
    pub(crate) optimized_prompt: String,
    /// By the tokenizer.
    pub(crate) original_tokens: i64,
    pub(crate) optimized_tokens: i64,
    /// The p50 of the whole run.
    pub(crate) estimated_tokens: i64,
    pub(crate) actual_tokens: Option<i64>,
    pub(crate) quality_score: Option<f64>,
    pub(crate) created_at: Timestamp,
}

pub(crate) async fn insert(conn: &mut Conn, trace: &Trace) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO optimization_traces (id, bead_id, task_type, backend, original_prompt,
             optimized_prompt, original_tokens, optimized_tokens, estimated_tokens, actual_tokens,
             quality_score, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&trace.id)
    .bind(&trace.bead_id)
    .bind(trace.task_type)
    .bind(&trace.backend)
    .bind(&trace.original_prompt)
    .bind(&trace.optimized_prompt)
    .bind(trace.original_tokens)
    .bind(trace.optimized_tokens)
    .bind(trace.estimated_tokens)
    .bind(trace.actual_tokens)
    .bind(trace.quality_score)
    .bind(trace.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// What the run really used and how its result was judged, on the bead's latest trace.
pub(crate) async fn settle(
    conn: &mut Conn,
    bead: &BeadId,
    actual_tokens: i64,
    quality_score: Option<f64>,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE optimization_traces SET actual_tokens = ?, quality_score = ?
         WHERE id = (SELECT id FROM optimization_traces WHERE bead_id = ?
                     ORDER BY created_at DESC, id DESC LIMIT 1)",
    )
    .bind(actual_tokens)
    .bind(quality_score)
    .bind(bead)
    .execute(conn)
    .await?;
    Ok(())
}

/// Prompts of one type of task that were tightened, in tokens by the tokenizer.
#[derive(Debug, Clone, PartialEq, FromRow, serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "TightenedPrompts")]
pub(crate) struct Tightened {
    pub(crate) task_type: TaskType,
    pub(crate) prompts: i64,
    pub(crate) original_tokens: i64,
    pub(crate) optimized_tokens: i64,
}

/// Traces that are added up, the newest.
const MOST: i64 = 5000;

/// What tightening prompts saved, by type of task.
pub(crate) async fn tightened(conn: &mut Conn) -> Result<Vec<Tightened>, DbError> {
    let rows = sqlx::query_as(
        "SELECT task_type, count(*) AS prompts, sum(original_tokens) AS original_tokens,
             sum(optimized_tokens) AS optimized_tokens
         FROM (SELECT task_type, original_tokens, optimized_tokens FROM optimization_traces
               ORDER BY rowid DESC LIMIT ?1)
         GROUP BY task_type ORDER BY task_type",
    )
    .bind(MOST)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The traces of a bead, oldest first.
#[cfg(test)]
pub(crate) async fn list(conn: &mut Conn, bead: &BeadId) -> Result<Vec<Trace>, DbError> {
    let traces = sqlx::query_as(
        "SELECT id, bead_id, task_type, backend, original_prompt, optimized_prompt,
             original_tokens, optimized_tokens, estimated_tokens, actual_tokens, quality_score,
             created_at
         FROM optimization_traces WHERE bead_id = ? ORDER BY created_at, id",
    )
    .bind(bead)
    .fetch_all(conn)
    .await?;
    Ok(traces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDb;
    use pretty_assertions::assert_eq;

    #[tokio::test]
    async fn a_trace_is_stored_settled_and_listed() {
        let t = TestDb::new().await;
        let trace = Trace {
            id: "t1".into(),
            bead_id: Some(t.ids.bead(5)),
            task_type: TaskType::Debug,
            backend: "rules".into(),
            original_prompt: "a  \n".into(),
            optimized_prompt: "a\n".into(),
            original_tokens: 3,
            optimized_tokens: 2,
            estimated_tokens: 50_000,
            actual_tokens: None,
            quality_score: None,
            created_at: t.clock.now(),
        };
        let bead = trace.bead_id.clone().unwrap();
        let mut tx = t.db.write().await.unwrap();
        insert(&mut tx, &trace).await.unwrap();
        settle(&mut tx, &bead, 61_000, Some(0.5)).await.unwrap();
        let other = t.ids.bead(5);
        settle(&mut tx, &other, 1, None).await.unwrap();
        let want = Trace {
            actual_tokens: Some(61_000),
            quality_score: Some(0.5),
            ..trace
        };
        assert_eq!(list(&mut tx, &bead).await.unwrap(), [want.clone()]);
        assert_eq!(list(&mut tx, &other).await.unwrap(), []);
        let again = Trace {
            id: "t2".into(),
            original_tokens: 30,
            ..want.clone()
        };
        insert(&mut tx, &again).await.unwrap();
        let saved = Tightened {
            task_type: TaskType::Debug,
            prompts: 2,
            original_tokens: 33,
            optimized_tokens: 4,
        };
        assert_eq!(tightened(&mut tx).await.unwrap(), [saved]);
        tx.commit().await.unwrap();
    }
}
