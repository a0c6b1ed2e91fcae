//! How a run of Codex ended. The rollout has the cause in machine-readable form; stdout only a
//! sentence, so each rule knows both. The apostrophe in its sentences is the typographic one.

use super::super::rule::{Rule, rule};
use super::super::signal::{BAD_REQUEST, BROKEN_ANSWER, Class, SESSION_UNKNOWN};

pub(super) const TABLE: &[Rule] = &[
    rule(SESSION_UNKNOWN, Class::Broken, |f| {
        f.stderr_says(&["no rollout found", "thread/resume failed"])
    }),
    rule("bad_arguments", Class::NotStarted, |f| {
        f.stderr_says(&[
            "unexpected argument",
            "invalid value",
            "error loading config",
        ])
    }),
    rule("not_logged_in", Class::Auth, |f| {
        f.stderr_says(&["not logged in", "please run `codex login`"])
    }),
    // A used-up quota has the same cause as a plan's limit, but never resets by itself.
    rule("quota", Class::OutOfCredit, |f| {
        f.failed()
            && (f.cause(&["insufficient_quota"])
                || f.says(&["quota exceeded", "insufficient_quota", "billing hard limit"]))
    }),
    rule("usage_limit", Class::Limit, |f| {
        f.failed()
            && (f.cause(&["usage_limit_exceeded"])
                || (f.says(&["hit your"]) && f.says(&["usage limit"])))
    }),
    rule("context_too_long", Class::ContextTooLong, |f| {
        f.failed()
            && (f.cause(&["context_window_exceeded"])
                || f.says(&["context window", "context_length_exceeded"]))
    }),
    rule("at_capacity", Class::Overloaded, |f| {
        f.failed() && (f.cause(&["server_overloaded"]) || f.is(503) || f.says(&["is at capacity"]))
    }),
    rule("rate_limited", Class::RateLimited, |f| {
        f.failed() && (f.is(429) || f.cause(&["rate_limit_exceeded"]) || f.says(&["rate limit"]))
    }),
    rule("login", Class::Auth, |f| {
        f.failed()
            && (f.is(401)
                || f.is(403)
                || f.cause(&["unauthorized"])
                || f.says(&["sign in again", "log in again", "refresh token was"]))
    }),
    rule("unknown_model", Class::BadModel, |f| {
        f.failed()
            && (f.is(404)
                || f.says(&[
                    "model_not_found",
                    "model does not exist",
                    "model is not supported",
                ]))
    }),
    rule("server_error", Class::Overloaded, |f| {
        f.failed()
            && (f.cause(&["internal_server_error"])
                || f.status.is_some_and(|status| status >= 500)
                || f.says(&["experiencing high demand"]))
    }),
    rule(BAD_REQUEST, Class::Failed, |f| {
        f.failed() && (f.is(400) || f.cause(&["bad_request"]) || f.says(&["invalid_request_error"]))
    }),
    // "error sending request" is of one that never came to an answer.
    rule(BROKEN_ANSWER, Class::Network, |f| {
        f.failed()
            && f.says(&["stream disconnected", "idle timeout waiting"])
            && !f.says(&["error sending request"])
    }),
    rule("network", Class::Network, |f| {
        f.failed()
            && (f.cause(&[
                "http_connection_failed",
                "response_stream_connection_failed",
            ]) || f.cause(&["response_stream_disconnected"])
                || f.says(&[
                    "stream disconnected",
                    "connection failed",
                    "error sending request",
                ])
                || f.says(&["waiting for network"]))
    }),
    rule("interrupted", Class::Broken, |f| {
        f.finished.is_none() && f.cause(&["turn_aborted"])
    }),
];
