//! The settings that hold for the work of one convoy: those of the person, and over them what
//! the repository says, as far as a person trusts that.

use std::sync::Arc;

use super::Context;
use crate::config::Settings;
use crate::config::repository::{FILE, MAX_FILE, Repository};
use crate::core::digest;
use crate::core::text::one_line;
use crate::db::Conn;
use crate::depot::{Convoy, DepotError, Ready, store as depot};
use crate::git::{GitError, Repo};

/// The settings file at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingsFile {
    pub(crate) text: String,
    /// Hexadecimal.
    pub(crate) sha256: String,
}

/// What `commit` has as its settings file; `None` when it has none.
pub(crate) async fn file_of(repo: &Repo, commit: &str) -> Result<Option<SettingsFile>, GitError> {
    // One byte more than may be: a file that is too long is refused when it is read.
    let text = repo.file_at(commit, FILE, MAX_FILE + 1).await?;
    Ok(text.map(|text| SettingsFile {
        sha256: digest::sha256(&text),
        text,
    }))
}

/// What a person should know about a repository whose file does not count; `None` when it has
/// none, or it does.
pub(crate) async fn notice(
    conn: &mut Conn,
    repo: &str,
    sha256: Option<&str>,
) -> Result<Option<String>, DepotError> {
    let Some(sha256) = sha256 else {
        return Ok(None);
    };
    let state = match depot::trusted(conn, repo).await? {
        Some(trust) if trust.sha256 == sha256 => return Ok(None),
        Some(_) => "has changed since you trusted it, and does not count",
        None => "is not trusted, and does not count",
    };
    let repo = one_line(repo, 300);
    Ok(Some(format!(
        "{repo}/{FILE} {state}: look at it, then `rigs trust {repo}`"
    )))
}

/// The settings for the work of `convoy`. What is trusted and cannot be read does not count:
/// a newer rigs may have allowed more.
pub(super) async fn settings(
    ctx: &Context,
    conn: &mut Conn,
    convoy: Option<&Convoy>,
) -> Result<Arc<Settings>, DepotError> {
    let text = match convoy {
        Some(convoy) => depot::settings_of(conn, convoy).await?,
        None => None,
    };
    Ok(match text.map(|text| Repository::parse(&text)) {
        Some(Ok(says)) => Arc::new(says.over(&ctx.settings)),
        Some(Err(error)) => {
            tracing::warn!("the repository's settings do not count: {error}");
            Arc::clone(&ctx.settings)
        }
        None => Arc::clone(&ctx.settings),
    })
}

/// The same with what the repository of a bead may say about who does its work best; `None` where
/// it says nothing that counts.
pub(super) async fn hinted(
    ctx: &Context,
    conn: &mut Conn,
    bead: &Ready,
) -> Result<Option<Context>, DepotError> {
    let (Some(repo), Some(convoy)) = (&bead.repo, &bead.convoy_id) else {
        return Ok(None);
    };
    if depot::trusted(conn, repo).await?.is_none() {
        return Ok(None);
    }
    let convoy = depot::convoy(conn, convoy).await?;
    let settings = settings(ctx, conn, convoy.as_ref()).await?;
    let says = settings.routing != ctx.settings.routing;
    Ok(says.then(|| ctx.with(settings)))
}
