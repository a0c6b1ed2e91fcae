//! The program: hands what the system gave it to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rigs::run(
        std::env::args_os(),
        std::env::vars_os(),
        std::env::current_dir().unwrap_or_default(),
    )
}
