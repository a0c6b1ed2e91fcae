//! The table `affinity`. Every function runs in the transaction of its caller.

use futures_util::TryStreamExt as _;

use super::outcomes::{Outcome, Record, Records};
use crate::core::words::UnknownWord;
use crate::core::{ProviderName, TaskType, Timestamp};
use crate::db::{Conn, DbError};
use crate::depot::Verdict;

/// Rows that are kept. Models have names that change; what was not heard of for longest goes.
const MOST: i64 = 2000;

#[derive(sqlx::FromRow)]
struct Row {
    provider: ProviderName,
    model: String,
    task_type: TaskType,
    accepted: i64,
    reworked: i64,
    failed: i64,
    tokens: i64,
    tried: i64,
    weight: f64,
    credit: f64,
    updated_at: Timestamp,
}

impl From<Row> for (ProviderName, String, TaskType, Record) {
    fn from(row: Row) -> Self {
        let record = Record {
            accepted: row.accepted,
            reworked: row.reworked,
            failed: row.failed,
            tokens: row.tokens,
            tried: row.tried,
            weight: row.weight,
            credit: row.credit,
            updated_at: row.updated_at,
        };
        (row.provider, row.model, row.task_type, record)
    }
}

/// Everything that is known.
pub(crate) async fn load(conn: &mut Conn) -> Result<Records, DbError> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT * FROM affinity ORDER BY provider, model, task_type LIMIT ?1")
            .bind(MOST)
            .fetch_all(conn)
            .await?;
    let mut records = Records::default();
    for row in rows {
        let (provider, model, task, record) = row.into();
        records.add(provider, model, task, record);
    }
    Ok(records)
}

async fn one(
    conn: &mut Conn,
    provider: &ProviderName,
    model: &str,
    task: TaskType,
) -> Result<Option<Record>, DbError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT * FROM affinity WHERE provider = ?1 AND model = ?2 AND task_type = ?3",
    )
    .bind(provider)
    .bind(model)
    .bind(task)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| <(_, _, _, Record)>::from(row).3))
}

async fn put(
    conn: &mut Conn,
    provider: &ProviderName,
    model: &str,
    task: TaskType,
    r: &Record,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT OR REPLACE INTO affinity (provider, model, task_type, accepted, reworked, failed, tokens,
             tried, weight, credit, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(provider)
    .bind(model)
    .bind(task)
    .bind(r.accepted)
    .bind(r.reworked)
    .bind(r.failed)
    .bind(r.tokens)
    .bind(r.tried)
    .bind(r.weight)
    .bind(r.credit)
    .bind(r.updated_at)
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Keeps the table small after a row was added.
async fn tidy(conn: &mut Conn) -> Result<(), DbError> {
    sqlx::query(
        "DELETE FROM affinity WHERE (provider, model, task_type) IN
             (SELECT provider, model, task_type FROM affinity ORDER BY updated_at DESC
              LIMIT -1 OFFSET ?1)",
    )
    .bind(MOST)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down what became of an attempt.
pub(crate) async fn learn(
    conn: &mut Conn,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), DbError> {
    let model = outcome.model.as_deref().unwrap_or_default();
    let (provider, task) = (&outcome.provider, outcome.task_type);
    let before = one(conn, provider, model, task).await?;
    let record = before
        .unwrap_or_else(|| Record::new(now))
        .with(outcome, now);
    put(conn, provider, model, task, &record).await?;
    if before.is_none() {
        tidy(conn).await?;
    }
    Ok(())
}

/// Counts an attempt that is given only to find out, as it is given.
pub(crate) async fn tried(
    conn: &mut Conn,
    provider: &ProviderName,
    model: Option<&str>,
    task: TaskType,
    now: Timestamp,
) -> Result<(), DbError> {
    let model = model.unwrap_or_default();
    let before = one(conn, provider, model, task).await?;
    let mut record = before.unwrap_or_else(|| Record::new(now));
    record.tried = record.tried.saturating_add(1);
    put(conn, provider, model, task, &record).await?;
    if before.is_none() {
        tidy(conn).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Past {
    provider: ProviderName,
    asked_model: Option<String>,
    task_type: TaskType,
    verdict: String,
    estimated_tokens: i64,
    actual_tokens: i64,
    completed_at: Timestamp,
}

/// Makes the table anew from the completions; only what was given to find out is taken over. The
/// number of attempts that were read.
pub(crate) async fn rebuild(conn: &mut Conn) -> Result<u64, DbError> {
    let mut made: std::collections::BTreeMap<(ProviderName, String, TaskType), Record> =
        std::collections::BTreeMap::new();
    let mut read = 0;
    {
        let mut past = sqlx::query_as::<_, Past>(
            "SELECT provider, asked_model, task_type, verdict, estimated_tokens, actual_tokens, completed_at
             FROM (SELECT *, rowid AS at_row FROM completions
                   UNION ALL SELECT *, rowid FROM archived_completions)
             ORDER BY completed_at, at_row",
        )
        .fetch(&mut *conn);
        while let Some(past) = past.try_next().await? {
            let at = past.completed_at;
            let verdict: Verdict = past.verdict.parse().map_err(unknown)?;
            let outcome = Outcome {
                provider: past.provider,
                model: past.asked_model,
                task_type: past.task_type,
                verdict,
                estimated_tokens: past.estimated_tokens,
                actual_tokens: past.actual_tokens,
            };
            let model = outcome.model.clone().unwrap_or_default();
            let key = (outcome.provider.clone(), model, outcome.task_type);
            let record = made.entry(key).or_insert_with(|| Record::new(at));
            *record = record.with(&outcome, at);
            read += 1;
        }
    }
    let before = load(conn).await?;
    for (provider, model, task, r) in before.iter().filter(|(.., r)| r.tried > 0) {
        let key = (provider.clone(), model.to_owned(), task);
        let record = made.entry(key).or_insert_with(|| Record::new(r.updated_at));
        record.tried = r.tried;
    }
    sqlx::query("DELETE FROM affinity")
        .execute(&mut *conn)
        .await?;
    for ((provider, model, task), record) in &made {
        put(conn, provider, model, *task, record).await?;
    }
    tidy(conn).await?;
    Ok(read)
}

fn unknown(word: UnknownWord) -> DbError {
    DbError::Sqlx(sqlx::Error::Decode(Box::new(word)))
}

#[cfg(test)]
mod tests;
