//! Real git in temporary repositories, with a home of their own.

mod hostile;
mod injected;
mod landing;
mod large;
mod merging;
mod reading;
mod shapes;
mod tampered;
mod worktrees;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::worktree::Worktree;
use super::*;
use crate::core::clock::FakeClock;
use crate::process::{Limits, Output, Spec, Stdin, run};

/// A repository with one commit on `main`, a user, and room for worktrees beside it.
pub(super) struct TestRepo {
    dir: TempDir,
    git: Git,
    _time: FakeClock,
}

impl TestRepo {
    /// No repository yet, only the home.
    fn bare_home() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (time, clock) = FakeClock::at("2026-11-20T08:00:00Z");
        for folder in ["home", "repo", "trees"] {
            fs::create_dir(dir.path().join(folder)).expect("a folder");
        }
        let git = Git::new(program(), env(dir.path()), clock);
        Self {
            dir,
            git,
            _time: time,
        }
    }

    async fn new() -> Self {
        let test = Self::bare_home();
        test.user("user.name", "Ada Lovelace").await;
        test.user("user.email", "ada@example.com").await;
        test.git(&["init", "-q", "-b", "main"]).await;
        test.write("a.txt", "one\n");
        test.write(".gitignore", "ignored\n");
        test.commit("first").await;
        test
    }

    fn root(&self) -> PathBuf {
        self.dir
            .path()
            .canonicalize()
            .expect("it exists")
            .join("repo")
    }

    fn tree(&self, name: &str) -> PathBuf {
        self.dir
            .path()
            .canonicalize()
            .expect("it exists")
            .join("trees")
            .join(name)
    }

    async fn repo(&self) -> Repo {
        self.git.discover(&self.root()).await.expect("a repository")
    }

    fn write(&self, file: &str, text: &str) {
        put(&self.root().join(file), text);
    }

    /// git as the user runs it, in the checkout; its output.
    async fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.root(), args).await
    }

    async fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let done = self.try_git(dir, args).await;
        assert!(
            done.exit.success(),
            "git {args:?}: {}{}",
            done.stdout,
            done.stderr
        );
        done.stdout.trim_end().to_owned()
    }

    async fn try_git(&self, dir: &Path, args: &[&str]) -> Output {
        let spec = Spec {
            program: program(),
            args: args.iter().map(OsString::from).collect(),
            env: env(self.dir.path()),
            cwd: dir.into(),
            stdin: Stdin::Null,
        };
        let limits = Limits {
            time: Duration::from_mins(1),
            output: 1 << 20,
        };
        run(&spec, limits, &Clock::system(), &CancellationToken::new())
            .await
            .expect("git runs")
    }

    async fn user(&self, key: &str, value: &str) {
        self.git(&["config", "--global", key, value]).await;
    }

    /// Commits everything in the checkout; the commit's id.
    async fn commit(&self, subject: &str) -> String {
        self.git(&["add", "-A"]).await;
        self.git(&["commit", "-q", "-m", subject]).await;
        self.git(&["rev-parse", "HEAD"]).await
    }

    /// A worktree `name` on `rigs/<name>`, cut from main.
    async fn worktree(&self, name: &str) -> Worktree {
        let repo = self.repo().await;
        let commit = repo.resolve("main").await.expect("asked").expect("main");
        let branch = format!("rigs/{name}");
        repo.add_worktree(&self.tree(name), &branch, &commit)
            .await
            .expect("added");
        repo.worktree(&self.tree(name))
    }

    /// A commit with one file changed, on a worktree's branch.
    async fn change(&self, name: &str, file: &str, text: &str) -> String {
        let tree = self.worktree(name).await;
        put(&tree.path().join(file), text);
        let commit = tree.commit_all(&message(name)).await.expect("committed");
        commit.expect("something changed")
    }

    /// A file that a program named in the configuration would make.
    fn trap(&self) -> (PathBuf, String) {
        let proof = self.dir.path().join("ran");
        let script = self.dir.path().join("trap.sh");
        let text = format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", proof.display());
        fs::write(&script, text).expect("written");
        make_executable(&script);
        (proof, script.display().to_string())
    }

    async fn refs(&self, prefix: &str) -> Vec<String> {
        let list = self
            .git(&["for-each-ref", "--format=%(refname)", prefix])
            .await;
        list.lines().map(str::to_owned).collect()
    }
}

fn program() -> PathBuf {
    [
        "/usr/local/bin/git",
        "/usr/bin/git",
        "/opt/homebrew/bin/git",
    ]
    .map(PathBuf::from)
    .into_iter()
    .find(|path| path.exists())
    .expect("git is installed")
}

fn env(dir: &Path) -> BTreeMap<String, OsString> {
    BTreeMap::from([
        ("HOME".to_owned(), dir.join("home").into()),
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".into()),
    ])
}

fn put(path: &Path, text: &str) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).expect("a folder");
    }
    fs::write(path, text).expect("written");
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
}

fn message(subject: &str) -> Message {
    Message {
        subject: subject.into(),
        ..Message::default()
    }
}

#[test]
fn a_message_is_clean_text_of_subject_body_and_trailers() {
    let message = Message {
        subject: "-m \u{1b}[31mred\nsecond line".into(),
        body: "# not a comment\n\n\u{1b}]0;x\u{7}body\n".into(),
        trailers: vec![
            ("Bead".into(), "gt-1\nInjected: yes".into()),
            ("At tempt".into(), "2".into()),
        ],
    };
    let text = String::from_utf8(message.bytes()).expect("text");
    assert_eq!(
        text,
        "-m red second line\n\n# not a comment\n\nbody\n\nBead: gt-1 Injected: yes\nAttempt: 2\n"
    );
    assert_eq!(Message::default().bytes(), b"(no subject)\n");
}
