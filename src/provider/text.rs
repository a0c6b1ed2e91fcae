//! What the kinds without a program share: their errors as facts for a table, and what the
//! headers of their answers say about limits.

use super::reset;
use super::rule::{Facts, Rule, first, rule};
use super::signal::{BROKEN_ANSWER, Class, Observation, Outcome, Scope};
use super::{anthropic, embedded, google, headers, ollama, openai};
use crate::core::text::one_line;
use crate::core::{ProviderKind, Timestamp};
use crate::llm::LlmError;

/// What an error of a model client means, by the table of the kind.
pub(crate) fn classify(
    kind: ProviderKind,
    error: &LlmError,
    model: Option<&str>,
    now: Timestamp,
) -> Outcome {
    let table: &[Rule] = match kind {
        ProviderKind::Ollama => ollama::TABLE,
        ProviderKind::Openai => openai::TABLE,
        ProviderKind::Anthropic => anthropic::TABLE,
        ProviderKind::Google => google::TABLE,
        ProviderKind::Embedded => embedded::TABLE,
        ProviderKind::Claude
        | ProviderKind::Codex
        | ProviderKind::Gemini
        | ProviderKind::Opencode
        | ProviderKind::Command
        | ProviderKind::Sim => &[],
    };
    let decided = first(&[table, REST], &facts(error));
    let (name, class) = decided.map_or(("not_understood", Class::Broken), |r| (r.name, r.class));
    let waits = matches!(class, Class::Limit | Class::RateLimited | Class::Overloaded);
    Outcome {
        class,
        rule: name,
        message: one_line(&error.to_string(), super::reader::MESSAGE),
        resets_at: if waits {
            reset_of(error, model, now)
        } else {
            None
        },
        scope: match (kind, class) {
            // Vendors count by model, Google also by day; a model that is none closes no other.
            (ProviderKind::Google, Class::Limit)
            | (
                ProviderKind::Google | ProviderKind::Openai | ProviderKind::Anthropic,
                Class::RateLimited,
            ) => model.map_or(Scope::Account, |m| Scope::Model(m.to_owned())),
            (_, Class::BadModel) if ["no_such_model", "not_in_this_plan"].contains(&name) => {
                model.map_or(Scope::Account, |m| Scope::Model(m.to_owned()))
            }
            _ => Scope::Account,
        },
    }
}

/// The rows after those of each kind; together they leave nothing undecided.
const REST: &[Rule] = &[
    rule("unreachable", Class::Network, |f| f.cause(&["unreachable"])),
    rule("timed_out", Class::TimedOut, |f| f.cause(&["timeout"])),
    rule(BROKEN_ANSWER, Class::Network, |f| {
        f.cause(&["malformed"]) && f.says(&["cut off", "ended before"])
    }),
    rule("prompt_too_long", Class::ContextTooLong, |f| {
        f.cause(&["too_long"])
    }),
    rule("model_unusable", Class::BadModel, |f| {
        f.cause(&["unusable"])
    }),
    rule("login_refused", Class::Auth, |f| f.is(401) || f.is(403)),
    rule("no_such_endpoint", Class::BadModel, |f| {
        matches!(f.status, Some(300..=399 | 404 | 405 | 410))
    }),
    rule("too_many_requests", Class::RateLimited, |f| f.is(429)),
    rule("server_timed_out", Class::Network, |f| {
        f.is(408) || f.is(504) || f.is(524)
    }),
    rule("server_error", Class::Overloaded, |f| {
        matches!(f.status, Some(500..=599))
    }),
    rule("request_refused", Class::Broken, |f| f.status.is_some()),
    rule("not_understood", Class::Broken, |_| true),
];

fn facts(error: &LlmError) -> Facts {
    let (cause, status, text) = match error {
        LlmError::Unreachable { reason, .. } => ("unreachable", None, reason.as_str()),
        LlmError::Timeout { .. } => ("timeout", None, ""),
        LlmError::Status { status, body, .. } => ("status", Some(*status), body.as_str()),
        LlmError::Malformed { reason, .. } => ("malformed", None, reason.as_str()),
        LlmError::TooLong { .. } => ("too_long", None, ""),
        LlmError::Unusable(text) => ("unusable", None, text.as_str()),
    };
    Facts {
        finished: Some(false),
        status,
        causes: vec![cause.into()],
        text: text.to_lowercase(),
        ..Facts::default()
    }
}

/// When the server wants to be asked again: its header, else the reset of a window that it says
/// is used up, else what its sentence says.
fn reset_of(error: &LlmError, model: Option<&str>, now: Timestamp) -> Option<Timestamp> {
    let LlmError::Status { headers, body, .. } = error else {
        return None;
    };
    let windows = closed_by(error, model, now);
    headers::retry_after(headers, now)
        .max(headers::closed_until(&windows))
        .or_else(|| headers::empty_until(&windows))
        .or_else(|| reset::from_text(body, now))
}

/// The windows that a refusal names: in its headers, or in its body.
pub(crate) fn closed_by(error: &LlmError, model: Option<&str>, now: Timestamp) -> Vec<Observation> {
    let LlmError::Status { headers, body, .. } = error else {
        return Vec::new();
    };
    let mut windows = headers::observations(headers, model, now);
    windows.extend(headers::of_google_body(body, model, now));
    windows
}
