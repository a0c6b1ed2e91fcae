//! The stage of a program test: a temporary home, a cleared environment, repositories, and `rigs`
//! itself, run as a person runs it. When the stage is dropped, nothing may be left on it: no
//! process, no lease, no reservation.
//!
//! ```ignore
//! let env = TestEnv::new();
//! let repo = env.repo("project");
//! let output = env.rigs(["bead", "list"]).dir(repo.root()).run();
//! insta::assert_snapshot!(output, @"...");
//! ```

mod fake;
mod output;
mod processes;
mod repo;
mod run;
mod store;
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use fake::FakeAgent;
use output::Names;
pub(crate) use output::Output;
pub(crate) use processes::{Left, wait_until};
pub(crate) use repo::TestRepo;
pub(crate) use run::{Run, Running};

/// What the clock of the first command says.
const FIRST_COMMAND: &str = "2026-01-01T00:00:00Z";
/// How much later the next command starts. The clock goes on while a command runs: with seven
/// seconds, a slow one does not bring `n seconds ago` to the edge of another word.
const BETWEEN_COMMANDS: Duration = Duration::from_secs(7);

/// A home, a store and a few folders of one test.
///
/// Every `rigs` started here sees `PATH`, `HOME`, `TZ` (UTC), `RIGS_HOME` and these, and what
/// [`TestEnv::var`] adds:
/// - `RIGS_TEST_SEED`: the seed of ids and jitter, another one for each command;
/// - `RIGS_TEST_TIME` (RFC 3339): what the clock says when the command starts, unless the run
///   asks for [`Run::real_time`];
/// - `RIGS_TEST_ENV`: the root of this test, by which what was left behind is found.
pub(crate) struct TestEnv {
    // Last to go: `Drop` looks into it.
    root: tempfile::TempDir,
    path: RefCell<OsString>,
    vars: RefCell<BTreeMap<String, OsString>>,
    commands: Cell<u32>,
    names: RefCell<Names>,
    /// A test that kills rigs and ends there leaves its lease; it says so.
    open_store: Cell<bool>,
    /// A test that makes a fake agent complain says so.
    fakes_complain: Cell<bool>,
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("rigs-test-")
            .tempdir()
            .expect("a temporary folder");
        let env = Self {
            path: RefCell::new(OsString::new()),
            vars: RefCell::new(BTreeMap::new()),
            commands: Cell::new(0),
            names: RefCell::new(Names::new(root.path())),
            open_store: Cell::new(false),
            fakes_complain: Cell::new(false),
            root,
        };
        for dir in ["home", "bin"] {
            let dir = env.root().join(dir);
            std::fs::create_dir(&dir).expect("a folder of the test");
            // Whatever the umask: a program in a folder that anybody may write is passed over.
            make_executable(&dir);
        }
        env.write(
            "home/.gitconfig",
            "[user]\n\tname = Test Person\n\temail = person@example.invalid\n\
             [init]\n\tdefaultBranch = main\n[commit]\n\tgpgSign = false\n",
        );
        let mut path = env.root().join("bin").into_os_string();
        path.push(":");
        path.push(caller_var("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
        *env.path.borrow_mut() = path;
        env
    }

    /// The folder that holds everything of this test.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// `$HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// `$RIGS_HOME`.
    pub(crate) fn rigs_home(&self) -> PathBuf {
        self.root().join("rigs")
    }

    /// The store, whether or not it is there yet.
    pub(crate) fn store(&self) -> PathBuf {
        self.rigs_home().join("rigs.db")
    }

    /// Writes a file below the root, with its folders.
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        write_file(self.root(), path.as_ref(), text.as_ref())
    }

    /// Writes `$RIGS_HOME/config.toml`.
    pub(crate) fn config(&self, toml: &str) -> PathBuf {
        self.write("rigs/config.toml", toml)
    }

    /// Puts an executable shell script first in `PATH`.
    pub(crate) fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.write(Path::new("bin").join(name), format!("#!/bin/sh\n{script}"));
        make_executable(&path);
        path
    }

    /// From here on `PATH` has only these programs (taken from the caller's `PATH`) and those of
    /// [`TestEnv::program`]: nothing else that is installed on this machine is seen.
    pub(crate) fn only_programs(&self, names: &[&str]) {
        let callers = caller_var("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        for name in names {
            let found = std::env::split_paths(&callers)
                .map(|dir| dir.join(name))
                .find(|path| path.is_file())
                .unwrap_or_else(|| panic!("`{name}` is not in PATH; this test needs it"));
            std::os::unix::fs::symlink(found, self.root().join("bin").join(name))
                .expect("a link to a program");
        }
        *self.path.borrow_mut() = self.root().join("bin").into_os_string();
    }

    /// Puts these folders before all others in `PATH`.
    pub(crate) fn first_in_path(&self, folders: &str) {
        let mut path = OsString::from(folders);
        path.push(":");
        path.push(&*self.path.borrow());
        *self.path.borrow_mut() = path;
    }

    /// Sets a variable for every later `rigs`.
    pub(crate) fn var(&self, name: &str, value: impl Into<OsString>) {
        self.vars.borrow_mut().insert(name.to_owned(), value.into());
    }

    /// Lets `cargo` work although `HOME` is another one: a gate may build and test.
    pub(crate) fn with_cargo(&self) {
        let home = caller_var("HOME").unwrap_or_default();
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            let value =
                caller_var(name).unwrap_or_else(|| Path::new(&home).join(folder).into_os_string());
            self.var(name, value);
        }
        if let Some(toolchain) = caller_var("RUSTUP_TOOLCHAIN") {
            self.var("RUSTUP_TOOLCHAIN", toolchain);
        }
    }

    /// A repository with one commit on `main`.
    pub(crate) fn repo(&self, name: &str) -> TestRepo {
        let repo = self.empty_repo(name);
        repo.file("README.md", "# a project\n");
        repo.commit("the first commit");
        repo
    }

    /// A repository without a commit.
    pub(crate) fn empty_repo(&self, name: &str) -> TestRepo {
        TestRepo::init(self.root().join(name), &self.home())
    }

    /// A command line of `rigs`, to be run in the root unless [`Run::dir`] says otherwise.
    pub(crate) fn rigs<I>(&self, args: I) -> Run<'_>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        self.program_run(Path::new(env!("CARGO_BIN_EXE_rigs")), args)
    }

    /// Any program in the same surroundings as `rigs`.
    pub(crate) fn program_run<I>(&self, program: &Path, args: I) -> Run<'_>
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let n = self.commands.get();
        self.commands.set(n + 1);
        let mut vars = BTreeMap::from([
            ("PATH".to_owned(), self.path.borrow().clone()),
            ("TZ".to_owned(), "UTC".into()),
            ("HOME".to_owned(), self.home().into_os_string()),
            ("TZ".to_owned(), "UTC".into()),
            ("RIGS_HOME".to_owned(), self.rigs_home().into_os_string()),
            (
                "RIGS_TEST_ENV".to_owned(),
                self.root().as_os_str().to_owned(),
            ),
            ("RIGS_TEST_SEED".to_owned(), (n + 1).to_string().into()),
            ("RIGS_TEST_TIME".to_owned(), command_time(n).into()),
        ]);
        vars.extend(self.vars.borrow().clone());
        Run::new(
            self,
            program.to_owned(),
            args.into_iter().map(Into::into).collect(),
            vars,
        )
    }

    /// The same text with everything that differs from run to run replaced.
    pub(crate) fn normalise(&self, text: &str) -> String {
        self.names.borrow_mut().normalise(text)
    }

    /// Processes of this test that are alive.
    pub(crate) fn processes(&self) -> Vec<Left> {
        processes::of(self.root())
    }

    /// This test ends with a store that a killed rigs left as it was.
    pub(crate) fn leaves_the_store_open(&self) {
        self.open_store.set(true);
    }

    /// In this test a fake agent is asked for what its script does not expect.
    pub(crate) fn lets_fakes_complain(&self) {
        self.fakes_complain.set(true);
    }

    /// What is still held in the store: leases, and reservations that are not settled.
    pub(crate) fn held(&self) -> Vec<String> {
        store::held(&self.store())
    }

    /// The first column of what a query of the store gives.
    #[track_caller]
    pub(crate) fn query(&self, query: &'static str) -> Vec<String> {
        store::column(&self.store(), query)
    }

    /// Changes the store as nobody should.
    #[track_caller]
    pub(crate) fn break_store(&self, statement: &'static str) {
        store::break_with(&self.store(), statement);
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        let left = processes::wait_until_gone(|| self.processes(), Duration::from_secs(2));
        processes::end(&left);
        if std::thread::panicking() {
            return;
        }
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        assert!(
            left.is_empty(),
            "processes left behind:\n{}",
            left.join("\n")
        );
        if !self.fakes_complain.get() {
            let problems = self.fake_problems();
            assert!(
                problems.is_empty(),
                "fake agents complain:\n{}",
                problems.join("\n")
            );
        }
        let undescribed = crate::docs::undescribed(&store::told(&self.store()));
        assert!(
            undescribed.is_empty(),
            "docs/database.md does not describe these fields of events:\n{}",
            undescribed.join("\n")
        );
        if !self.open_store.get() {
            let held = self.held();
            assert!(
                held.is_empty(),
                "still held in the store:\n{}",
                held.join("\n")
            );
        }
    }
}

/// RFC 3339 time of the nth command.
fn command_time(n: u32) -> String {
    let first: chrono::DateTime<chrono::Utc> = FIRST_COMMAND.parse().expect("a constant time");
    (first + BETWEEN_COMMANDS * n).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A variable of whoever runs the tests.
#[expect(
    clippy::disallowed_methods,
    reason = "the harness stands outside of rigs"
)]
pub(crate) fn caller_var(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn write_file(root: &Path, path: &Path, text: &[u8]) -> PathBuf {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
    std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}
