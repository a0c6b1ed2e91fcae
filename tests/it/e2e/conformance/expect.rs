//! What every program must come to in every scenario. Where programs differ, the comment says
//! what of theirs makes the difference.

use crate::conformance::{Program, Scenario};

/// Seconds to the reset of the walls: longer than the commands that look at the wall take.
pub(super) const RESET_IN: u64 = 40;
/// Seconds that a 429 asks for.
pub(super) const RETRY_AFTER: u64 = 3;

/// What the provider's tank must show after the first command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tank {
    /// Open, and so full in percent as the server has said; none where the program does not tell.
    Open(Option<u32>),
    /// Closed until the reset that the server stated, and a little.
    ClosedUntilReset,
    /// Closed until the day of the provider is over, where only that is known.
    ClosedForTheDay,
    /// Closed for a first wait of ours: no reset was stated.
    ClosedForAWhile,
    /// The circuit is open: three errors in a row that may pass.
    Paused,
    /// Out of use until a person acts.
    Disabled,
}

/// What the ledger must have, compared to what the upstream has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    /// The same, in all four kinds.
    Equal,
    /// The estimate of every attempt: the program does not know, so it is not less than if every
    /// broken answer had been a whole one.
    Estimate,
}

/// What happens with the bead when the way is clear again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It is done already.
    Done,
    /// It has failed: a person decides.
    Failed,
    /// rigs waits until the stated reset in real time, and completes it.
    Waits,
    /// The same with rigs' clock set to just before, and to just after.
    Later,
    /// The provider is mended in the configuration, and it is completed.
    Mended,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Expect {
    /// What the server does, as knobs; the tag is added.
    pub(super) knobs: &'static str,
    /// Class of every attempt of the first command, and how many.
    pub(super) class: &'static str,
    pub(super) attempts: usize,
    /// Exit status of the first command, and what it leaves the bead as.
    pub(super) exit: i32,
    pub(super) bead: &'static str,
    pub(super) tank: Tank,
    pub(super) charge: Charge,
    pub(super) then: Then,
    /// Most model calls that the first command may make.
    pub(super) calls: u64,
}

impl Expect {
    const fn done(knobs: &'static str, tank: Tank) -> Self {
        Self {
            knobs,
            class: "done",
            attempts: 1,
            exit: 0,
            bead: "completed",
            tank,
            charge: Charge::Equal,
            then: Then::Done,
            calls: 1,
        }
    }

    const fn walled(knobs: &'static str, class: &'static str, tank: Tank, then: Then) -> Self {
        Self {
            knobs,
            class,
            attempts: 1,
            exit: 75,
            bead: "deferred",
            tank,
            charge: Charge::Equal,
            then,
            calls: 1,
        }
    }

    /// Three times the same fault: the circuit opens.
    const fn paused(knobs: &'static str, class: &'static str) -> Self {
        Self {
            attempts: 3,
            ..Self::walled(knobs, class, Tank::Paused, Then::Later)
        }
    }

    const fn disabled(knobs: &'static str, class: &'static str) -> Self {
        Self {
            exit: 7,
            bead: "queued",
            ..Self::walled(knobs, class, Tank::Disabled, Then::Mended)
        }
    }

    /// Three times silent: the circuit opens, and this bead is not tried a fourth time.
    const fn silent(knobs: &'static str) -> Self {
        Self {
            exit: 1,
            bead: "failed",
            charge: Charge::Estimate,
            then: Then::Failed,
            calls: 3,
            ..Self::paused(knobs, "silent")
        }
    }

    const fn calls(self, calls: u64) -> Self {
        Self { calls, ..self }
    }

    const fn charge(self, charge: Charge) -> Self {
        Self { charge, ..self }
    }
}

pub(super) const LIMIT: &str = "429limit,reset_in=40,fail_n=1";
pub(super) const MID_RUN: &str = "tool,after_n=1,after=429limit,reset_in=40,cmd=echo%20seen";
const RATE: &str = "429,retry_after=3,sub=0";
const RATE_WITHOUT: &str = "429,retry_after=none,sub=0";

pub(super) fn expect(program: Program, scenario: Scenario) -> Expect {
    use Program::{Claude, Codex, Gemini, Opencode};
    // Only these two programs pass on how full the windows are.
    let open = |percent| Tank::Open(matches!(program, Claude | Codex).then_some(percent));
    match scenario {
        Scenario::Ok => Expect::done("ok", open(42)),
        Scenario::Warning => Expect::done("warn", open(91)),
        Scenario::Limit => match program {
            Claude | Codex => Expect::walled(LIMIT, "limit", Tank::ClosedUntilReset, Then::Waits),
            // It would wait for the reset by itself, for days, and says that it waits but not
            // until when: it is ended, and half an hour later asked again.
            Opencode => Expect::walled(LIMIT, "limit", Tank::ClosedForAWhile, Then::Later),
            // It says that the day's quota is used up, and not until when.
            Gemini => Expect::walled(LIMIT, "limit", Tank::ClosedForTheDay, Then::Later),
        },
        Scenario::RetryAfter | Scenario::NoRetryAfter => {
            let knobs = if scenario == Scenario::RetryAfter {
                RATE
            } else {
                RATE_WITHOUT
            };
            // Their own retries are bounded, and heed the header.
            let calls = match program {
                Codex => 9,
                Opencode => 6,
                Claude | Gemini => 4,
            };
            Expect::walled(knobs, "rate_limited", Tank::ClosedForAWhile, Then::Later).calls(calls)
        }
        Scenario::Overloaded => {
            let calls = match program {
                Codex => 27,
                Opencode => 18,
                Claude | Gemini => 12,
            };
            Expect::paused("529", "overloaded").calls(calls)
        }
        Scenario::NoCredit => match program {
            Claude | Codex | Opencode => Expect::disabled("quota", "out_of_credit").calls(9),
            // Google has no other words for an account without credit than for a used-up day.
            Gemini => Expect::walled("quota", "limit", Tank::ClosedForTheDay, Then::Later),
        },
        Scenario::BadKey => match program {
            Claude | Codex | Opencode => Expect::disabled("401", "auth").calls(9),
            // Google's answer to a key that it does not know is 400.
            Gemini => Expect::disabled("400", "auth"),
        },
        Scenario::WrongModel => Expect::disabled("404", "bad_model").calls(9),
        Scenario::Hang => Expect::silent("hang"),
        Scenario::HangInStream => Expect::silent("hangstream"),
        // What was answered is paid for, and nobody says how much it was.
        Scenario::Malformed => Expect::paused("malformed", "network")
            .calls(27)
            .charge(Charge::Estimate),
        Scenario::Truncated => match program {
            // It asks a last time without a stream, and has its answer.
            Claude => Expect::done("truncate", open(42)).calls(4),
            // Every event of Google's tells the usage, and the program passes it on.
            Gemini => Expect::paused("truncate", "network").calls(27),
            Codex | Opencode => Expect::paused("truncate", "network")
                .calls(27)
                .charge(Charge::Estimate),
        },
        Scenario::LimitInMidRun => match program {
            Claude | Codex => {
                Expect::walled(MID_RUN, "limit", Tank::ClosedUntilReset, Then::Waits).calls(2)
            }
            Opencode => {
                Expect::walled(MID_RUN, "limit", Tank::ClosedForAWhile, Then::Later).calls(2)
            }
            Gemini => Expect::walled(MID_RUN, "limit", Tank::ClosedForTheDay, Then::Later).calls(2),
        },
    }
}
