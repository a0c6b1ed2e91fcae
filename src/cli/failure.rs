//! What goes wrong, for the person or script that asked: a kind with its exit code, what
//! happened, why, and what to do next. Only the `From` impls here attach hints.

use std::error::Error;

use crate::config::problem::Problem;
use crate::config::{ConfigError, HomeError};
use crate::core::IllegalTransition;
use crate::core::id::BadId;
use crate::core::provider_name::BadProviderName;
use crate::core::redact::redact;
use crate::core::text::one_line;
use crate::core::words::{UnknownWord, word_enum};
use crate::db::DbError;
use crate::depot::DepotError;
use crate::git::GitError;
use crate::policy::live::PolicyError;

word_enum! {
    /// What an exit code other than 0 means.
    pub(crate) enum Kind as "kind of failure" {
        /// The operation ran and failed.
        Failed = "failed",
        Usage = "usage",
        /// No such bead, convoy, provider.
        NotFound = "not_found",
        /// Not possible in this state.
        NotPossible = "not_possible",
        Config = "config",
        /// The store is unavailable, corrupt, newer than this binary, or the disk is full.
        Store = "store",
        /// No provider or model can be used.
        NoProvider = "no_provider",
        /// Nothing failed: work waits for capacity.
        Waiting = "waiting",
        Interrupted = "interrupted",
        Terminated = "terminated",
        /// Nobody reads our output any more: no failure at all.
        PipeClosed = "pipe_closed",
    }
}

impl Kind {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotPossible => 4,
            Self::Config => 5,
            Self::Store => 6,
            Self::NoProvider => 7,
            Self::Waiting => 75,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::PipeClosed => 0,
        }
    }
}

/// How a command that gave its answer ended. A goal with a failed bead has an answer, and still
/// does not exit 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    But(Kind),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::But(kind) => kind.code(),
        }
    }
}

/// Why a command gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// What the message comes from, outermost first.
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// The message and causes of an error.
    pub(crate) fn from_error(kind: Kind, error: &dyn Error) -> Self {
        let mut failure = Self::new(kind, error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors repeat their source in their own text.
            let last = failure.causes.last().unwrap_or(&failure.message);
            if !last.contains(&text) {
                failure.causes.push(text);
            }
            cause = error.source();
        }
        failure
    }

    pub(crate) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hints.push(hint.as_ref().to_owned());
        self
    }

    /// Without what looks like a key: some texts come from programs and servers.
    pub(crate) fn redacted(&self) -> Self {
        let all = |texts: &[String]| texts.iter().map(|text| redact(text)).collect();
        Self {
            kind: self.kind,
            message: redact(&self.message),
            causes: all(&self.causes),
            hints: all(&self.hints),
        }
    }

    /// The document that `--json` prints on stderr.
    pub(crate) fn json(&self) -> String {
        #[derive(serde::Serialize)]
        struct Document<'a> {
            error: &'a Failure,
        }
        // Four fields of text always have a JSON form.
        serde_json::to_string(&Document { error: self }).unwrap_or_default()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid(problems) => {
                if let [problem] = &problems[..] {
                    let failure = Self::new(Kind::Config, problem.to_string());
                    return problem.hint.iter().fold(failure, Self::hint);
                }
                let lines: Vec<String> = problems.iter().map(line).collect();
                Self::new(Kind::Config, lines.join("\n"))
            }
            ConfigError::Unreadable { .. } => Self::from_error(Kind::Config, &error)
                .hint("`rigs config path` says where the file is expected"),
            ConfigError::Home(error) => error.into(),
        }
    }
}

impl From<PolicyError> for Failure {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Invalid(problems) => ConfigError::Invalid(problems).into(),
            PolicyError::Unreadable { .. } => Self::from_error(Kind::Config, &error)
                .hint("`general.policy_file` names the file; `rigs policy check` reads it"),
        }
    }
}

/// A problem among several: its hint stays beside it.
fn line(problem: &Problem) -> String {
    match &problem.hint {
        Some(hint) => format!("{problem} ({hint})"),
        None => problem.to_string(),
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let hint = match &error {
            HomeError::Unknown | HomeError::NoCurrentDir => "give --home DIR or set RIGS_HOME",
            HomeError::Symlink { .. } => "give the folder that the link leads to",
            HomeError::NotADir { .. } | HomeError::NotOurs { .. } => {
                "choose another folder with --home DIR or RIGS_HOME"
            }
            HomeError::Open { .. } => "its files say which programs run: `chmod go-w` it",
            HomeError::Io { .. } => "make the folder writable, or choose another with --home DIR",
        };
        Self::from_error(Kind::Store, &error).hint(hint)
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        let hint = match &error {
            DbError::Newer { .. } => "install the newer rigs again; this store stays as it is",
            DbError::Foreign { .. } => "choose another folder with --home DIR or RIGS_HOME",
            DbError::Corrupt { .. } => {
                "`rigs db backup` made copies, if you did: put one in its place; with an empty store, repositories and branches are untouched"
            }
            DbError::ReadOnly { .. } => "check the owner and mode of the file and of its folder",
            DbError::Full(_) => {
                "free some space, then run it again: nothing that was stored is lost"
            }
            DbError::Busy(_) => "try again; `rigs status` names the foreman that is running",
            DbError::Open { .. } => {
                "check the folder with `ls -la`, or choose another with --home DIR"
            }
            DbError::Migrate(_) | DbError::Sqlx(_) => {
                "run again with -vv for details; the store is unchanged"
            }
        };
        Self::from_error(Kind::Store, &error).hint(hint)
    }
}

impl From<DepotError> for Failure {
    fn from(error: DepotError) -> Self {
        let (kind, hint) = match error {
            DepotError::Db(error) => return error.into(),
            DepotError::NoBead(_) => (Kind::NotFound, "`rigs bead list` shows the ids"),
            DepotError::NoConvoy(_) => (Kind::NotFound, "`rigs convoy list` shows the ids"),
            DepotError::Illegal { .. } | DepotError::Fenced { .. } => (
                Kind::NotPossible,
                "`rigs bead show ID` says where it stands",
            ),
            DepotError::LostRace { .. } => (
                Kind::NotPossible,
                "try again: something else changed it just now",
            ),
            DepotError::Busy { .. } => (
                Kind::NotPossible,
                "wait until it has ended, or `rigs bead cancel` it first; what is completed stays as it is",
            ),
            DepotError::Archived(_) => (
                Kind::NotPossible,
                "`rigs bead show` still tells of it; create a new bead for more work",
            ),
            DepotError::Cycle { .. } => (
                Kind::NotPossible,
                "leave out one of these dependencies: nothing could start",
            ),
            DepotError::ConvoyOver { .. } => (
                Kind::NotPossible,
                "create a new convoy with `rigs convoy create`",
            ),
            DepotError::NotNeeded { .. } => (
                Kind::NotPossible,
                "`rigs bead retry` that one: its task is done again on top of what is merged",
            ),
            DepotError::Taken => (Kind::NotPossible, "what is stored already is left as it is"),
            DepotError::InConvoy { .. } => (Kind::NotPossible, "a bead has one convoy for good"),
        };
        Self::from_error(kind, &error).hint(hint)
    }
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        let (kind, hint) = match &error {
            GitError::NoRepository { .. } => (
                Kind::NotPossible,
                "`git init` makes it one; --no-repo is for text work",
            ),
            GitError::Gone { .. } => (
                Kind::NotPossible,
                "move it back, or cancel what works on it with `rigs convoy cancel`",
            ),
            GitError::BadName { .. } => (Kind::Usage, "give it a plain name"),
            GitError::Bare { .. } => (Kind::NotPossible, "give a folder with a checkout as --repo"),
            GitError::Unborn { .. } => (
                Kind::NotPossible,
                "make a first commit: `git commit --allow-empty -m \"start\"`",
            ),
            GitError::Detached { .. } => (
                Kind::NotPossible,
                "`git switch` to the branch that the work should start from",
            ),
            GitError::TooOld => (
                Kind::NotPossible,
                "install a newer git, or put it first in PATH",
            ),
            GitError::NotUsable { .. } => (Kind::NotPossible, "`git status` there says more"),
            GitError::CheckedOut { .. } | GitError::NotMerged { .. } | GitError::Moved { .. } => (
                Kind::NotPossible,
                "`git log --all --oneline` shows where the branches are",
            ),
            GitError::NotOurs { .. } | GitError::Embedded { .. } => (
                Kind::NotPossible,
                "look at it, and move it away if it is not needed",
            ),
            GitError::Killed { .. } => (Kind::Failed, "run it again; `free -m` shows the memory"),
            GitError::Failed { .. }
            | GitError::TimedOut { .. }
            | GitError::TooMuch { .. }
            | GitError::Process(_)
            | GitError::Io(_) => (Kind::Failed, "run again with -vv to see the git commands"),
        };
        Self::from_error(kind, &error).hint(hint)
    }
}

impl From<IllegalTransition> for Failure {
    fn from(error: IllegalTransition) -> Self {
        Self::from_error(Kind::NotPossible, &error)
    }
}

impl From<BadId> for Failure {
    fn from(error: BadId) -> Self {
        Self::from_error(Kind::Usage, &error).hint("`rigs bead list` shows the ids")
    }
}

impl From<BadProviderName> for Failure {
    fn from(error: BadProviderName) -> Self {
        Self::from_error(Kind::Usage, &error).hint("`rigs provider list` shows the names")
    }
}

impl From<UnknownWord> for Failure {
    fn from(error: UnknownWord) -> Self {
        Self::from_error(Kind::Usage, &error)
    }
}

/// Writing an answer failed.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::new(Kind::PipeClosed, "nobody reads the output any more")
        } else {
            Self::new(Kind::Failed, "the output cannot be written")
                .caused_by(&one_line(&error.to_string(), 200))
        }
    }
}

impl Failure {
    fn caused_by(mut self, cause: &str) -> Self {
        self.causes.push(cause.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_exit_code_that_scripts_rely_on() {
        let codes: Vec<(&str, u8)> = Kind::ALL.iter().map(|k| (k.as_str(), k.code())).collect();
        assert_eq!(
            codes,
            [
                ("failed", 1),
                ("usage", 2),
                ("not_found", 3),
                ("not_possible", 4),
                ("config", 5),
                ("store", 6),
                ("no_provider", 7),
                ("waiting", 75),
                ("interrupted", 130),
                ("terminated", 143),
                ("pipe_closed", 0),
            ]
        );
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let failure = Failure::from_error(Kind::Failed, &Outer(std::io::Error::other("inner")));
        assert_eq!(failure.causes, ["inner"]);
    }
}
