use std::fmt::Write;

use pretty_assertions::assert_eq;
use proptest::prelude::*;

use super::*;
use crate::assayer::plan::{Author, check};
use crate::assayer::{gates, picture};

/// A repository of a few dozen files with a gate, without touching a disk.
fn repository() -> Picture {
    let mut files: Vec<String> = [
        "Cargo.toml",
        "README.md",
        "CHANGELOG.md",
        "src/main.rs",
        "src/auth/session.rs",
        "src/auth/password.rs",
        "src/billing/invoice.rs",
        "src/billing/tax.rs",
        "src/cli.rs",
        "src/http/client.rs",
        "src/http/retry.rs",
        "src/parser/date.rs",
        "src/ui/theme.rs",
        "tests/billing.rs",
        "tests/http.rs",
        "docs/guide.md",
    ]
    .map(String::from)
    .to_vec();
    files.extend((0..50).map(|n| format!("src/models/model_{n}.rs")));
    Picture {
        root: Some("/nowhere".into()),
        files,
        gates: vec![gates::find("cargo-test").unwrap()],
        ..Picture::default()
    }
}

fn small_repository() -> Picture {
    Picture {
        root: Some("/nowhere".into()),
        files: ["README.md", "calc.py", "tests/test_calc.py"]
            .map(String::from)
            .to_vec(),
        gates: vec![gates::find("unittest-tests").unwrap()],
        ..Picture::default()
    }
}

/// `type<dependencies` of each bead: `implementation, documentation<1`.
fn shape(plan: &Plan) -> String {
    let beads: Vec<String> = plan
        .beads
        .iter()
        .map(|bead| {
            let mut text = bead.task_type.to_string();
            if !bead.depends_on.is_empty() {
                let _ = write!(text, "<{}", bead.depends_on.join("+"));
            }
            text
        })
        .collect();
    beads.join(", ")
}

#[test]
fn goals_take_the_shape_a_senior_engineer_would_give_them() {
    let cases = [
        (
            "Add user authentication with OAuth2",
            "design, implementation<1, test<2, documentation<2",
        ),
        ("make the failing test suite pass", "debug"),
        ("Fix the failing tests", "debug"),
        ("Fix the typo in README.md", "implementation"),
        ("Rename `tax_rate` to `vat_rate`", "implementation"),
        ("Add a --verbose flag", "implementation"),
        ("Add dark mode", "implementation"),
        (
            "Add dark mode and document it",
            "implementation, documentation<1",
        ),
        (
            "Add dark mode with tests and update the README",
            "implementation, documentation<1",
        ),
        (
            "Add retry to the HTTP client and write tests for it",
            "implementation",
        ),
        (
            "Add search and filter to the invoice list",
            "implementation",
        ),
        (
            "Add create, update and delete endpoints for invoices",
            "implementation",
        ),
        (
            "Create a script to build and publish images",
            "implementation",
        ),
        (
            "Add an endpoint to create users and delete posts",
            "implementation",
        ),
        ("Fix the memory leak in the websocket handler", "debug"),
        ("The login page crashes when the password is empty", "debug"),
        ("Find out why the parser is slow and fix it", "debug"),
        ("Speed up date parsing", "refactor"),
        (
            "Split the monolithic billing module into services",
            "test, refactor<1",
        ),
        ("Refactor the retry logic", "refactor"),
        (
            "Migrate the models from diesel to sqlx",
            "implementation, implementation<1, refactor<2",
        ),
        ("Upgrade tokio to 1.50", "implementation"),
        ("Remove the legacy XML export", "refactor"),
        ("Write unit tests for the tax calculation", "test"),
        ("Increase test coverage of src/http", "test"),
        ("Write a tutorial for new users", "documentation"),
        ("Update the README", "documentation"),
        ("How does the session expire?", "research"),
        ("Review src/auth for security problems", "review"),
        ("Design a plugin system", "design"),
        ("Release version 1.4.0", "implementation"),
        (
            "Fix the typo in README.md and bump the version to 1.2",
            "implementation",
        ),
        (
            "Refactor src/http; fix the tax rounding; then release 2.0",
            "refactor, debug, implementation<1+2",
        ),
        (
            "- Add CSV export to invoices\n- Fix date parsing\n- Document the theme",
            "implementation, debug, documentation<1+2",
        ),
        (
            "1. Add a theme table\n2. Use it in the header\n3. Remove the old colours",
            "implementation, implementation<1, refactor<2",
        ),
        (
            "Add a login page:\n- email and password\n- remember me",
            "implementation",
        ),
        (
            "Investigate how retries work, then add jitter to src/http/retry.rs",
            "research, implementation<1",
        ),
    ];
    let picture = repository();
    let got: Vec<(&str, String)> = cases
        .iter()
        .map(|(goal, _)| (*goal, shape(&plan(goal, &picture))))
        .collect();
    let want: Vec<(&str, String)> = cases.iter().map(|(g, s)| (*g, (*s).to_owned())).collect();
    assert_eq!(got, want);
}

#[test]
fn small_repositories_and_text_goals_get_short_plans() {
    let small = small_repository();
    for (goal, want) in [
        ("make the tests pass", "debug"),
        (
            "Migrate the tests from unittest to pytest",
            "implementation",
        ),
        (
            "Add a power function and a modulo function",
            "implementation",
        ),
        (
            "Add a power function; add a modulo function",
            "implementation, implementation<1",
        ),
    ] {
        assert_eq!(shape(&plan(goal, &small)), want, "{goal}");
    }
    for (goal, want) in [
        ("Write a haiku about rate limits", "documentation"),
        ("Explain the CAP theorem and give an example", "research"),
        ("Design a caching strategy and write a summary", "design"),
        (
            "Compare Postgres and SQLite; then write a recommendation",
            "research, documentation<1",
        ),
        ("What is a token bucket?", "research"),
        ("Write a Python function that sorts a list", "documentation"),
    ] {
        let made = plan(goal, &Picture::none());
        assert_eq!(shape(&made), want, "{goal}");
        assert!(made.beads.iter().all(|b| b.files.is_empty()), "{goal}");
    }
}

#[test]
fn a_bead_names_real_places_and_the_gate() {
    let made = plan("Fix the tax rounding in invoices", &repository());
    insta::assert_json_snapshot!(made);
}

#[test]
fn a_long_list_is_grouped_and_nothing_of_it_is_lost() {
    let items: Vec<String> = (0..30)
        .map(|n| format!("- Add feature number{n}"))
        .collect();
    let made = plan(&items.join("\n"), &repository());
    assert!(made.beads.len() <= MAX_BEADS);
    for n in 0..30 {
        let word = format!("number{n}");
        assert!(
            made.beads.iter().any(|b| b.description.contains(&word)),
            "{word}"
        );
    }
}

#[test]
fn hostile_and_odd_goals_still_make_a_plan() {
    for goal in [
        "",
        "   ",
        "\u{1b}]0;x\u{7}",
        "-rf /",
        "\"; rm -rf / #",
        "a",
        "?",
        ";;;",
        ". . .",
        "and then",
        "- \n- ",
        "```\ncode\n```",
        "fix it",
        "it",
        "日本語のドキュメントを書く",
        "1. \n2. ",
        "Add \"quotes; and fix them\" to `x; y`",
    ] {
        for picture in [repository(), Picture::none()] {
            let made = plan(goal, &picture);
            assert_eq!(
                check(&made, Author::Rules),
                Vec::<String>::new(),
                "{goal:?} {made:?}"
            );
        }
    }
    for unit in [
        "Add a thing; ",
        "- fix the typo\n",
        "word\n",
        "x",
        "`a(\"",
        "- a\n  b\n",
    ] {
        let huge = unit.repeat(1_000_000 / unit.len());
        assert_eq!(
            check(&plan(&huge, &repository()), Author::Rules),
            Vec::<String>::new(),
            "{unit:?}"
        );
    }
}

proptest! {
    #[test]
    fn every_plan_of_the_rules_stands_the_checks_and_is_repeatable(
        goal in "((Add|fix|and|then|write|tests|document|it|the|page|;|\\.|,|\n- |\n1\\. |\\PC{1,8}) ){0,40}"
    ) {
        for picture in [repository(), small_repository(), Picture::none()] {
            let made = plan(&goal, &picture);
            prop_assert_eq!(check(&made, Author::Rules), Vec::<String>::new());
            prop_assert_eq!(&plan(&goal, &picture), &made);
        }
    }
}

#[test]
fn a_real_folder_is_planned_for() {
    let dir = picture::tests::repo(&[
        ("Cargo.toml", ""),
        ("src/lib.rs", "pub fn parse_iso_date() {}"),
        ("src/other.rs", ""),
    ]);
    let made = plan(
        "Make parse_iso_date accept week dates",
        &Picture::read(dir.path()),
    );
    assert_eq!(made.beads[0].files, ["src/lib.rs"]);
}
