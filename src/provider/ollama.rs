//! Kind `ollama`: a local server. It has no quota; what it has is slots (`max_parallel`) and
//! memory. Only its cloud models have limits, whose size and reset it does not state.

use super::rule::{Rule, rule};
use super::signal::Class;

pub(super) const TABLE: &[Rule] = &[
    rule("usage_limit", Class::Limit, |f| {
        f.says(&["usage limit", "weekly limit", "hourly limit"])
    }),
    rule("queue_full", Class::Overloaded, |f| {
        f.is(503) || f.says(&["server busy", "maximum pending requests"])
    }),
    // No wait makes the machine larger.
    rule("not_enough_memory", Class::BadModel, |f| {
        f.says(&["more system memory", "out of memory", "cudamalloc failed"])
    }),
    rule("cannot_load_model", Class::BadModel, |f| {
        f.says(&["unable to load model", "not found, try pulling"])
    }),
    rule("context_length", Class::ContextTooLong, |f| {
        f.says(&["exceeds the context", "context length", "input length"])
    }),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::core::{ProviderKind, Timestamp};
    use crate::llm::LlmError;
    use crate::provider::text::classify;

    #[test]
    fn errors_are_classed() {
        let status = |status, body: &str| LlmError::Status {
            endpoint: "S".into(),
            status,
            body: body.into(),
            headers: vec![],
        };
        let malformed = |reason: &str| LlmError::Malformed {
            endpoint: "S".into(),
            reason: reason.into(),
        };
        for (error, want) in [
            (
                status(
                    503,
                    "server busy, please try again. maximum pending requests exceeded",
                ),
                "overloaded queue_full",
            ),
            (
                status(
                    500,
                    "model requires more system memory (5.6 GiB) than is available (3.1 GiB)",
                ),
                "bad_model not_enough_memory",
            ),
            (
                status(500, "llama runner process has terminated"),
                "overloaded server_error",
            ),
            (
                status(429, "you have reached your weekly usage limit"),
                "limit usage_limit",
            ),
            (status(401, "unauthorized"), "auth login_refused"),
            (
                LlmError::Unusable("the Ollama server at S has no model `x`".into()),
                "bad_model model_unusable",
            ),
            (
                LlmError::Unreachable {
                    endpoint: "S".into(),
                    reason: "Connection refused".into(),
                },
                "network unreachable",
            ),
            (
                LlmError::Timeout {
                    endpoint: "S".into(),
                    limit: Duration::from_secs(1),
                },
                "timed_out timed_out",
            ),
            (
                malformed("it was cut off: connection reset"),
                "network broken_answer",
            ),
            (
                malformed("it ended before it was done"),
                "network broken_answer",
            ),
            (
                malformed("not a line of JSON: <html>"),
                "broken not_understood",
            ),
            (
                LlmError::TooLong {
                    model: "m".into(),
                    tokens: 9,
                    window: 8,
                },
                "context_too_long prompt_too_long",
            ),
        ] {
            let outcome = classify(ProviderKind::Ollama, &error, None, Timestamp::from_secs(0));
            assert_eq!(
                format!("{} {}", outcome.class, outcome.rule),
                want,
                "{error}"
            );
            assert_eq!(outcome.message, error.to_string());
        }
    }
}
