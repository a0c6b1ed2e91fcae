//! One attempt at a bead: one run on one provider, and what became of it.

use crate::core::words::word_enum;
use crate::core::{AttemptId, BeadId, Complexity, ProviderName, TaskType, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    pub(crate) bead_id: BeadId,
    pub(crate) number: i64,
    pub(crate) provider: ProviderName,
    pub(crate) model: Option<String>,
    pub(crate) owner: String,
    /// `running`, the class of the outcome, or `lost`.
    pub(crate) status: String,
    pub(crate) rule: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) session_id: Option<String>,
    /// The session that this attempt continues.
    pub(crate) resumes: Option<String>,
    pub(crate) worktree: Option<String>,
    pub(crate) base_commit: Option<String>,
    pub(crate) commit_id: Option<String>,
    pub(crate) pgid: Option<i64>,
    pub(crate) process_started: Option<i64>,
    pub(crate) marker: Option<String>,
    pub(crate) log_path: Option<String>,
    pub(crate) exit_code: Option<i64>,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AttemptEnd {
    /// The class of the outcome, or `lost`.
    pub(crate) status: String,
    pub(crate) rule: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) commit_id: Option<String>,
    pub(crate) exit_code: Option<i64>,
}

word_enum! {
    /// What the gate and the merge made of a finished attempt.
    pub(crate) enum Verdict as "verdict" {
        Accepted = "accepted",
        Revised = "revised",
        Failed = "failed",
    }
}

/// A finished attempt as later estimates and routing learn from it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Completion {
    pub(crate) bead: BeadId,
    pub(crate) attempt: AttemptId,
    pub(crate) provider: ProviderName,
    /// As the provider says.
    pub(crate) model: Option<String>,
    /// As it was asked for; `None`: the provider's own choice.
    pub(crate) asked_model: Option<String>,
    pub(crate) task_type: TaskType,
    pub(crate) complexity: Complexity,
    pub(crate) estimated_tokens: i64,
    pub(crate) actual_tokens: i64,
    pub(crate) duration_ms: i64,
    pub(crate) verdict: Verdict,
    /// 0 to 1.
    pub(crate) quality_score: Option<f64>,
    pub(crate) original_prompt: Option<String>,
    pub(crate) optimized_prompt: Option<String>,
    pub(crate) error_message: Option<String>,
    /// The repository that it worked on; `None`: none.
    pub(crate) repo: Option<String>,
    /// Of the description that it was given.
    pub(crate) prompt_chars: i64,
    /// It did not go on with a conversation.
    pub(crate) is_fresh: bool,
}
