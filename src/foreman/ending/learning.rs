//! What is kept of an attempt that is over.

use super::super::ForemanError;
use super::super::drive::{Active, Foreman};
use crate::db::Conn;
use crate::depot::store as depot;
use crate::depot::{Completion, Verdict};
use crate::dispatch::{outcomes::Outcome, store as dispatch};
use crate::refinery::store::{self as refinery, Of};

impl Foreman {
    /// The attempt as later estimates and choices learn from it.
    pub(super) async fn learn(
        &self,
        tx: &mut Conn,
        active: &Active,
        verdict: Verdict,
        score: Option<f64>,
        error: Option<&str>,
    ) -> Result<(), ForemanError> {
        let job = &active.job;
        let prompt = job.bead.optimized_prompt.as_ref();
        let prompt = prompt.unwrap_or(&job.bead.description);
        let used = refinery::used(tx, Of::Attempt(job.attempt), None).await?;
        let done = Completion {
            bead: job.bead.id.clone(),
            attempt: job.attempt,
            provider: job.provider.clone(),
            model: active.model.clone().or_else(|| job.model.clone()),
            asked_model: job.model.clone(),
            task_type: job.bead.task_type,
            complexity: job.bead.complexity,
            estimated_tokens: job.bead.estimated_tokens,
            actual_tokens: used.tokens() as i64,
            duration_ms: active.duration_ms,
            verdict,
            quality_score: score,
            original_prompt: Some(job.bead.description.clone()),
            optimized_prompt: job.bead.optimized_prompt.clone(),
            repo: job.repo().map(|r| r.display().to_string()),
            prompt_chars: prompt.chars().count() as i64,
            is_fresh: job.resume.is_none(),
            error_message: error.map(|e| crate::core::text::ellipsis(e, 1000)),
        };
        let act = self.ctx.act();
        depot::complete_record(tx, act, &done).await?;
        let outcome = Outcome {
            provider: done.provider.clone(),
            model: done.asked_model.clone(),
            task_type: done.task_type,
            verdict,
            estimated_tokens: done.estimated_tokens,
            actual_tokens: done.actual_tokens,
        };
        dispatch::learn(tx, &outcome, act.now).await?;
        crate::assayer::store::settle(tx, &done.bead, done.actual_tokens, done.quality_score)
            .await?;
        Ok(())
    }
}
