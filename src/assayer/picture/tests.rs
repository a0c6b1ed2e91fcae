use pretty_assertions::assert_eq;

use super::*;

pub(crate) fn repo(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    dir
}

#[test]
fn a_small_repository_is_shown_whole() {
    let dir = repo(&[
        ("Cargo.toml", "[package]"),
        (
            "README.md",
            "# demo\n\n[![ci](x)](y)\n\nParses \u{1b}[31mdates\u{1b}[0m.\n",
        ),
        ("src/lib.rs", ""),
        ("src/parse/date.rs", ""),
        ("tests/dates.rs", ""),
        ("node_modules/x/index.js", ""),
        (".git/config", ""),
        ("bad\u{1b}[2Jname", ""),
    ]);
    let picture = Picture::read(dir.path()).with_git("main\n", true);
    assert_eq!(
        picture.files,
        [
            "Cargo.toml",
            "README.md",
            "src/lib.rs",
            "tests/dates.rs",
            "src/parse/date.rs"
        ]
    );
    insta::assert_snapshot!(picture.render(), @r"
    Files: 5 files. Rust (3 files), Documentation (1 file)
    Gates: cargo-test (`cargo test`)
    Branch: main, with uncommitted changes
    Tests: tests/dates.rs
    Layout:
    src/ (2)
    src/parse/ (1)
    tests/ (1)
    Cargo.toml
    README.md
    README:
    # demo
    Parses dates.
    ");
}

#[test]
fn a_huge_repository_is_read_in_part_and_stays_short() {
    let dir = tempfile::tempdir().unwrap();
    for folder in 0..12 {
        let path = dir.path().join(format!("folder{folder}"));
        fs_err::create_dir(&path).unwrap();
        for file in 0..2100 {
            fs_err::write(path.join(format!("a_rather_long_name_{file}.rs")), "").unwrap();
        }
    }
    let long = "word ".repeat(10_000);
    fs_err::write(dir.path().join("README"), long).unwrap();
    let picture = Picture::read(dir.path());
    assert!(picture.cut && picture.files.len() <= walk::MAX_ENTRIES);
    assert!(tokens::count(&picture.render()) <= MAX_TOKENS);
}

#[test]
fn links_are_not_followed() {
    let dir = repo(&[("a/b.rs", "")]);
    fs_err::os::unix::fs::symlink("..", dir.path().join("a/up")).unwrap();
    fs_err::os::unix::fs::symlink("/etc", dir.path().join("etc")).unwrap();
    assert_eq!(Picture::read(dir.path()).files, ["a/b.rs"]);
}

#[test]
fn tests_are_known_by_their_names() {
    for file in [
        "tests/a.rs",
        "src/x/tests.rs",
        "test_a.py",
        "pkg/a_test.go",
        "web/a.spec.ts",
        "src/__tests__/a.jsx",
        "spec/models/user_spec.rb",
    ] {
        assert!(is_test(file), "{file}");
    }
    for file in [
        "src/latest.rs",
        "tests/README.md",
        "contest.py",
        "src/attest.go",
    ] {
        assert!(!is_test(file), "{file}");
    }
}
