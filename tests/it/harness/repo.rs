//! Small git repositories, with the history a test wants.

use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A repository and its work tree. Its git reads the test's identity and no other configuration.
pub(crate) struct TestRepo {
    root: PathBuf,
    home: PathBuf,
}

impl TestRepo {
    pub(super) fn init(root: PathBuf, home: &Path) -> Self {
        std::fs::create_dir_all(&root).expect("a folder for the repository");
        let repo = Self {
            root,
            home: home.to_owned(),
        };
        repo.git(["init", "--quiet", "-b", "main"]);
        repo
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file of the work tree, with its folders.
    pub(crate) fn file(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        super::write_file(&self.root, Path::new(path), text.as_ref())
    }

    /// A file of the work tree.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Commits everything; the new commit.
    pub(crate) fn commit(&self, subject: &str) -> String {
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "-m", subject]);
        self.commit_of("HEAD")
    }

    /// The full id of what `rev` names.
    #[track_caller]
    pub(crate) fn commit_of(&self, rev: &str) -> String {
        self.git(["rev-parse", "--verify", &format!("{rev}^{{commit}}")])
    }

    /// A file as it is in a commit.
    #[track_caller]
    pub(crate) fn show(&self, rev: &str, path: &str) -> String {
        self.git(["show", &format!("{rev}:{path}")])
    }

    /// Local branches, sorted.
    pub(crate) fn branches(&self) -> Vec<String> {
        let text = self.git(["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        text.lines().map(str::to_owned).collect()
    }

    /// A crate whose test fails until `add` in src/lib.rs adds: the smallest real job.
    pub(crate) fn failing_crate(&self) -> String {
        self.file(
            "Cargo.toml",
            "[package]\nname = \"sums\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        );
        self.file(".gitignore", "/target\nCargo.lock\n");
        self.file(
            "src/lib.rs",
            "pub fn add(a: i32, b: i32) -> i32 {\n    a - b\n}\n",
        );
        self.file(
            "tests/sums.rs",
            "#[test]\nfn two_and_two_are_four() {\n    assert_eq!(sums::add(2, 2), 4);\n}\n",
        );
        self.commit("a crate with a failing test")
    }

    /// The same without a compiler: `sh test.sh` fails until `answer.txt` says 42.
    pub(crate) fn failing_script(&self) -> String {
        self.file("answer.txt", "41\n");
        self.file("test.sh", "test \"$(cat answer.txt)\" = 42\n");
        self.file("Makefile", "test:\n\tsh test.sh\n.PHONY: test\n");
        self.commit("a failing test")
    }

    /// Stdout of a git command that must succeed, without its last newline.
    #[track_caller]
    pub(crate) fn git<I, S>(&self, args: I) -> String
    where
        I: IntoIterator<Item = S>,
        S: AsRef<std::ffi::OsStr>,
    {
        let output = self
            .git_command()
            .args(args)
            .output()
            .expect("git is installed");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git failed: {stderr}");
        String::from_utf8(output.stdout)
            .expect("git speaks UTF-8")
            .trim_end()
            .to_owned()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the harness stands outside of rigs"
    )]
    fn git_command(&self) -> std::process::Command {
        let mut command = std::process::Command::new("git");
        command
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", super::caller_var("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
            .stdin(Stdio::null());
        command
    }
}
