use pretty_assertions::assert_eq;

use super::CheckStatus::{Error, Failed, Passed};
use super::*;
use crate::core::clock::FakeClock;

/// A worktree with one executable script, and the verdict on it.
struct Bench {
    dir: tempfile::TempDir,
    env: Env,
    clock: Clock,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let path = ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into());
        let secret = ("ANTHROPIC_API_KEY".into(), "secret".into());
        Self {
            dir: tempfile::tempdir().unwrap(),
            env: Env::new([path, secret], "/".into()),
            clock: Clock::system(),
            stop: CancellationToken::new(),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            worktree: self.dir.path(),
            task_type: TaskType::Implementation,
            changes: &[],
            diff: "",
            is_whole: true,
            criteria: &[],
            gates: &[],
            protected: &[],
        }
    }

    async fn check(&self, subject: &Subject<'_>) -> Result<Verdict, Stopped> {
        let means = Means {
            env: &self.env,
            marker: None,
            timeout: Duration::from_secs(30),
            reruns: 1,
            clock: &self.clock,
            stop: &self.stop,
        };
        check(subject, &means).await
    }
}

fn changed() -> Vec<Change> {
    vec![Change {
        path: "src/a.rs".into(),
        kind: ChangeKind::Modified,
    }]
}

fn sh(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(String::from).to_vec()
}

fn statuses(verdict: &Verdict) -> Vec<CheckStatus> {
    verdict.checks.iter().map(|check| check.status).collect()
}

#[tokio::test]
async fn work_that_changes_nothing_goes_back_without_running_gates() {
    let bench = Bench::new();
    let gates = [sh("touch ran")];
    let verdict = bench
        .check(&Subject {
            gates: &gates,
            ..bench.subject()
        })
        .await
        .unwrap();
    assert_eq!(verdict.result, GateResult::NeedsRevision);
    assert!(verdict.feedback.contains("nothing was changed"));
    assert!(!bench.dir.path().join("ran").exists());
}

#[tokio::test]
async fn research_needs_no_change() {
    let bench = Bench::new();
    let verdict = bench
        .check(&Subject {
            task_type: TaskType::Research,
            ..bench.subject()
        })
        .await
        .unwrap();
    assert_eq!((verdict.result, verdict.score), (GateResult::Pass, None));
}

#[tokio::test]
async fn gates_run_in_the_worktree_without_secrets_and_their_failure_is_explained() {
    let bench = Bench::new();
    let changes = changed();
    let gates = [
        sh("test -z \"$ANTHROPIC_API_KEY\" && touch here"),
        sh("echo 'assertion failed: 1 == 2'; exit 3"),
    ];
    let verdict = bench
        .check(&Subject {
            changes: &changes,
            gates: &gates,
            ..bench.subject()
        })
        .await
        .unwrap();
    assert!(bench.dir.path().join("here").exists());
    assert_eq!(
        statuses(&verdict),
        [
            CheckStatus::Passed,
            CheckStatus::Passed,
            CheckStatus::Failed
        ]
    );
    assert_eq!(verdict.result, GateResult::NeedsRevision);
    assert!(
        verdict.feedback.contains("exit code 3") && verdict.feedback.contains("1 == 2"),
        "{}",
        verdict.feedback
    );
}

#[tokio::test]
async fn a_gate_that_cannot_run_is_an_error_and_no_fault_of_the_work() {
    let bench = Bench::new();
    let changes = changed();
    for (argv, want) in [
        (vec!["no-such-program".to_owned()], "was not found"),
        (sh("exec no-such-program"), "exit code 127"),
        (vec![], "the command is empty"),
        (vec!["./../../bin/sh".to_owned()], "was not found"),
    ] {
        let gates = [argv];
        let verdict = bench
            .check(&Subject {
                changes: &changes,
                gates: &gates,
                ..bench.subject()
            })
            .await
            .unwrap();
        assert_eq!(verdict.result, GateResult::Error, "{want}");
        assert!(
            verdict.checks[1].detail.contains(want),
            "{:?}",
            verdict.checks
        );
        assert_eq!(verdict.feedback, "");
    }
}

#[tokio::test]
async fn a_gate_that_never_ends_is_an_error_after_its_time() {
    let bench = Bench::new();
    let (changes, gates) = (changed(), [sh("echo started; exec sleep 600")]);
    let subject = Subject {
        changes: &changes,
        gates: &gates,
        ..bench.subject()
    };
    let means = Means {
        env: &bench.env,
        marker: None,
        timeout: Duration::from_millis(300),
        reruns: 1,
        clock: &bench.clock,
        stop: &bench.stop,
    };
    let verdict = check(&subject, &means).await.unwrap();
    assert_eq!(verdict.result, GateResult::Error);
    assert!(
        verdict.checks[1].detail.contains("not finished after"),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn a_stop_is_no_verdict() {
    let bench = Bench::new();
    bench.stop.cancel();
    let (changes, gates) = (changed(), [sh("sleep 600")]);
    let subject = Subject {
        changes: &changes,
        gates: &gates,
        ..bench.subject()
    };
    assert_eq!(bench.check(&subject).await, Err(Stopped));
}

#[tokio::test]
async fn criteria_are_checked_inside_the_worktree_and_prose_is_unreviewed() {
    let bench = Bench::new();
    fs_err::write(bench.dir.path().join("a.md"), "one\ntwo\n").unwrap();
    fs_err::os::unix::fs::symlink("/etc/passwd", bench.dir.path().join("out")).unwrap();
    let file = |path: &str| Criterion::File {
        text: format!("{path} exists"),
        path: path.into(),
    };
    let regex = |path: &str, pattern: &str| Criterion::Regex {
        text: format!("{path} matches {pattern}"),
        path: path.into(),
        pattern: pattern.into(),
    };
    let gate = |name: &str| Criterion::Gate {
        text: name.into(),
        gate: name.into(),
    };
    let cases = [
        (file("a.md"), CheckStatus::Passed),
        (file("b.md"), CheckStatus::Failed),
        (file("out"), CheckStatus::Failed),
        (file("../a"), CheckStatus::Failed),
        (regex("a.md", "^two$"), CheckStatus::Passed),
        (regex("a.md", "three"), CheckStatus::Failed),
        (regex("out", "root"), CheckStatus::Failed),
        (regex("a.md", "(a"), CheckStatus::Error),
        (regex("a.md", "(((a{200}){200}){200})"), CheckStatus::Error),
        (Criterion::text("it is good"), CheckStatus::Unreviewed),
        (gate("no-such-gate"), CheckStatus::Error),
        (
            Criterion::Command {
                text: "c".into(),
                argv: sh("grep -q two a.md"),
            },
            CheckStatus::Passed,
        ),
    ];
    let changes = changed();
    for (criterion, status) in cases {
        let criteria = [criterion];
        let verdict = bench
            .check(&Subject {
                changes: &changes,
                criteria: &criteria,
                ..bench.subject()
            })
            .await
            .unwrap();
        assert_eq!(verdict.checks[1].status, status, "{:?}", verdict.checks[1]);
    }
}

#[test]
fn protected_files_may_be_added_but_not_touched() {
    let change = |path: &str, kind| Change {
        path: path.into(),
        kind,
    };
    let globs = ["tests/**".to_owned(), "*.toml".to_owned(), "[".to_owned()];
    let status = |changes: &[Change]| {
        let checks = protected(changes, &globs);
        checks.iter().map(|check| check.status).collect::<Vec<_>>()
    };
    assert_eq!(
        status(&[
            change("tests/new.rs", ChangeKind::Added),
            change("sub/x.toml", ChangeKind::Modified)
        ]),
        [Passed, Passed, Error]
    );
    assert_eq!(
        status(&[
            change("tests/a/b.rs", ChangeKind::Deleted),
            change("x.toml", ChangeKind::Modified)
        ]),
        [Failed, Failed, Error]
    );
}

#[test]
fn a_text_bead_needs_an_answer() {
    let criteria = [Criterion::text("it rhymes")];
    let empty = check_text(" \n", &criteria);
    assert_eq!(empty.result, GateResult::NeedsRevision);
    let given = check_text("roses are red", &criteria);
    assert_eq!((given.result, given.score), (GateResult::Pass, Some(1.0)));
    assert_eq!(
        statuses(&given),
        [CheckStatus::Passed, CheckStatus::Unreviewed]
    );
}

#[test]
fn the_same_gate_is_run_once() {
    let criteria = [Criterion::Gate {
        text: "g".into(),
        gate: "cargo-test".into(),
    }];
    let gates = [vec!["cargo".to_owned(), "test".to_owned()]];
    assert_eq!(commands::of(&gates, &criteria).len(), 1);
}

#[tokio::test]
async fn a_fake_clock_ends_a_gate_too() {
    let bench = Bench::new();
    let (fake, clock) = FakeClock::at("2026-11-20T08:00:00Z");
    let (changes, gates) = (changed(), [sh("exec sleep 600")]);
    let subject = Subject {
        changes: &changes,
        gates: &gates,
        ..bench.subject()
    };
    let means = Means {
        env: &bench.env,
        marker: None,
        timeout: Duration::from_mins(1),
        reruns: 1,
        clock: &clock,
        stop: &bench.stop,
    };
    let (verdict, ()) = tokio::join!(check(&subject, &means), async {
        for _ in 0..20 {
            tokio::task::yield_now().await;
            fake.advance(Duration::from_secs(30));
        }
    });
    assert_eq!(verdict.unwrap().result, GateResult::Error);
}

#[tokio::test]
async fn a_gate_that_passes_when_run_again_is_flaky_and_one_that_fails_twice_has_failed() {
    let bench = Bench::new();
    let changes = changed();
    let gates = [
        sh("test -e second || { touch second; echo 'assertion failed: race'; exit 1; }"),
        sh("echo x >> runs; exit 4"),
    ];
    let verdict = bench
        .check(&Subject {
            changes: &changes,
            gates: &gates,
            ..bench.subject()
        })
        .await
        .unwrap();
    let [_, flaky, failed] = verdict.checks.as_slice() else {
        panic!("{verdict:?}")
    };
    assert_eq!((flaky.status, flaky.flaky), (Passed, true));
    assert!(
        flaky.detail.starts_with("flaky: exit code 1 after") && flaky.output.contains("race"),
        "{flaky:?}"
    );
    assert_eq!((failed.status, failed.flaky), (Failed, false));
    assert!(failed.detail.ends_with(", 2 times"), "{failed:?}");
    let runs = std::fs::read_to_string(bench.dir.path().join("runs")).unwrap();
    assert_eq!(runs, "x\nx\n");
    assert!(!verdict.feedback.contains("race"), "{}", verdict.feedback);
}
