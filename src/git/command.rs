//! One call of the `git` program, with everything off that a repository could make it run.
//!
//! Settings are given by `GIT_CONFIG_COUNT` and its pairs, which git ranks above every file,
//! and in which a driver's name may hold any character.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::user::COMMITTER;
use super::{Git, GitError};
use crate::core::{Clock, redact, text};
use crate::process::{Exit, Limits, Spec, Stdin, run_tidy};

/// For what only asks; and for what writes a whole tree of a large repository.
const QUICK: Duration = Duration::from_mins(2);
const SLOW: Duration = Duration::from_mins(15);

/// Most output that is read, of calls whose output must be whole.
const OUTPUT: usize = 64 << 20;

/// What every call is told. No hook, monitor, helper, editor, pager, signature, transport,
/// submodule, housekeeping or translation.
const SETTINGS: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.sshCommand", "false"),
    ("core.askPass", ""),
    ("core.alternateRefsCommand", ""),
    ("core.editor", "false"),
    ("core.pager", "cat"),
    // What the store says is done must outlive a power cut.
    ("core.fsync", "objects,reference"),
    ("core.fsyncMethod", "batch"),
    ("core.quotePath", "false"),
    ("core.safecrlf", "false"),
    ("credential.helper", ""),
    ("protocol.allow", "never"),
    ("protocol.ext.allow", "never"),
    ("protocol.file.allow", "never"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("add.ignoreErrors", "false"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("log.showSignature", "false"),
    ("merge.verifySignatures", "false"),
    ("merge.autoStash", "false"),
    ("rerere.enabled", "false"),
    ("submodule.recurse", "false"),
    ("diff.ignoreSubmodules", "all"),
    ("status.submoduleSummary", "false"),
    ("worktree.useRelativePaths", "false"),
    ("worktree.guessRemote", "false"),
    ("i18n.commitEncoding", "UTF-8"),
    ("i18n.logOutputEncoding", "UTF-8"),
    ("color.ui", "false"),
];

const VARIABLES: &[(&str, &str)] = &[
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "false"),
    ("SSH_ASKPASS", "false"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    // Neither replaced objects nor grafts: they make git tell of other parents than there are.
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", "false"),
    ("GIT_SEQUENCE_EDITOR", "false"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    ("GIT_AUTHOR_NAME", COMMITTER.0),
    ("GIT_AUTHOR_EMAIL", COMMITTER.1),
    ("GIT_COMMITTER_NAME", COMMITTER.0),
    ("GIT_COMMITTER_EMAIL", COMMITTER.1),
    ("LC_ALL", "C"),
];

/// Commands that read neither files nor the index and write no ref, so that no driver or hook
/// has a place in them. Every other one looks up the drivers of the repository first: even
/// `write-tree` runs filters, on files that changed within the second.
const HARMLESS: &[&str] = &[
    "config",
    "rev-parse",
    "symbolic-ref",
    "for-each-ref",
    "merge-base",
    "commit-tree",
    "check-attr",
    "log",
];

/// The configuration of the system and the user, off.
const NO_FILES: &[(&str, &str)] = &[
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
];

/// Where git works.
#[derive(Debug, Clone)]
pub(super) struct Place {
    folder: PathBuf,
    /// Said outright, so that no `.git` in the folder can lead elsewhere.
    git_dir: Option<PathBuf>,
    /// Settings that belong to the place: what of the user's configuration is carried over.
    settings: Vec<(String, String)>,
    /// What puts the drivers of the repository out of force, looked up at the first call that
    /// may meet one. A place lives for one operation, in which nobody else works there.
    drivers: OnceCell<Vec<(String, String)>>,
}

impl Place {
    /// A folder in which git itself looks for a repository.
    pub(super) fn folder(folder: &Path, settings: Vec<(String, String)>) -> Self {
        Self {
            folder: folder.into(),
            git_dir: None,
            settings,
            drivers: OnceCell::new(),
        }
    }

    pub(super) fn tree(root: &Path, git_dir: &Path, settings: Vec<(String, String)>) -> Self {
        Self {
            folder: root.into(),
            git_dir: Some(git_dir.into()),
            settings,
            drivers: OnceCell::new(),
        }
    }
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) exit: Exit,
    pub(super) stdout: String,
    pub(super) stderr: String,
    command: String,
}

impl Done {
    /// The line of stderr that says most.
    pub(super) fn reason(&self) -> String {
        let lines = || self.stderr.lines().filter(|line| !line.trim().is_empty());
        let telling = lines()
            .find(|line| line.starts_with("fatal:") || line.starts_with("error:"))
            .or_else(|| lines().next());
        match telling {
            Some(line) => text::one_line(&redact::redact(line), 300),
            None => format!("exit code {}", self.exit.code()),
        }
    }

    /// It did not end by itself, or a git that it had started did not.
    pub(super) fn was_killed(&self) -> bool {
        matches!(self.exit, Exit::Signal(_)) || self.stderr.contains("died of signal")
    }

    /// It read the folder of a worktree in the moment between its making and its writing. Git
    /// does so before it does anything.
    fn met_half_written(&self) -> bool {
        let told = |line: &str| line.contains("failed to read") && line.contains("/commondir:");
        !self.exit.success() && self.stderr.lines().any(told)
    }

    pub(super) fn failed(&self) -> GitError {
        if self.was_killed() {
            let command = self.command.clone();
            return GitError::Killed { command };
        }
        GitError::Failed {
            command: self.command.clone(),
            stderr: self.reason(),
        }
    }
}

/// A call being put together.
#[derive(Debug, Clone)]
#[must_use]
pub(super) struct Call<'a> {
    git: &'a Git,
    place: &'a Place,
    args: Vec<OsString>,
    stdin: Vec<u8>,
    variables: Vec<(&'static str, String)>,
    settings: Vec<(String, String)>,
    user_files: bool,
    slow: bool,
    output: usize,
    may_be_cut: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(git: &'a Git, place: &'a Place, args: &[&str]) -> Self {
        Self {
            git,
            place,
            args: args.iter().map(OsString::from).collect(),
            stdin: Vec::new(),
            variables: Vec::new(),
            settings: Vec::new(),
            user_files: false,
            slow: false,
            output: OUTPUT,
            may_be_cut: false,
        }
    }

    pub(super) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub(super) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(super) fn setting(mut self, key: impl Into<String>, value: &str) -> Self {
        self.settings.push((key.into(), value.to_owned()));
        self
    }

    /// Reads the user's and the system's configuration too; for `git config` only.
    pub(super) fn with_user_files(mut self) -> Self {
        self.user_files = true;
        self
    }

    /// May read or write all files of a large repository.
    pub(super) fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    /// Keeps at most that much output: its head and its tail.
    pub(super) fn at_most(mut self, bytes: usize) -> Self {
        self.output = bytes;
        self.may_be_cut = true;
        self
    }

    /// Output of a call that must succeed.
    pub(super) async fn text(self) -> Result<String, GitError> {
        let done = self.run().await?;
        if done.exit.success() {
            Ok(done.stdout)
        } else {
            Err(done.failed())
        }
    }

    pub(super) async fn run(mut self) -> Result<Done, GitError> {
        if !HARMLESS.iter().any(|command| self.args[0] == *command) {
            let off = self.place.drivers.get_or_try_init(|| self.drivers());
            let off = off.await?.clone();
            self.settings.extend(off);
        }
        // While another worktree is being added, git finds it half written, and gives up.
        for wait in [20, 50, 100, 200, 400, 800] {
            let done = self.clone().execute().await?;
            if !done.met_half_written() {
                return Ok(done);
            }
            Clock::system().sleep(Duration::from_millis(wait)).await;
        }
        self.execute().await
    }

    async fn drivers(&self) -> Result<Vec<(String, String)>, GitError> {
        let args = ["config", "--null", "--name-only", "--list"];
        let names = Call::new(self.git, self.place, &args).execute().await?;
        if names.exit.success() {
            Ok(without_drivers(&names.stdout))
        } else {
            Err(names.failed())
        }
    }

    async fn execute(self) -> Result<Done, GitError> {
        let command = format!("git {}", self.args[0].to_string_lossy());
        let limits = Limits {
            time: if self.slow { SLOW } else { QUICK },
            output: self.output,
        };
        let may_be_cut = self.may_be_cut;
        // Git works on real files in real time; and it is never stopped half-way, because what
        // it does is short and saves work.
        let never = CancellationToken::new();
        tracing::debug!(args = ?self.args, folder = %self.place.folder.display(), "git");
        let (spec, clock) = (self.spec(), Clock::system());
        let output = Box::pin(run_tidy(&spec, limits, &clock, &never)).await?;
        if output.timed_out {
            return Err(GitError::TimedOut { command });
        }
        if output.cut && !may_be_cut {
            return Err(GitError::TooMuch { command });
        }
        Ok(Done {
            exit: output.exit,
            stdout: output.stdout,
            stderr: output.stderr,
            command,
        })
    }

    fn spec(self) -> Spec {
        let mut env = (*self.git.env).clone();
        let files: &[_] = if self.user_files { &[] } else { NO_FILES };
        for (name, value) in VARIABLES.iter().chain(files) {
            env.insert((*name).into(), (*value).into());
        }
        for (name, value) in self.variables {
            env.insert(name.into(), value.into());
        }
        if let Some(git_dir) = &self.place.git_dir {
            env.insert("GIT_DIR".into(), git_dir.into());
            env.insert("GIT_WORK_TREE".into(), self.place.folder.clone().into());
        }
        // The place's come first: of two values the last one counts.
        let fixed = SETTINGS
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let settings = self
            .place
            .settings
            .iter()
            .cloned()
            .chain(fixed)
            .chain(self.settings);
        let mut count = 0_usize;
        for (key, value) in settings {
            env.insert(format!("GIT_CONFIG_KEY_{count}"), key.into());
            env.insert(format!("GIT_CONFIG_VALUE_{count}"), value.into());
            count += 1;
        }
        env.insert("GIT_CONFIG_COUNT".into(), count.to_string().into());
        Spec {
            program: self.git.program.to_path_buf(),
            args: self.args,
            env,
            cwd: self.place.folder.clone(),
            stdin: Stdin::Bytes(self.stdin),
        }
    }
}

/// Settings that put every driver out of force that `names` (of `git config --list`) defines:
/// filters pass content through, merge drivers are git's own text merge, hooks that newer
/// versions take from the configuration are off. Diff drivers are off by `diff`'s own flags.
pub(super) fn without_drivers(names: &str) -> Vec<(String, String)> {
    let drivers = |section: &str| -> BTreeSet<String> {
        names
            .split('\0')
            .filter_map(|name| name.strip_prefix(section)?.strip_prefix('.'))
            .filter_map(|name| Some(name.rsplit_once('.')?.0.to_owned()))
            .collect()
    };
    let mut off = Vec::new();
    for name in drivers("filter") {
        for variable in ["clean", "smudge", "process"] {
            off.push((format!("filter.{name}.{variable}"), String::new()));
        }
        off.push((format!("filter.{name}.required"), "false".into()));
    }
    for name in drivers("merge") {
        let text_merge = "git merge-file --marker-size=%L %A %O %B";
        off.push((format!("merge.{name}.driver"), text_merge.into()));
    }
    for name in drivers("hook") {
        off.push((format!("hook.{name}.enabled"), "false".into()));
    }
    off
}
