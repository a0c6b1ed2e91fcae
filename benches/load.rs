//! A week of a hundred agents with more work than they can do: no window exceeded, nothing
//! starved, every convoy its share, the same week twice. `just week SEED=7`, or parts of it:
//! `AGENTS=20 DAYS=3 LOAD=1.2`; see `docs/performance.md`.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (text, met) = match rigs::bench::load::run(&args) {
        Ok(report) => (report.to_string(), report.met()),
        Err(error) => (format!("error: {error}"), false),
    };
    let written = writeln!(std::io::stdout().lock(), "{text}");
    if met && written.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
