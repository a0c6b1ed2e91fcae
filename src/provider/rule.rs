//! How an ending becomes a class: facts, and an ordered table of named rules. The first rule
//! that applies decides, and its name goes into the event, so that every decision can be found
//! again in its table.

use super::reader::{Ending, StopReason};
use super::signal::{Class, STUCK_ON_NETWORK};
use crate::process::Exit;

/// One row of a table.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) class: Class,
    pub(super) when: fn(&Facts) -> bool,
}

/// A row; short, because the tables are read as tables.
pub(super) const fn rule(name: &'static str, class: Class, when: fn(&Facts) -> bool) -> Rule {
    Rule { name, class, when }
}

/// What is known of a run that has ended, in the same terms for every kind.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Facts {
    pub(super) stopped: Option<StopReason>,
    pub(super) exit: Option<Exit>,
    /// The program's terminal event came, and says whether it went well.
    pub(super) finished: Option<bool>,
    /// HTTP status of the request that failed.
    pub(super) status: Option<u16>,
    /// Machine-readable causes, as the program names them.
    pub(super) causes: Vec<String>,
    /// What the program said for people, lower case.
    pub(super) text: String,
    /// The end of its stderr, lower case.
    pub(super) stderr: String,
    /// Why the program was last waiting before it would try again.
    pub(super) waiting: Option<Class>,
    /// A window that the provider named is closed.
    pub(super) wall: bool,
}

impl Facts {
    pub(super) fn ended(end: &Ending) -> Self {
        Self {
            stopped: end.stopped,
            exit: end.exit,
            stderr: end.stderr_tail.to_lowercase(),
            ..Self::default()
        }
    }

    pub(super) fn is(&self, status: u16) -> bool {
        self.status == Some(status)
    }

    pub(super) fn cause(&self, any: &[&str]) -> bool {
        self.causes.iter().any(|c| any.contains(&c.as_str()))
    }

    pub(super) fn says(&self, any: &[&str]) -> bool {
        any.iter().any(|part| self.text.contains(part))
    }

    pub(super) fn stderr_says(&self, any: &[&str]) -> bool {
        self.finished.is_none() && any.iter().any(|part| self.stderr.contains(part))
    }

    pub(super) fn failed(&self) -> bool {
        self.finished == Some(false)
    }

    /// We ended it because nothing came any more; what it waited for is then the better reason.
    fn stuck(&self) -> bool {
        use StopReason::{Hopeless, Silent, Startup, TimedOut};
        matches!(self.stopped, Some(Hopeless | Silent | Startup | TimedOut))
    }

    fn stuck_on(&self, class: Class) -> bool {
        self.stuck() && self.waiting == Some(class)
    }

    fn killed(&self) -> bool {
        matches!(self.exit, Some(Exit::Signal(_)))
    }
}

/// The rows before those of every kind: success, and what rigs did itself.
pub(super) const OURS: &[Rule] = &[
    rule("finished", Class::Done, |f| {
        f.finished == Some(true) && (f.stopped.is_some() || f.exit.is_some_and(Exit::success))
    }),
    rule("cancelled", Class::Stopped, |f| {
        f.stopped == Some(StopReason::Cancel)
    }),
    rule("shut_down", Class::Stopped, |f| {
        f.stopped == Some(StopReason::Shutdown)
    }),
    rule("runaway", Class::Runaway, |f| {
        f.stopped == Some(StopReason::Runaway)
    }),
    rule("stuck_at_limit", Class::Limit, |f| f.stuck_on(Class::Limit)),
    rule("stuck_rate_limited", Class::RateLimited, |f| {
        f.stuck_on(Class::RateLimited)
    }),
    rule("stuck_overloaded", Class::Overloaded, |f| {
        f.stuck_on(Class::Overloaded)
    }),
    rule("stuck_out_of_credit", Class::OutOfCredit, |f| {
        f.stuck_on(Class::OutOfCredit)
    }),
    rule("stuck_at_login", Class::Auth, |f| f.stuck_on(Class::Auth)),
    rule(STUCK_ON_NETWORK, Class::Network, |f| {
        f.stuck_on(Class::Network)
    }),
    rule("silent", Class::Silent, |f| {
        matches!(f.stopped, Some(StopReason::Silent | StopReason::Hopeless))
    }),
    rule("no_first_output", Class::Silent, |f| {
        f.stopped == Some(StopReason::Startup)
    }),
    rule("timed_out", Class::TimedOut, |f| {
        f.stopped == Some(StopReason::TimedOut)
    }),
];

/// The rows after those of every kind; the last one always applies.
pub(super) const REST: &[Rule] = &[
    rule("reported_failure", Class::Failed, Facts::failed),
    rule("bad_exit_after_result", Class::Broken, |f| {
        f.finished == Some(true)
    }),
    rule("killed", Class::Broken, Facts::killed),
    rule("no_result", Class::Broken, |_| true),
];

/// The first rule of the tables that applies.
pub(super) fn first<'a>(tables: &[&'a [Rule]], facts: &Facts) -> Option<&'a Rule> {
    tables
        .iter()
        .copied()
        .flatten()
        .find(|rule| (rule.when)(facts))
}

/// The class of an error that is only a sentence so far, by the same table as endings.
pub(super) fn class_of_text(table: &[Rule], text: &str) -> Option<Class> {
    let facts = Facts {
        finished: Some(false),
        text: text.to_lowercase(),
        ..Facts::default()
    };
    first(&[table], &facts).map(|rule| rule.class)
}
