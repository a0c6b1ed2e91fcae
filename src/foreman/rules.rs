//! The policy while the loop goes on: looked at again and again, and what it forbade freed when it
//! changes.

use serde_json::json;

use super::ForemanError;
use super::drive::Foreman;
use crate::config::{Paths, Settings};
use crate::db::{EventType, NewEvent, events};
use crate::depot::store as depot;
use crate::policy::live::{self, Change, Live, PolicyError};

/// The policy of these settings, read anew.
pub(crate) fn open(settings: &Settings, paths: &Paths) -> Result<Live, PolicyError> {
    match &settings.general.policy_file {
        Some(file) => live::open(file, true),
        None => live::open(&paths.policy(), false),
    }
}

impl Foreman {
    /// Looks at the policy's file; true when other rules hold now. `at_once` after SIGHUP.
    pub(super) async fn look_at_policy(&mut self, at_once: bool) -> Result<bool, ForemanError> {
        match self.policy.look(self.ctx.clock.now(), at_once) {
            None => Ok(false),
            Some(Change::Loaded) => {
                tracing::info!(
                    "the policy {} holds from now on ({})",
                    self.policy.file().display(),
                    self.policy.policy().short_hash()
                );
                self.note_policy().await?;
                Ok(true)
            }
            Some(Change::Refused(error)) => {
                tracing::warn!("the rules read before hold on: {error}");
                let (line, column) = error.place().unzip();
                let payload = json!({
                    "file": self.policy.file(),
                    "line": line,
                    "column": column,
                    "message": crate::core::text::one_line(&error.to_string(), 400),
                    "hash": self.policy.policy().hash,
                });
                self.say(EventType::PolicyRefused, payload).await?;
                Ok(false)
            }
        }
    }

    /// Writes down which rules hold, unless they held before; what others forbade is free again.
    pub(super) async fn note_policy(&self) -> Result<(), ForemanError> {
        let policy = self.policy.policy();
        let mut conn = self.ctx.db.read().await?;
        let last = events::latest(&mut conn, EventType::PolicyLoaded).await?;
        drop(conn);
        let held = last.as_ref().map(|e| e.payload["hash"] == *policy.hash);
        let is_none = policy.rules.is_empty() && last.is_none();
        if held == Some(true) || is_none {
            return Ok(());
        }
        let act = self.ctx.act();
        let mut tx = self.ctx.db.write().await?;
        let payload = json!({
            "file": self.policy.file(), "hash": policy.hash, "rules": policy.rules.len(),
        });
        let event = NewEvent::new(EventType::PolicyLoaded, act.who).payload(payload);
        events::append(&mut tx, act.ids, act.now, event).await?;
        depot::lift_policy(&mut tx, act).await?;
        Ok(tx.commit().await?)
    }

    pub(super) async fn say(
        &self,
        kind: EventType,
        payload: serde_json::Value,
    ) -> Result<(), ForemanError> {
        let act = self.ctx.act();
        let mut tx = self.ctx.db.write().await?;
        let event = NewEvent::new(kind, act.who).payload(payload);
        events::append(&mut tx, act.ids, act.now, event).await?;
        Ok(tx.commit().await?)
    }
}
