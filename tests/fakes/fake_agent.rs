//! `fake-agent`: a program that plays an agent CLI by a script, for the tests.
//!
//! `FAKE_AGENT_SCRIPT` names the script (see [`script::Script`]). Each start takes the next run
//! whose pattern matches the prompt; beside the script lie its counter, its log of calls (one JSON
//! object per line) and a lock, so that starts at the same time do not take the same run. A start
//! that the script does not expect exits with 97 and says why, on stderr and in the log.

#![expect(
    clippy::disallowed_methods,
    reason = "it stands for a program that is not rigs: it waits, reads the clock, starts children"
)]

mod claude;
mod codex;
mod play;
mod record;
mod script;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code of everything that should not have happened.
const UNEXPECTED: u8 = 97;

/// The reader of stdout has gone: the fake ends as other programs do then, and complains not.
const NOBODY_READS: &str = "nobody reads stdout any more";
const ENDED_BY_SIGPIPE: u8 = 141;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.as_slice() {
        [first, ms, group] if first == play::CHILD => play::go_on(ms, group),
        _ => run(args),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            drop(writeln!(std::io::stderr(), "fake-agent: {problem}"));
            ExitCode::from(UNEXPECTED)
        }
    }
}

fn run(args: Vec<String>) -> Result<u8, String> {
    let path = std::env::var_os("FAKE_AGENT_SCRIPT").ok_or("FAKE_AGENT_SCRIPT is not set")?;
    let path = PathBuf::from(path);
    let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let script: script::Script =
        serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut call = record::Call::new(path, args);
    match answer(&script, &mut call) {
        Err(problem) if problem == NOBODY_READS => Ok(ENDED_BY_SIGPIPE),
        Err(problem) => {
            call.write("problem", &problem.as_str().into())?;
            Err(problem)
        }
        Ok(code) => Ok(code),
    }
}

fn answer(script: &script::Script, call: &mut record::Call) -> Result<u8, String> {
    if let Some(probe) = script.probe(&call.args) {
        call.write("probe", &true.into())?;
        write!(std::io::stdout(), "{}", probe.stdout).map_err(|e| e.to_string())?;
        return Ok(probe.exit);
    }
    if script.reads_stdin {
        let mut prompt = Vec::new();
        std::io::stdin()
            .read_to_end(&mut prompt)
            .map_err(|e| format!("stdin: {e}"))?;
        call.prompt = String::from_utf8_lossy(&prompt).into_owned();
    } else {
        call.prompt = call.args.join(" ");
    }
    let at = call.take_run(&script.runs)?;
    call.write("run", &at.into())?;
    play::Player::new(script.shape, call).play(&script.runs[at].steps)
}
