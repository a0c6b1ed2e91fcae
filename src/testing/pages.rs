//! The pages of `docs/` that are made from the program itself, so that the two cannot differ.
//! The test of a page compares; `just review-docs` (`UPDATE_DOCS=1`) writes.

mod cli;
mod config;
mod database;
mod errors;
mod events;
mod examples;
mod states;

use std::path::{Path, PathBuf};

/// What every such page says under its title.
const MADE: &str =
    "Made from the program by a test; do not edit. `just review-docs` makes it anew.";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn docs() -> PathBuf {
    root().join("docs")
}

#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "a switch for whoever runs the tests"
)]
fn check(name: &str, page: &str) {
    let file = docs().join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, page).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    pretty_assertions::assert_str_eq!(
        there,
        page,
        "docs/{name} is not what the program says: `just review-docs` makes it anew"
    );
}

/// Text as one cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
