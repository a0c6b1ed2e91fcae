//! Settings files of repositories that a person has read and lets count.

use serde_json::json;

use super::Result;
use crate::core::Timestamp;
use crate::db::{Conn, EventType, NewEvent, events};
use crate::depot::{Act, Convoy};

/// The text that counts for a repository.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Trust {
    pub(crate) repo: String,
    /// Hexadecimal.
    pub(crate) sha256: String,
    pub(crate) content: String,
    pub(crate) trusted_at: Timestamp,
}

/// Lets this text count for the repository, and no other one any more.
pub(crate) async fn trust(
    conn: &mut Conn,
    act: Act<'_>,
    repo: &str,
    sha256: &str,
    content: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO trusts (repo, sha256, content, trusted_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (repo) DO UPDATE SET sha256 = ?2, content = ?3, trusted_at = ?4",
    )
    .bind(repo)
    .bind(sha256)
    .bind(content)
    .bind(act.now)
    .execute(&mut *conn)
    .await?;
    let event = NewEvent::new(EventType::TrustGranted, act.who)
        .payload(json!({ "repo": repo, "sha256": sha256 }));
    Ok(events::append(conn, act.ids, act.now, event).await?)
}

/// Nothing that the repository says counts any more; false when nothing did.
pub(crate) async fn revoke(conn: &mut Conn, act: Act<'_>, repo: &str) -> Result<bool> {
    let gone = sqlx::query("DELETE FROM trusts WHERE repo = ?1")
        .bind(repo)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    if gone == 0 {
        return Ok(false);
    }
    let event = NewEvent::new(EventType::TrustRevoked, act.who).payload(json!({ "repo": repo }));
    events::append(conn, act.ids, act.now, event).await?;
    Ok(true)
}

pub(crate) async fn trusted(conn: &mut Conn, repo: &str) -> Result<Option<Trust>> {
    Ok(sqlx::query_as("SELECT * FROM trusts WHERE repo = ?1")
        .bind(repo)
        .fetch_optional(conn)
        .await?)
}

pub(crate) async fn all_trusted(conn: &mut Conn) -> Result<Vec<Trust>> {
    Ok(sqlx::query_as("SELECT * FROM trusts ORDER BY repo")
        .fetch_all(conn)
        .await?)
}

/// The settings file that the convoy started from, when that very text is trusted now.
pub(crate) async fn settings_of(conn: &mut Conn, convoy: &Convoy) -> Result<Option<String>> {
    let (Some(repo), Some(sha256)) = (&convoy.repo, &convoy.settings_sha256) else {
        return Ok(None);
    };
    let trust = trusted(conn, repo).await?;
    Ok(trust.filter(|t| t.sha256 == *sha256).map(|t| t.content))
}
