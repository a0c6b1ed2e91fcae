//! A month of bursty demand on three providers: how often runs meet a limit, and how much of what
//! would have fitted was let through. `just walls SEED=1 SIGMA=0.5 LOAD=1.5`; see
//! `docs/performance.md`.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (text, met) = match rigs::bench::walls::run(&args) {
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
