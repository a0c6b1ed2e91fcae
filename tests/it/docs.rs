//! The pages that people read say what is so: links lead somewhere, the table of modules is the
//! one of the architecture test, commands that only look do run, events hold what is described.
//! That every command is understood, and the generated pages, is tested in `src/testing/pages`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::architecture::MAY_USE;
use crate::harness::TestEnv;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All pages, relative to the root.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "tests/lab/README.md",
    ]
    .map(PathBuf::from)
    .into();
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name();
        pages.push(Path::new("docs").join(name));
    }
    pages
}

/// Targets of `[text](target)`, outside of fenced blocks.
fn links(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    let prose = prose.concat();
    let targets = prose.split("](").skip(1);
    targets
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

/// The anchor of each heading, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|l| l.strip_prefix('#'));
    let anchor = |heading: &str| -> String {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        text.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut bad = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let text = std::fs::read_to_string(root().join(&page)).unwrap();
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                root().join(&page)
            } else {
                root().join(page.parent().unwrap()).join(file)
            };
            let found = std::fs::read_to_string(&target);
            let fits = found.is_ok_and(|text| anchor.is_empty() || anchors(&text).contains(anchor));
            if !fits {
                bad.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(seen > 15, "the links were not found: {seen}");
}

#[test]
fn the_page_of_the_architecture_has_the_table_of_modules() {
    let page = read("docs/architecture.md");
    let told: Vec<(String, String)> = first_table(&page, "| module | one sentence | may use |")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[2].clone()))
        .collect();
    let known: Vec<(String, String)> = MAY_USE
        .iter()
        .map(|(module, uses)| ((*module).to_owned(), uses.join(", ")))
        .collect();
    pretty_assertions::assert_eq!(told, known);
}

/// The first table of a page, without its head: each row as its cells.
fn first_table(page: &str, head: &str) -> Vec<Vec<String>> {
    let (_, rows) = page
        .split_once(head)
        .unwrap_or_else(|| panic!("no table `{head}`"));
    rows.lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|c| c.trim().to_owned()).collect()
        })
        .collect()
}

#[test]
fn the_readme_has_every_exit_code() {
    let codes = |page: &str, head: &str| -> BTreeSet<String> {
        let rows = first_table(page, head);
        let all = rows.iter().flat_map(|row| row[0].split(", "));
        all.map(str::to_owned).collect()
    };
    assert_eq!(
        codes(&read("README.md"), "| exit code | means |"),
        codes(&read("docs/errors.md"), "| exit code | kind | means |"),
    );
}

#[test]
fn the_words_are_the_same_in_the_readme_and_on_their_page() {
    let known: BTreeSet<String> = first_table(
        &read("docs/terminology.md"),
        "| word | means | in Gas Town |",
    )
    .into_iter()
    .map(|row| row[0].clone())
    .collect();
    for row in first_table(&read("README.md"), "| here | means | in Gas Town |") {
        for word in row[0].split(", ") {
            assert!(known.contains(word), "docs/terminology.md lacks `{word}`");
        }
    }
}

#[test]
fn the_shell_lines_of_the_readme_that_only_look_do_run() {
    let env = TestEnv::new();
    env.only_programs(&["sh", "git"]);
    env.config("[providers.claude]\ncommand = \"/bin/true\"\n");
    let rigs = env!("CARGO_BIN_EXE_rigs");
    // Two commands with the same seed that get as far in the same moment would draw the same ids.
    let program = format!("RIGS_TEST_SEED=$$ exec '{rigs}' \"$@\"\n");
    env.program("rigs", &program);
    let readme = read("README.md");
    let blocks = readme.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|b| b.split("```").next().unwrap().lines());
    let quick = [
        "cv=$(rigs convoy create",
        "id=$(rigs bead create",
        "rigs bead create",
        "rigs bead list",
        "rigs tank list",
        "rigs tank status",
        "rigs tank set",
        "rigs tank forecast",
        "rigs status",
        "rigs cost",
        "rigs provider list",
        "rigs goal plan",
    ];
    let script: Vec<&str> = lines
        .filter(|line| quick.iter().any(|q| line.starts_with(q)))
        .collect();
    assert!(script.len() >= 8, "{script:?}");
    let repo = env.repo("project");
    let sh = env.root().join("bin/sh");
    let script = format!("set -e\n{}\n", script.join("\n"));
    let output = env
        .program_run(&sh, ["-c", &script])
        .dir(repo.root())
        .run()
        .success();
    let ids = output.stdout.lines().filter(|l| l.starts_with("gt-"));
    assert!(ids.count() >= 1, "{output}");
}

/// Type of event to the fields of its payload, as `docs/database.md` has them.
static EVENTS: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let page = read("docs/database.md");
    let rows = first_table(&page, "| type | payload | means |");
    let fields = |row: &Vec<String>| row[1].split(", ").map(str::to_owned).collect();
    rows.iter()
        .map(|row| (row[0].clone(), fields(row)))
        .collect()
});

/// Which of these fields of events (`type field`) the page does not describe.
pub(crate) fn undescribed(told: &[String]) -> Vec<String> {
    let is_described = |line: &&String| {
        let (kind, field) = line.split_once(' ').unwrap_or((line, ""));
        EVENTS
            .get(kind)
            .is_some_and(|fields| fields.contains(field))
    };
    told.iter().filter(|l| !is_described(l)).cloned().collect()
}
