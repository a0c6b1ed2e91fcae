//! What a new attempt goes on with: the worktree and the session of the one before.

use super::super::ForemanError;
use super::super::context::Provider;
use crate::core::{BeadId, ProviderKind, ProviderName};
use crate::db::Conn;
use crate::depot::store as depot;
use crate::depot::{Attempt, DepotError};
use crate::refinery::store::{self as refinery, Of};

/// How often the work of one provider on one bead is refused before another one is asked.
const WORN: usize = 2;

/// The providers whose work on a bead was refused, once for each time.
#[derive(Debug, Default)]
pub(super) struct Refused(pub(super) Vec<ProviderName>);

impl Refused {
    /// Another try there would most likely meet the same end.
    pub(super) fn is_worn(&self, name: &ProviderName) -> bool {
        self.0.iter().filter(|refused| *refused == name).count() >= WORN
    }
}

/// What of the attempt before a new one goes on with.
pub(super) struct Continuation {
    pub(super) keeps_worktree: bool,
    pub(super) session: Option<String>,
}

impl Continuation {
    /// Work that was refused again and again from one provider is begun afresh: by another one
    /// from the integration branch, by the same one in a new conversation.
    pub(super) fn of(
        p: &Provider,
        name: &ProviderName,
        last: Option<&Attempt>,
        refused: &Refused,
    ) -> Self {
        let Some(last) = last else {
            return Self {
                keeps_worktree: false,
                session: None,
            };
        };
        // A session that no longer fits or was never understood must not be gone on with.
        let sound = matches!(
            last.status.as_str(),
            "done"
                | "limit"
                | "rate_limited"
                | "overloaded"
                | "network"
                | "stopped"
                | "lost"
                | "out_of_credit"
                | "auth"
        );
        // Gemini CLI forgets the tool call whose result was refused an answer, and sends the result
        // alone when it goes on, which the API need not take.
        let sound = sound && (p.kind != ProviderKind::Gemini || last.status == "done");
        let worn = refused.is_worn(&last.provider);
        let has_sessions = p.program.is_some() || p.kind == ProviderKind::Sim;
        let same = last.provider == *name && has_sessions && !worn;
        Self {
            keeps_worktree: !worn || last.provider == *name,
            session: last.session_id.clone().filter(|_| sound && same),
        }
    }
}

/// A session that was lost twice in a row takes its process down with it; no third time.
pub(super) async fn is_poisoned(
    conn: &mut Conn,
    bead: &BeadId,
    session: &str,
) -> Result<bool, DepotError> {
    let attempts = depot::attempts_of(conn, bead).await?;
    let of_it = attempts
        .iter()
        .rev()
        .take_while(|a| a.session_id.as_deref() == Some(session));
    Ok(of_it.take_while(|a| a.status == "lost").count() >= 2)
}

/// What the attempts of a bead have used in one session, by the ledger.
pub(in crate::foreman) async fn session_usage(
    conn: &mut Conn,
    bead: &BeadId,
    session: &str,
) -> Result<crate::core::Usage, ForemanError> {
    let mut sum = crate::core::Usage::default();
    for attempt in depot::attempts_of(conn, bead).await? {
        if attempt.session_id.as_deref() == Some(session) {
            sum += refinery::used(conn, Of::Attempt(attempt.id), None).await?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
