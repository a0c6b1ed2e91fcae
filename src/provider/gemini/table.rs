//! How a run of Gemini CLI ended. Its exit code is the HTTP status modulo 256, or one of its own
//! between 41 and 55; the sentences are the API's. `f.causes` holds its exit codes as words.

use super::super::rule::{Rule, rule};
use super::super::signal::{BAD_REQUEST, BROKEN_ANSWER, Class, SESSION_UNKNOWN};
use super::exit::{INPUT, LOGIN, SETTINGS, TRUST, TURNS};
use super::reader::NO_ANSWER;

pub(super) const TABLE: &[Rule] = &[
    rule(SESSION_UNKNOWN, Class::Broken, |f| {
        f.cause(&[INPUT]) && f.stderr.contains("error resuming session")
    }),
    rule("session_in_use", Class::Broken, |f| {
        f.cause(&[INPUT]) && f.stderr.contains("already exists")
    }),
    rule("bad_input", Class::NotStarted, |f| f.cause(&[INPUT])),
    rule("bad_arguments", Class::NotStarted, |f| {
        f.stderr_says(&[
            "unknown argument",
            "not enough arguments",
            "invalid values:",
        ])
    }),
    rule("bad_settings", Class::NotStarted, |f| f.cause(&[SETTINGS])),
    rule("folder_not_trusted", Class::NotStarted, |f| {
        f.cause(&[TRUST])
    }),
    rule("not_logged_in", Class::Auth, |f| f.cause(&[LOGIN])),
    // Terminal ones first: they come with the statuses of the waits below.
    rule("not_in_this_plan", Class::BadModel, |f| {
        f.failed() && f.says(&["limit: 0,", "limit: 0\n", "limit: 0."])
    }),
    rule("out_of_credit", Class::OutOfCredit, |f| {
        f.failed()
            && (f.is(402)
                || f.says(&[
                    "insufficient_g1_credits_balance",
                    "credits are depleted",
                    "billing account",
                    "spending cap",
                    "spend limit",
                ]))
    }),
    rule("daily_quota", Class::Limit, |f| {
        f.failed()
            && (f.says(&[
                "exhausted your daily quota",
                "perday",
                "per day",
                "quota will reset after",
            ]) || f.stderr.contains("terminalquotaerror"))
    }),
    rule("validation_required", Class::Auth, |f| {
        f.failed() && f.says(&["validation_required", "verify your account"])
    }),
    rule("bad_key", Class::Auth, |f| {
        f.failed()
            && (f.is(401)
                || f.is(403)
                || f.says(&["api key not valid", "api_key_invalid", "api key expired"]))
    }),
    rule("no_capacity", Class::Overloaded, |f| {
        f.failed()
            && (f.is(503)
                || f.is(529)
                || f.says(&["model_capacity", "no capacity available", "is overloaded"]))
    }),
    rule("rate_limited", Class::RateLimited, |f| {
        f.failed() && (f.is(429) || f.says(&["exceeded your current quota", "resource_exhausted"]))
    }),
    rule("context_too_long", Class::ContextTooLong, |f| {
        f.failed()
            && (f.is(413)
                || f.says(&[
                    "exceeds the maximum number of tokens",
                    "context window will overflow",
                    "token count",
                ]))
    }),
    rule("unknown_model", Class::BadModel, |f| {
        f.failed()
            && (f.is(404)
                || f.says(&["is not found for api version"])
                || f.stderr.contains("modelnotfounderror"))
    }),
    rule("turn_limit", Class::Failed, |f| {
        f.cause(&[TURNS]) || f.failed() && f.says(&["max session turns"])
    }),
    rule("server_error", Class::Overloaded, |f| {
        f.failed() && f.status.is_some_and(|status| status >= 500)
    }),
    rule(BAD_REQUEST, Class::Failed, |f| f.failed() && f.is(400)),
    rule("no_answer", Class::Silent, |f| {
        f.failed() && f.cause(&[NO_ANSWER]) && f.says(&["fetch failed"])
    }),
    rule("network", Class::Network, |f| {
        f.failed()
            && f.says(&[
                "fetch failed sending request",
                "econnrefused",
                "enotfound",
                "eai_again",
            ])
    }),
    // The request went out; nobody knows what became of it, nor what it cost.
    rule(BROKEN_ANSWER, Class::Network, |f| {
        f.failed()
            && f.says(&[
                "without a finish reason",
                "empty response",
                "invalid_stream",
                "json",
                "terminated",
                "econnreset",
                "etimedout",
                "socket hang up",
                "aborted",
                "timed out",
                "timeout",
            ])
    }),
];
