//! rigs: one binary that runs coding work across every AI subscription, API key and local model
//! a person has. The table of contents; `docs/architecture.md` tells how the parts meet.

mod assayer;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod cli;
mod config;
mod core;
mod db;
mod depot;
mod dispatch;
mod foreman;
mod git;
mod llm;
mod policy;
mod process;
mod provider;
mod refinery;
#[cfg(test)]
mod testing;
mod view;

/// Runs one command to its end: words in, exit code out. `args` begins with the program's name;
/// `vars` and `cwd` are the environment, which nothing below reads from the process again.
pub fn run(
    args: impl IntoIterator<Item = std::ffi::OsString>,
    vars: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    cwd: std::path::PathBuf,
) -> std::process::ExitCode {
    cli::run(
        &args.into_iter().collect::<Vec<_>>(),
        config::Env::new(vars, cwd),
    )
}
