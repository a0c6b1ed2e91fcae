//! A machine with nothing but rigs: the embedded model is fetched, and answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{TestEnv, caller_var};

/// A fetch of 100 MB, and some hundred tokens on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// An optimised rigs with the feature `local-llm`: in a debug build a token takes seconds.
fn program() -> PathBuf {
    let path = caller_var("RIGS_E2E_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/rigs"),
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is missing: cargo build --release --features local-llm, or name it in RIGS_E2E_BIN",
        path.display()
    );
    path
}

#[test]
fn a_machine_with_nothing_answers_a_goal() {
    let env = TestEnv::new();
    // How the machine reaches its package index, not what is installed on it.
    for name in [
        "PIP_INDEX_URL",
        "PIP_CERT",
        "PIP_FIND_LINKS",
        "HTTPS_PROXY",
        "SSL_CERT_FILE",
    ] {
        if let Some(value) = caller_var(name) {
            env.var(name, value);
        }
    }
    let goal = ["goal", "execute", "Name three colours", "--no-repo", "-y"];
    let run = || {
        env.program_run(&program(), goal)
            .real_time()
            .timeout(PATIENCE)
    };
    let first = run().run().success();
    assert!(
        first
            .stderr
            .contains("no agent, API key or model server was found"),
        "{first}"
    );
    let answered = first.stdout.lines().find(|l| l.starts_with("answered by"));
    let answered = answered.unwrap_or_else(|| panic!("{first}"));
    assert!(answered.contains("smollm2-135m-instruct"), "{answered}");

    // The model stays; nothing is fetched again, and the answer is the same.
    let again = run().args(["--json"]).run().success();
    assert!(!again.stderr.contains("is here"), "{again}");
    let summary = again.json();
    let answer = summary["answer"].as_str().expect("an answer");
    assert!(
        !answer.trim().is_empty() && first.stdout.starts_with(answer),
        "{first}"
    );
    let models = env
        .program_run(&program(), ["model", "list", "--json"])
        .run()
        .success()
        .json();
    let here = models
        .as_array()
        .expect("models")
        .iter()
        .filter(|m| m["here"] == true);
    assert_eq!(here.count(), 1);
}
