//! A program with a command line and nothing else, to compare the start of rigs with.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use clap::Parser;

/// Says hello
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// To whom
    #[arg(long, default_value = "world")]
    name: String,
}

fn main() {
    println!("hello, {}", Cli::parse().name);
}
