//! How a run of opencode ended. It gives the status and the body of the request that failed; what
//! they mean depends on the provider behind it, so that this table knows the words of several.

use super::super::rule::{Rule, rule};
use super::super::signal::{BAD_REQUEST, BROKEN_ANSWER, Class, ENDLESS_ANSWERS, SESSION_UNKNOWN};
use super::reader::{ASKED, LOOPS};

pub(super) const TABLE: &[Rule] = &[
    rule(SESSION_UNKNOWN, Class::Broken, |f| {
        f.stderr_says(&["session not found"])
    }),
    rule("bad_arguments", Class::NotStarted, |f| {
        f.stderr_says(&[
            "unknown argument",
            "invalid values:",
            "you must provide a message",
            "opencode run [message..]",
        ])
    }),
    rule("bad_settings", Class::NotStarted, |f| {
        f.stderr_says(&["config is invalid", "configinvaliderror", "configjsonerror"])
    }),
    rule("no_such_model", Class::BadModel, |f| {
        let unknown = ["providermodelnotfounderror", "model not found:"];
        f.finished != Some(true)
            && (f.says(&unknown) || unknown.iter().any(|word| f.stderr.contains(word)))
    }),
    rule(ENDLESS_ANSWERS, Class::Network, |f| f.cause(&[LOOPS])),
    // A question that nobody answers ends the run as if all were well.
    rule("asked_a_person", Class::Failed, |f| {
        f.finished.is_none() && f.cause(&[ASKED])
    }),
    // Terminal ones first: they come with the statuses of the waits below.
    rule("out_of_credit", Class::OutOfCredit, |f| {
        f.failed()
            && (f.is(402)
                || f.says(&[
                    "insufficient_quota",
                    "insufficient balance",
                    "insufficient credits",
                    "credit balance is too low",
                    "credit_balance",
                    "credits are depleted",
                    "spend_limit",
                    "organization_usage_limit_exceeded",
                    "reached your api usage limits",
                    "billing_hard_limit",
                ])
                // Google says the same of a minute's quota, and then for how long.
                || f.says(&["exceeded your current quota"])
                    && !f.says(&["quota exceeded for metric", "retry in", "perminute"]))
    }),
    rule("usage_limit", Class::Limit, |f| {
        f.failed()
            && f.says(&[
                "usage_limit_reached",
                "usage limit has been reached",
                "usage limit reached",
                "hit your usage limit",
                "weekly limit",
                "free usage exceeded",
            ])
    }),
    rule("daily_limit", Class::Limit, |f| {
        f.failed() && f.says(&["perday", "per-day", "per day", "daily limit", "daily quota"])
    }),
    rule("context_too_long", Class::ContextTooLong, |f| {
        f.failed()
            && (f.is(413)
                || f.says(&[
                    "contextoverflowerror",
                    "context_length_exceeded",
                    "maximum context length",
                    "context window",
                    "prompt is too long",
                    "exceeds the maximum number of tokens",
                ]))
    }),
    rule("login", Class::Auth, |f| {
        f.failed()
            && (f.is(401)
                || f.is(403)
                || f.says(&[
                    "providerautherror",
                    "invalid_api_key",
                    "api key not valid",
                    "authentication_error",
                ]))
    }),
    rule("unknown_model", Class::BadModel, |f| {
        f.failed() && (f.is(404) || f.says(&["model_not_found", "not_found_error"]))
    }),
    rule("no_capacity", Class::Overloaded, |f| {
        f.failed()
            && (f.is(503)
                || f.is(529)
                || f.says(&["overloaded", "at capacity", "no instances available"]))
    }),
    rule("rate_limited", Class::RateLimited, |f| {
        f.failed()
            && (f.is(429) || f.says(&["rate limit", "rate_limit_exceeded", "too many requests"]))
    }),
    rule("server_error", Class::Overloaded, |f| {
        f.failed() && f.status.is_some_and(|status| status >= 500)
    }),
    rule(BAD_REQUEST, Class::Failed, |f| f.failed() && f.is(400)),
    rule("not_there", Class::Network, |f| {
        f.failed()
            && f.says(&[
                "unable to connect",
                "econnrefused",
                "enotfound",
                "connectionrefused",
            ])
    }),
    // The request went out; nobody knows what became of it, nor what it cost.
    rule("no_answer", Class::Silent, |f| {
        f.failed() && f.says(&["timed out", "timeout"])
    }),
    rule(BROKEN_ANSWER, Class::Network, |f| {
        f.failed()
            && f.says(&[
                "connection reset",
                "econnreset",
                "socket connection was closed",
                "terminated",
                "json parsing failed",
                "invalid json",
            ])
    }),
];
