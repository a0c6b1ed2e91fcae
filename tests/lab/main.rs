//! `lab-upstream [SCRIPT.json]`: the lab by hand. Prints its address and runs until it is killed.

#[path = "lab.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests use more of it than this program"
)]
mod lab;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let script = match std::env::args().nth(1).map(|path| read(&path)) {
        None => lab::Script::default(),
        Some(Ok(script)) => script,
        Some(Err(e)) => {
            drop(writeln!(std::io::stderr(), "error: {e}"));
            return ExitCode::from(2);
        }
    };
    let upstream = lab::Upstream::start(script);
    let said = writeln!(std::io::stdout(), "http://{}", upstream.address());
    if said.is_err() {
        return ExitCode::FAILURE;
    }
    loop {
        std::thread::park();
    }
}

fn read(path: &str) -> Result<lab::Script, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    serde_json::from_str(&text).map_err(|e| format!("{path}: {e}"))
}
