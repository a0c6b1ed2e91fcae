//! What a run tells while it goes on, and how it ended, in words that are the same for every kind.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::words::word_enum;
use crate::core::{LimitKind, LimitUnit, Timestamp, Usage};

/// One thing that a line of a provider's output says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Signal {
    /// The provider's own id of the session, needed to resume it.
    Session(String),
    /// The model that works.
    Model(String),
    /// Words of the agent for a person to see.
    Text(String),
    /// The agent uses a tool: its name and a short detail.
    Tool { name: String, detail: String },
    /// What this run has used since it started, all of it; replaces earlier figures.
    UsageSoFar(Usage),
    /// A window of the tank as the provider reports it.
    Window(Observation),
    /// The provider's program is waiting before it tries again by itself.
    Retrying {
        class: Class,
        delay: Duration,
        message: String,
    },
    /// The program will come to no end of its own that is worth waiting for; the run is ended.
    Hopeless,
    /// The terminal event of the program; `text` is the answer.
    Result { ok: bool, text: String },
}

/// Whether a limit is for the whole account or one model of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    Account,
    Model(String),
}

word_enum! {
    /// What the provider says about a window.
    pub(crate) enum WindowStatus as "window status" {
        Allowed = "allowed",
        Warning = "warning",
        Rejected = "rejected",
    }
}

/// A window as a provider reported it. Fields that were not said are `None`, never a guess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Observation {
    /// The limit's own name at the provider: `five_hour`, `seven_day`, `primary`, `requests`.
    pub(crate) limit_id: String,
    pub(crate) scope: Scope,
    /// The window's length where it is known.
    pub(crate) duration: Option<Duration>,
    pub(crate) status: Option<WindowStatus>,
    /// Share used, 0 to 1 and above.
    pub(crate) used_fraction: Option<f64>,
    pub(crate) limit_amount: Option<u64>,
    pub(crate) remaining_amount: Option<u64>,
    pub(crate) resets_at: Option<Timestamp>,
    pub(crate) observed_at: Timestamp,
    /// Where it was read: `event`, `header`, `rollout`, `body`, `text`.
    pub(crate) source: String,
    /// How the window moves and what it counts, where that is known. Else a window of which only
    /// a share is said is taken for `percent`, one with amounts for `anchored`.
    #[serde(default)]
    pub(crate) kind: Option<LimitKind>,
    #[serde(default)]
    pub(crate) unit: Option<LimitUnit>,
}

impl Observation {
    /// Of the account, with nothing said yet.
    pub(crate) fn new(limit_id: &str, source: &str, observed_at: Timestamp) -> Self {
        Self {
            limit_id: limit_id.to_owned(),
            scope: Scope::Account,
            duration: None,
            status: None,
            used_fraction: None,
            limit_amount: None,
            remaining_amount: None,
            resets_at: None,
            observed_at,
            source: source.to_owned(),
            kind: None,
            unit: None,
        }
    }
}

word_enum! {
    /// How a run ended, or what an error is. What follows from each is decided in one place.
    pub(crate) enum Class as "outcome class" {
        /// Finished with a result.
        Done = "done",
        /// A subscription or plan limit: wait for its reset.
        Limit = "limit",
        /// Too many requests or tokens for the moment: wait shortly.
        RateLimited = "rate_limited",
        /// The provider has no capacity; not our limit.
        Overloaded = "overloaded",
        /// Credit or spend limit is used up: a person must act.
        OutOfCredit = "out_of_credit",
        /// The login or key is not accepted: a person must act.
        Auth = "auth",
        /// The named model does not exist or may not be used: a person must act.
        BadModel = "bad_model",
        /// The conversation no longer fits; its session must not be resumed.
        ContextTooLong = "context_too_long",
        Network = "network",
        /// No output for too long.
        Silent = "silent",
        /// The whole run took too long.
        TimedOut = "timed_out",
        /// Used more than its envelope allows.
        Runaway = "runaway",
        /// Ended by rigs: shutdown or cancel.
        Stopped = "stopped",
        /// The program could not be started.
        NotStarted = "not_started",
        /// The program ended without its terminal event, or with output nobody understands.
        Broken = "broken",
        /// The agent itself reported that it failed.
        Failed = "failed",
    }
}

impl Class {
    /// Whether a run that ends so has had its requests refused, or reached nobody. After any
    /// other end, no word of usage means that nobody knows.
    fn is_refusal(self) -> bool {
        match self {
            Self::Limit
            | Self::RateLimited
            | Self::Overloaded
            | Self::OutOfCredit
            | Self::Auth
            | Self::BadModel
            | Self::ContextTooLong
            | Self::Network
            | Self::NotStarted
            | Self::Failed => true,
            Self::Done
            | Self::Silent
            | Self::TimedOut
            | Self::Runaway
            | Self::Stopped
            | Self::Broken => false,
        }
    }
}

impl Scope {
    /// Whether a limit of this scope stands in the way of `model`, which the provider may name in
    /// full (`claude-opus-5-5`) where the scope holds the family (`opus`). A provider left to
    /// choose its own model may choose that one.
    pub(crate) fn covers(&self, model: Option<&str>) -> bool {
        match (self, model) {
            (Self::Account, _) | (Self::Model(_), None) => true,
            (Self::Model(scope), Some(model)) => {
                let (scope, model) = (scope.to_lowercase(), model.to_lowercase());
                model.contains(&scope) || scope.contains(&model)
            }
        }
    }
}

/// How a run ended, with the rule that said so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) class: Class,
    /// The name of the row of the kind's classification table, for events and tests.
    pub(crate) rule: &'static str,
    /// One line for a person; cleaned and redacted.
    pub(crate) message: String,
    /// When the wall falls, if the provider said so.
    pub(crate) resets_at: Option<Timestamp>,
    /// The windows that closed, where named.
    pub(crate) scope: Scope,
}

/// The session that was to be resumed is not there any more.
pub(crate) const SESSION_UNKNOWN: &str = "session_unknown";
/// The provider refuses the conversation as it is; sending it again cannot help.
pub(crate) const BAD_REQUEST: &str = "bad_request";
/// The server had begun to answer, and its answer broke off or made no sense.
pub(crate) const BROKEN_ANSWER: &str = "broken_answer";
/// It did not understand what the server answered, and asked again without end.
pub(crate) const ENDLESS_ANSWERS: &str = "answers_without_end";
/// It was ended while it waited to try again after an error of the way to the server.
pub(crate) const STUCK_ON_NETWORK: &str = "stuck_on_network";

impl Outcome {
    /// Whether a run that ended so and reported no usage has used nothing. An answer that was
    /// begun is paid for, however it broke.
    pub(crate) fn used_nothing(&self) -> bool {
        // Without its session the program does not ask anybody.
        self.rule == SESSION_UNKNOWN
            || self.class.is_refusal()
                && ![BROKEN_ANSWER, ENDLESS_ANSWERS, STUCK_ON_NETWORK].contains(&self.rule)
    }

    /// Whether the session may be resumed. A conversation that is gone, full or refused as it
    /// stands is never sent again: a new one takes the work over.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the foreman asks the stored class instead")
    )]
    pub(crate) fn may_resume(&self) -> bool {
        self.class != Class::ContextTooLong && ![SESSION_UNKNOWN, BAD_REQUEST].contains(&self.rule)
    }
}
