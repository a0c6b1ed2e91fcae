//! Kind `openai`: any OpenAI-compatible endpoint. It has no windows until its headers name some.

use super::rule::{Rule, rule};
use super::signal::Class;

/// How refusals are classed. Words come before numbers: servers disagree on the numbers.
pub(super) const TABLE: &[Rule] = &[
    rule("out_of_credit", Class::OutOfCredit, |f| {
        f.is(402)
            || f.says(&[
                "insufficient_quota",
                "insufficient balance",
                "insufficient credits",
                "credit_balance",
                "spend_limit_exceeded",
                "organization_usage_limit_exceeded",
                "billing_hard_limit",
                "credits are depleted",
            ])
            // Google says the same of a minute's quota, and then for how long.
            || f.says(&["exceeded your current quota"])
                && !f.says(&["quota exceeded for metric", "retry in", "perminute"])
    }),
    rule("context_length", Class::ContextTooLong, |f| {
        f.is(413)
            || f.says(&[
                "context_length_exceeded",
                "maximum context length",
                "context window",
                "available context size",
                "prompt is too long",
            ])
    }),
    rule("invalid_key", Class::Auth, |f| {
        f.is(401) || f.says(&["invalid_api_key", "incorrect api key", "invalid api key"])
    }),
    rule("no_such_model", Class::BadModel, |f| {
        f.says(&[
            "model_not_found",
            "is not a valid model",
            "model does not exist",
            "unknown model",
            "no endpoints found",
        ]) || f.is(404) && f.says(&["model"])
    }),
    rule("daily_limit", Class::Limit, |f| {
        f.says(&[
            "usage_limit_reached",
            "per-day",
            "per day",
            "daily limit",
            "(rpd)",
            "(tpd)",
        ])
    }),
    rule("no_capacity", Class::Overloaded, |f| {
        f.is(503) || f.is(529) || f.says(&["overloaded", "at capacity", "no instances available"])
    }),
    rule("rate_limit", Class::RateLimited, |f| {
        f.is(429)
            || f.says(&[
                "rate_limit_exceeded",
                "rate limit reached",
                "too many requests",
            ])
    }),
];

#[cfg(test)]
mod tests {
    use crate::core::{ProviderKind, Timestamp};
    use crate::llm::LlmError;
    use crate::provider::text::classify;

    #[test]
    fn refusals_are_classed() {
        for (status, body, want) in [
            (
                429,
                "You exceeded your current quota, please check your plan (insufficient_quota, insufficient_quota)",
                "out_of_credit out_of_credit",
            ),
            (402, "Insufficient Balance", "out_of_credit out_of_credit"),
            (
                400,
                "This model's maximum context length is 8192 tokens (context_length_exceeded)",
                "context_too_long context_length",
            ),
            (
                400,
                "the request exceeds the available context size (4096)",
                "context_too_long context_length",
            ),
            (
                401,
                "Incorrect API key provided: [redacted]",
                "auth invalid_key",
            ),
            (403, "Country not supported", "auth login_refused"),
            (
                404,
                "The model `x` does not exist or you do not have access to it. (model_not_found)",
                "bad_model no_such_model",
            ),
            (404, "404 page not found", "bad_model no_such_endpoint"),
            (302, "", "bad_model no_such_endpoint"),
            (
                429,
                "Rate limit reached for requests per day (RPD)",
                "limit daily_limit",
            ),
            (
                429,
                "Rate limit reached for gpt-5 on tokens per min (TPM): Limit 10000",
                "rate_limited rate_limit",
            ),
            (
                200,
                "slow down (rate_limit_exceeded)",
                "rate_limited rate_limit",
            ),
            (
                503,
                "The engine is currently overloaded",
                "overloaded no_capacity",
            ),
            (502, "Bad gateway", "overloaded server_error"),
            (504, "", "network server_timed_out"),
            (422, "messages: field required", "broken request_refused"),
        ] {
            let error = LlmError::Status {
                endpoint: "S".into(),
                status,
                body: body.into(),
                headers: vec![],
            };
            let outcome = classify(ProviderKind::Openai, &error, None, Timestamp::from_secs(0));
            assert_eq!(
                format!("{} {}", outcome.class, outcome.rule),
                want,
                "{body}"
            );
        }
    }
}
