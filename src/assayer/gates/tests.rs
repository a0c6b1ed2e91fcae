use std::collections::BTreeSet;
use std::path::Path;

use super::*;

type Files<'a> = &'a [(&'a str, &'a str)];

fn repo(files: Files<'_>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    dir
}

fn found(root: &Path) -> Vec<&'static str> {
    detect(root).iter().map(|gate| gate.name).collect()
}

#[test]
fn names_are_unique_and_programs_are_bare_or_in_the_worktree() {
    let names: BTreeSet<_> = GATES.iter().map(|gate| gate.name).collect();
    assert_eq!(names.len(), GATES.len());
    for gate in GATES {
        let program = gate.argv[0].trim_start_matches("./");
        assert!(
            !program.contains('/') && !program.is_empty(),
            "{}",
            gate.name
        );
        assert_eq!(find(gate.name), Some(gate));
    }
    assert_eq!(find("rm -rf"), None);
}

#[test]
fn a_repository_shows_its_gate() {
    let npm = r#"{"scripts":{"test":"jest"}}"#;
    let placeholder = r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
    let cases: &[(Files, &[&str])] = &[
        (&[], &[]),
        (&[("README.md", "x")], &[]),
        (
            &[("Cargo.toml", ""), ("Makefile", "test:\n")],
            &["cargo-test"],
        ),
        (&[("package.json", npm)], &["npm-test"]),
        (
            &[("package.json", npm), ("pnpm-lock.yaml", "")],
            &["pnpm-test"],
        ),
        (&[("package.json", npm), ("yarn.lock", "")], &["yarn-test"]),
        (
            &[(
                "package.json",
                r#"{"packageManager":"bun@1","scripts":{"test":"x"}}"#,
            )],
            &["bun-test"],
        ),
        (
            &[
                ("package.json", placeholder),
                ("Makefile", "test: build\n\tx\n"),
            ],
            &["make-test"],
        ),
        (&[("package.json", "{broken")], &[]),
        (
            &[("Cargo.toml", ""), ("package.json", npm)],
            &["cargo-test", "npm-test"],
        ),
        (&[("go.mod", "module x")], &["go-test"]),
        (
            &[("pyproject.toml", "[tool.pytest.ini_options]")],
            &["pytest"],
        ),
        (
            &[("tests/test_a.py", "import unittest\n")],
            &["unittest-tests"],
        ),
        (
            &[
                ("tests/__init__.py", ""),
                ("tests/test_a.py", "import unittest\n"),
            ],
            &["unittest"],
        ),
        (&[("test_a.py", "import unittest\n")], &["unittest"]),
        (
            &[("tests/test_a.py", "def test_x():\n    assert 1\n")],
            &["pytest"],
        ),
        (
            &[("tests/test_a.py", "import unittest, pytest\n")],
            &["pytest"],
        ),
        (
            &[("justfile", "build:\n  x\ntest *args: build\n  y\n")],
            &["just-test"],
        ),
        (&[("justfile", "test name:\n  y\n")], &[]),
        (&[("justfile", "test := 'x'\n")], &[]),
        (
            &[("Makefile", ".PHONY: test\ncheck:\n\tx\n")],
            &["make-check"],
        ),
        (&[("Makefile", "test = 1\n")], &[]),
        (
            &[("build.gradle.kts", ""), ("gradlew", "")],
            &["gradlew-test"],
        ),
        (&[("pom.xml", "")], &["maven-test"]),
        (&[("Gemfile", ""), ("spec/a_spec.rb", "")], &["rspec"]),
        (&[("app.sln", "")], &["dotnet-test"]),
        (&[("mix.exs", "")], &["mix-test"]),
        (
            &[("composer.json", r#"{"scripts":{"test":"phpunit"}}"#)],
            &["composer-test"],
        ),
    ];
    for (files, want) in cases {
        let dir = repo(files);
        assert_eq!(found(dir.path()), *want, "{files:?}");
    }
}

#[test]
fn what_a_link_points_to_outside_is_not_seen() {
    let outside = repo(&[("Cargo.toml", "")]);
    let dir = repo(&[("README.md", "")]);
    fs_err::os::unix::fs::symlink(
        outside.path().join("Cargo.toml"),
        dir.path().join("Cargo.toml"),
    )
    .unwrap();
    assert_eq!(found(dir.path()), Vec::<&str>::new());
}
