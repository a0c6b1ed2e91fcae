//! A real small model, served by tests/lab/local-models/serve.py for as long as the tests run.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use crate::harness::caller_var;

/// Where the servers listen, and how the model is called.
pub(super) struct Servers {
    /// Up to `/v1`.
    pub(super) openai: String,
    pub(super) ollama: String,
    pub(super) model: String,
    /// As the Ollama protocol calls it.
    pub(super) ollama_model: String,
    /// They end when their standard input does: with this process, at the latest.
    _process: Child,
}

/// The servers, started once. One test at a time: they work on one thread, and a question that
/// waits for another's would run into its time limit.
pub(super) fn servers() -> (&'static Servers, MutexGuard<'static, ()>) {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (SERVERS.get_or_init(start), turn)
}

/// Where tests/lab/local-models/install.sh puts it all, or `RIGS_E2E_MODELS`.
fn folder() -> PathBuf {
    let dir = caller_var("RIGS_E2E_MODELS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/e2e/models"),
        PathBuf::from,
    );
    assert!(
        dir.join("smollm2.gguf").exists(),
        "no model in {}: run tests/lab/local-models/install.sh, or name its folder in \
         RIGS_E2E_MODELS",
        dir.display()
    );
    dir
}

#[expect(
    clippy::disallowed_methods,
    reason = "the harness stands outside of rigs"
)]
fn start() -> Servers {
    let dir = folder();
    let mut process = Command::new(dir.join("venv/bin/python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/local-models/serve.py"))
        .args([&dir.join("smollm2.gguf"), Path::new("--until-eof")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the Python of the model servers starts");
    let mut line = String::new();
    let stdout = process.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let said: Value = serde_json::from_str(&line)
        .unwrap_or_else(|e| panic!("the model servers did not start ({e}): {line:?}"));
    let text = |name: &str| said[name].as_str().expect("a text").to_owned();
    Servers {
        openai: text("openai"),
        ollama: text("ollama"),
        model: text("model"),
        ollama_model: text("ollama_model"),
        _process: process,
    }
}
