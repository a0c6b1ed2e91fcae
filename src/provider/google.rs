//! Kind `google`: the Gemini API with a key. It says nothing of limits until one is reached; then
//! the refusal names the quotas, which are by project and model.

use super::rule::{Rule, rule};
use super::signal::Class;

pub(super) const TABLE: &[Rule] = &[
    // No wait makes a quota of nothing larger.
    rule("not_in_this_plan", Class::BadModel, |f| {
        f.says(&["limit: 0,", "limit: 0.", "limit: 0 "]) || ends_quota_of_nothing(&f.text)
    }),
    rule("out_of_credit", Class::OutOfCredit, |f| {
        f.is(402)
            || f.says(&[
                "insufficient_g1_credits_balance",
                "credits are depleted",
                "spending cap",
                "billing_disabled",
            ])
    }),
    rule("context_length", Class::ContextTooLong, |f| {
        f.is(413) || f.says(&["exceeds the maximum number of tokens", "input token count"])
    }),
    rule("validation_required", Class::Auth, |f| {
        f.says(&["validation_required"])
    }),
    rule("invalid_key", Class::Auth, |f| {
        f.is(401)
            || f.is(403)
            || f.says(&["api key not valid", "api_key_invalid", "api key expired"])
    }),
    rule("no_such_model", Class::BadModel, |f| {
        f.is(404) || f.says(&["is not found for api version"])
    }),
    rule("no_capacity", Class::Overloaded, |f| {
        f.is(503)
            || f.says(&[
                "model_capacity_exhausted",
                "model_capacity_exceeded",
                "no capacity available",
                "overloaded",
            ])
    }),
    rule("daily_limit", Class::Limit, |f| {
        f.says(&["perday", "per day", "daily", "quota_exhausted"])
    }),
    rule("rate_limit", Class::RateLimited, |f| {
        f.is(429) || f.says(&["resource_exhausted"])
    }),
];

/// `quota NAME = 0`, and not `= 01` or `= 0.5`.
fn ends_quota_of_nothing(said: &str) -> bool {
    said.split("quota ").skip(1).any(|rest| {
        let amount = rest.split([';', ')']).next().unwrap_or_default();
        amount.split(" = ").nth(1).is_some_and(|n| n.trim() == "0")
    })
}

#[cfg(test)]
mod tests {
    use crate::core::{ProviderKind, Timestamp};
    use crate::llm::LlmError;
    use crate::provider::Scope;
    use crate::provider::text::classify;

    #[test]
    fn refusals_are_classed_with_the_quota_that_closes() {
        // Winter time: midnight in California is 08:00 in UTC.
        let now: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        for (status, body, want, until) in [
            (
                429,
                "You exceeded your current quota. (RESOURCE_EXHAUSTED, 429; quota GenerateRequestsPerDayPerProjectPerModel-FreeTier = 250; retry in 34s)",
                "limit daily_limit",
                Some("2026-11-21T08:00:00.000Z"),
            ),
            (
                429,
                "You exceeded your current quota. (RESOURCE_EXHAUSTED, 429; quota GenerateRequestsPerMinutePerProjectPerModel-FreeTier = 10; retry in 34.07s)",
                "rate_limited rate_limit",
                Some("2026-11-20T09:00:34.070Z"),
            ),
            (
                429,
                "Resource has been exhausted (e.g. check quota). (RESOURCE_EXHAUSTED, 429)",
                "rate_limited rate_limit",
                None,
            ),
            (
                429,
                "Quota exceeded for metric: x, limit: 0, model: gemini-3.1-pro (RESOURCE_EXHAUSTED, 429)",
                "bad_model not_in_this_plan",
                None,
            ),
            (
                429,
                "Quota exceeded. (RESOURCE_EXHAUSTED, 429; quota GenerateRequestsPerDay-FreeTier = 0)",
                "bad_model not_in_this_plan",
                None,
            ),
            (
                503,
                "The model is overloaded. (UNAVAILABLE, 503)",
                "overloaded no_capacity",
                None,
            ),
            (
                400,
                "API key not valid. Please pass a valid API key. (INVALID_ARGUMENT, 400; API_KEY_INVALID)",
                "auth invalid_key",
                None,
            ),
            (
                404,
                "models/gemini-9 is not found for API version v1beta (NOT_FOUND, 404)",
                "bad_model no_such_model",
                None,
            ),
            (
                400,
                "The input token count (1200000) exceeds the maximum number of tokens allowed (INVALID_ARGUMENT, 400)",
                "context_too_long context_length",
                None,
            ),
            (
                400,
                "Invalid JSON payload received. (INVALID_ARGUMENT, 400)",
                "broken request_refused",
                None,
            ),
        ] {
            let error = LlmError::Status {
                endpoint: "S".into(),
                status,
                body: body.into(),
                headers: vec![],
            };
            let outcome = classify(ProviderKind::Google, &error, Some("gemini-x"), now);
            let got = format!("{} {}", outcome.class, outcome.rule);
            assert_eq!(got, want, "{body}");
            let resets = outcome.resets_at.map(|at| at.to_string());
            assert_eq!(resets.as_deref(), until, "{body}");
            let by_model = want.starts_with("limit")
                || want.starts_with("rate")
                || want.starts_with("bad_model");
            let scope = if by_model {
                Scope::Model("gemini-x".into())
            } else {
                Scope::Account
            };
            assert_eq!(outcome.scope, scope, "{body}");
        }
    }
}
