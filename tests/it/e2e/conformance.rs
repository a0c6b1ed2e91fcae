//! The real programs in every scenario, by rigs: what it takes their ends for, what it charges,
//! how long it waits, and that it sends nothing while it waits. `just conformance` runs it and
//! prints the table; `UPSTREAM=URL` drives another upstream than the lab.

mod expect;
mod row;
mod table;
mod upstream;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use row::Found;
use upstream::Upstream;

use crate::conformance::{PAGE, Program, Scenario, matrix};
use crate::harness::caller_var;
use crate::lab;

/// Rows at once: most of their time goes by in waiting.
const AT_ONCE: usize = 8;

#[test]
fn every_program_conforms_in_every_scenario() {
    let lab = lab::Upstream::start(lab::Script::default());
    let url = text_var("UPSTREAM").unwrap_or_else(|| format!("http://{}", lab.address()));
    let upstream = Upstream::at(&url);
    let wanted = text_var("CONFORMANCE_ONLY");
    let rows: VecDeque<_> = matrix()
        .into_iter()
        .enumerate()
        .filter(|(_, (program, scenario))| {
            let name = format!("{} {}", program.name(), scenario.title());
            wanted
                .as_ref()
                .is_none_or(|only| name.contains(only.as_str()))
        })
        .collect();
    let found = run_all(&upstream, rows);
    let text = table::text(&found);
    std::fs::write(report(), &text).expect("the report is written");
    if wanted.is_none() && caller_var("UPDATE_DOCS").is_some() {
        let page = table::page(&text);
        std::fs::write(PAGE, page).expect("docs/conformance.md is written");
    }
    let wrong: Vec<String> = found
        .iter()
        .filter(|(.., found)| !found.wrong.is_empty())
        .map(|(program, scenario, found)| {
            let problems = found.wrong.join("\n    ");
            format!("{} {}:\n    {problems}", program.name(), scenario.title())
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if caller_var("UPSTREAM").is_none() {
        assert_eq!(lab.violations(), Vec::<String>::new());
    }
}

type Row = (Program, Scenario, Found);

/// Runs the rows, a few at once, and gives them back in their order. The last program is the
/// slowest one: it begins.
fn run_all(upstream: &Upstream, rows: VecDeque<(usize, (Program, Scenario))>) -> Vec<Row> {
    let (rows, found) = (Mutex::new(rows), Mutex::new(Vec::new()));
    let next = || {
        rows.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_back()
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((at, (program, scenario))) = next() {
                    let began = std::time::Instant::now();
                    let run = || row::run(upstream, program, scenario);
                    // A row that breaks is a row that does not conform; the others go on.
                    let row = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                        let text = panic.downcast_ref::<String>().cloned();
                        Found {
                            wrong: vec![text.unwrap_or_else(|| "it panicked".to_owned())],
                            ..Found::default()
                        }
                    });
                    table::say(&format!(
                        "{} {}: {} s\n",
                        program.name(),
                        scenario.title(),
                        began.elapsed().as_secs()
                    ));
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.push((at, program, scenario, row));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(at, ..)| *at);
    found
        .into_iter()
        .map(|(_, program, scenario, row)| (program, scenario, row))
        .collect()
}

/// Where `just conformance` finds the table: the test runner would say something after it.
fn report() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/e2e");
    std::fs::create_dir_all(&dir).expect("a folder for the report");
    dir.join("conformance.txt")
}

fn text_var(name: &str) -> Option<String> {
    caller_var(name).map(|value| value.to_string_lossy().into_owned())
}
