//! The table, as it is printed and as it is kept in the docs.

use std::io::Write as _;

use super::Row;
use crate::conformance::Program;

const ABOUT: &str = "\
# Conformance

Written by `UPDATE_DOCS=1 just conformance`; do not edit. Every agent CLI that rigs runs, as its
vendor publishes it, in everything that a provider's server can do to it. The server is a loopback
one that counts what it tells; `UPSTREAM=URL just conformance` drives another one that speaks the
control paths of [the lab](../tests/lab/README.md#by-its-address).

Each row is a home of its own with one bead and this one provider. `rigs goal execute --no-wait`
meets the scenario; `rigs goal resume --no-wait` follows while the provider is closed; then rigs
waits for the reset (in real time where it is stated, with its clock set to just before and just
after where it is long), or the configuration is mended, and the bead is completed. A row conforms
when all of this is as `tests/it/e2e/conformance/expect.rs` has it:

- **outcome**: the class of the attempts, and how many there were.
- **tank**: what `rigs tank status` shows then.
- **waits**: the deferral of the bead, from the stated reset or from the last refusal.
- **tokens charged, told**: the ledger and what the server told its client, all kinds of tokens
  together. `=` is equal in each kind; `>` where nobody knows, and the estimate is charged: never less than if each
  answer that broke had come to its end.
- **calls**: model calls of the first command, the program's own retries included.
- **before the reset**: model calls made while the provider was closed; never any.
- **left over**: processes that outlived a command.
";

const HEAD: [&str; 10] = [
    "program",
    "scenario",
    "outcome",
    "tank",
    "waits",
    "tokens charged, told",
    "calls",
    "before the reset",
    "left over",
    "conforms",
];

/// The rows under their head in columns, and the line that counts those that conform.
pub(super) fn text(rows: &[Row]) -> String {
    let cells: Vec<[String; 10]> = rows
        .iter()
        .map(|(program, scenario, found)| {
            let conforms = if found.wrong.is_empty() { "yes" } else { "NO" };
            [
                program.name().to_owned(),
                scenario.title().to_owned(),
                found.class.clone(),
                found.tank.clone(),
                found.waits.clone(),
                found.tokens.clone(),
                found.calls.clone(),
                found.early.clone(),
                found.left.clone(),
                conforms.to_owned(),
            ]
        })
        .collect();
    let width = |n: usize| {
        let widths = cells.iter().map(|row| row[n].len());
        widths.chain([HEAD[n].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String]| {
        let padded = row.iter().zip(&widths);
        let padded: Vec<String> = padded
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let mut text = line(&HEAD.map(str::to_owned));
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    text.push_str(&line(&rule));
    for row in &cells {
        text.push_str(&line(row));
    }
    let conform = rows
        .iter()
        .filter(|(.., found)| found.wrong.is_empty())
        .count();
    format!("{text}\nconformance: {conform} of {}\n", rows.len())
}

/// The page of the docs: what the table means, the versions, and the table.
pub(super) fn page(table: &str) -> String {
    let versions = include_str!("../../../../scripts/e2e/versions.sh");
    let version = |program: &str| {
        let name = format!("{program}_version=");
        let line = versions.lines().find_map(|line| line.strip_prefix(&name));
        format!("{program} {}", line.expect("a version for each program"))
    };
    let versions: Vec<String> = Program::ALL.iter().map(|p| version(p.name())).collect();
    format!("{ABOUT}\nVersions: {}.\n\n{table}", versions.join(", "))
}

/// Says it past the test runner, which would keep it to itself: a row may take a minute.
pub(super) fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    err.write_all(text.as_bytes()).expect("stderr is there");
}
