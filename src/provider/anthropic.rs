//! Kind `anthropic`: Anthropic's API with a key. Its windows are in the headers of every answer.

use super::rule::{Rule, rule};
use super::signal::Class;

/// How refusals are classed. The limit that a person set for spending has the type and the status
/// of a rate limit, but no wait helps before the month ends; its code tells it.
pub(super) const TABLE: &[Rule] = &[
    rule("spend_limit", Class::OutOfCredit, |f| {
        f.says(&[
            "enforced_spend_limit_reached",
            "reached your api usage limits",
            "reached your specified api usage limits",
        ])
    }),
    rule("out_of_credit", Class::OutOfCredit, |f| {
        f.is(402) || f.says(&["credit balance is too low", "billing_error"])
    }),
    rule("context_length", Class::ContextTooLong, |f| {
        f.is(413)
            || f.says(&[
                "prompt is too long",
                "request_too_large",
                "exceed context limit",
                "context window",
            ])
    }),
    rule("invalid_key", Class::Auth, |f| {
        f.is(401) || f.is(403) || f.says(&["authentication_error", "permission_error"])
    }),
    rule("no_such_model", Class::BadModel, |f| {
        f.says(&["not_found_error"]) || f.is(404) && f.says(&["model"])
    }),
    rule("no_capacity", Class::Overloaded, |f| {
        f.is(529) || f.is(503) || f.says(&["overloaded_error"])
    }),
    rule("rate_limit", Class::RateLimited, |f| {
        f.is(429) || f.says(&["rate_limit_error"])
    }),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::core::{ProviderKind, Timestamp};
    use crate::llm::LlmError;
    use crate::provider::text::classify;

    #[test]
    fn refusals_are_classed() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        for (status, body, want, wait) in [
            (
                429,
                "You have reached your API usage limits: you will regain access on 2026-12-01 at 00:00 UTC. (rate_limit_error, enforced_spend_limit_reached)",
                "out_of_credit spend_limit",
                None,
            ),
            (
                400,
                "Your credit balance is too low to access the Anthropic API. (invalid_request_error)",
                "out_of_credit out_of_credit",
                None,
            ),
            (
                429,
                "This request would exceed your organization's rate limit (rate_limit_error)",
                "rate_limited rate_limit",
                Some(7),
            ),
            (
                529,
                "Overloaded (overloaded_error)",
                "overloaded no_capacity",
                Some(7),
            ),
            (
                500,
                "Internal server error (api_error)",
                "overloaded server_error",
                Some(7),
            ),
            (
                401,
                "invalid x-api-key (authentication_error)",
                "auth invalid_key",
                None,
            ),
            (
                404,
                "model: claude-9 (not_found_error)",
                "bad_model no_such_model",
                None,
            ),
            (
                400,
                "prompt is too long: 210000 tokens > 200000 maximum (invalid_request_error)",
                "context_too_long context_length",
                None,
            ),
            (
                413,
                "Request exceeds the maximum size (request_too_large)",
                "context_too_long context_length",
                None,
            ),
            (
                400,
                "messages: bad (invalid_request_error)",
                "broken request_refused",
                None,
            ),
        ] {
            let error = LlmError::Status {
                endpoint: "S".into(),
                status,
                body: body.into(),
                headers: vec![("retry-after".into(), "7".into())],
            };
            let outcome = classify(ProviderKind::Anthropic, &error, None, now);
            let got = format!("{} {}", outcome.class, outcome.rule);
            assert_eq!(got, want, "{body}");
            let until = wait.map(|s| now + Duration::from_secs(s));
            assert_eq!(outcome.resets_at, until, "{body}");
        }
    }
}
