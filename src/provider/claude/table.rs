//! How a run of Claude Code ended. `subtype` stays `success` on API errors, and an interrupted
//! run exits with 0: neither decides. Wordings differ between versions, so statuses and causes
//! come before sentences where both exist.

use super::super::rule::{Facts, Rule, rule};
use super::super::signal::{BAD_REQUEST, BROKEN_ANSWER, Class, SESSION_UNKNOWN};

/// What the program says when the limit is the server's, not the account's.
const NOT_YOURS: &[&str] = &["not your usage limit"];

/// No connection was there to be broken.
const UNREACHED: &[&str] = &[
    "econnrefused",
    "enotfound",
    "eai_again",
    "ehostunreach",
    "enetunreach",
    "certificate",
];

pub(super) const TABLE: &[Rule] = &[
    // Before there was anything on stdout.
    rule(SESSION_UNKNOWN, Class::Broken, |f| {
        f.stderr_says(&["no conversation found"])
    }),
    rule("session_in_use", Class::Broken, |f| {
        f.stderr_says(&["is already in use"])
    }),
    rule("root_refused", Class::NotStarted, |f| {
        f.stderr_says(&["cannot be used with root"])
    }),
    rule("bad_arguments", Class::NotStarted, |f| {
        f.stderr_says(&["unknown option", "error: option", "requires --verbose"])
    }),
    rule("not_logged_in", Class::Auth, |f| {
        f.stderr_says(&["not logged in", "invalid api key"])
    }),
    rule("limit_without_result", Class::Limit, |f| {
        f.finished.is_none() && f.wall && f.waiting == Some(Class::Limit)
    }),
    // Terminal for a person first: they come with the statuses of the waits below.
    rule("spend_limit", Class::OutOfCredit, |f| {
        f.failed()
            && (f.cause(&["enforced_spend_limit_reached"])
                || f.says(&["reached your api usage limits", "spend limit"]))
    }),
    rule("out_of_credit", Class::OutOfCredit, |f| {
        f.failed() && (f.is(402) || f.cause(&["billing_error"]) || f.says(&["credit balance"]))
    }),
    rule("usage_limit", Class::Limit, |f| {
        f.failed()
            && f.is(429)
            && !f.says(NOT_YOURS)
            && (f.wall || f.cause(&["usage_limit_reached"]))
    }),
    rule("usage_limit_text", Class::Limit, |f| {
        f.failed()
            && !f.says(NOT_YOURS)
            && (f.says(&["usage limit reached"]) || (f.says(&["hit your"]) && f.says(&["limit"])))
    }),
    rule("rate_limited", Class::RateLimited, |f| {
        f.failed() && (f.is(429) || f.cause(&["rate_limit_error", "rate_limit"]))
    }),
    rule("overloaded", Class::Overloaded, |f| {
        f.failed() && (f.is(529) || f.is(503) || f.cause(&["overloaded_error", "overloaded"]))
    }),
    rule("login", Class::Auth, |f| {
        f.failed()
            && (f.is(401)
                || f.is(403)
                || f.cause(&[
                    "authentication_error",
                    "authentication_failed",
                    "permission_error",
                ])
                || f.says(&["not logged in", "please run /login", "invalid api key"]))
    }),
    rule("context_too_long", Class::ContextTooLong, |f| {
        f.failed()
            && (f.is(413)
                || f.cause(&["prompt_too_long", "request_too_large"])
                || f.says(&["prompt is too long", "context limit", "context window"]))
    }),
    rule("unknown_model", Class::BadModel, |f| {
        f.failed()
            && (f.is(404)
                || f.cause(&["not_found_error", "model_not_found"])
                || f.says(&["issue with the selected model"]))
    }),
    rule(BAD_REQUEST, Class::Failed, |f| {
        f.failed() && (f.is(400) || f.cause(&["invalid_request_error"]))
    }),
    rule("server_error", Class::Overloaded, |f| {
        f.failed() && f.status.is_some_and(|status| status >= 500)
    }),
    rule("turn_limit", Class::Failed, |f| {
        f.failed() && f.cause(&["error_max_turns"])
    }),
    rule("budget", Class::Runaway, |f| {
        f.failed() && f.cause(&["error_max_budget_usd"])
    }),
    rule("interrupted", Class::Broken, |f| {
        f.failed() && f.cause(&["aborted_streaming", "aborted_tools"])
    }),
    // An API error without a status never reached the server, or its answer was no answer.
    rule("unreachable", Class::Network, |f| {
        lost(f) && f.says(UNREACHED)
    }),
    rule(BROKEN_ANSWER, Class::Network, lost),
];

fn lost(f: &Facts) -> bool {
    f.failed() && f.status.is_none() && f.cause(&["api_error", "connection_failed"])
}
