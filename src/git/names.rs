//! What may be a branch, a ref, a revision or a commit id. Stricter than git, so that a name
//! can never be an option, a pathspec or two names.

use super::GitError;

/// A branch, without `refs/heads/`.
pub(super) fn branch(name: &str) -> Result<&str, GitError> {
    check(
        name,
        "a branch",
        is_ref(name) && name != "HEAD" && !name.starts_with("refs/"),
    )
}

/// A full name, `refs/...`.
pub(super) fn full_ref(name: &str) -> Result<&str, GitError> {
    check(name, "a ref", is_ref(name) && name.starts_with("refs/"))
}

/// A full object id.
pub(super) fn commit(id: &str) -> Result<&str, GitError> {
    let hex = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    check(id, "a commit", hex && matches!(id.len(), 40 | 64))
}

/// Anything that names one commit.
pub(super) fn revision(rev: &str) -> Result<&str, GitError> {
    let fine = !rev.is_empty()
        && rev.len() <= 500
        && !rev.starts_with(['-', ':', '^'])
        && !rev.contains("..")
        && !rev.contains(|c: char| c.is_control() || c == ' ');
    check(rev, "a revision", fine)
}

fn check<'a>(name: &'a str, what: &'static str, fine: bool) -> Result<&'a str, GitError> {
    if fine {
        return Ok(name);
    }
    Err(GitError::BadName {
        what,
        name: crate::core::text::one_line(name, 80),
    })
}

/// The rules of git-check-ref-format(1).
fn is_ref(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('-')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && !name.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c))
        && name.split('/').all(|part| {
            let lock = part.to_ascii_lowercase().ends_with(".lock");
            !part.is_empty() && !part.starts_with('.') && !lock && part != "@"
        })
}

/// Whether a file system that ignores case, or some characters, takes a part of a path for `.git`.
/// Git never puts such a path into its index. (The rules of its `verify_path`.)
pub(super) fn folds_to_git(part: &str) -> bool {
    // Which HFS+ does not see.
    let ignored = |c: &char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    part.split('\\').any(|part| {
        let seen: String = part.chars().filter(|c| !ignored(c)).collect();
        // NTFS takes what follows for the name of a stream, and drops the end.
        let stem = seen.split(':').next().unwrap_or_default();
        let stem = stem.trim_end_matches([' ', '.']).to_ascii_lowercase();
        matches!(stem.as_str(), ".git" | "git~1")
    })
}

/// `text` as one part of a ref.
pub(super) fn part(text: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    let part: String = text.chars().map(plain).take(80).collect();
    part.trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_git_or_a_shell_would_misread_are_refused() {
        for bad in [
            "",
            "-d",
            "--all",
            "a..b",
            "a b",
            "a\nb",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            ".a",
            "a/.b",
            "a/",
            "/a",
            "a//b",
            "a.",
            "a.lock",
            "a.LOCK/b",
            "@",
            "a@{1}",
            "HEAD",
            "refs/heads/a",
            "\u{1b}[31m",
        ] {
            assert!(branch(bad).is_err(), "{bad:?}");
        }
        for good in ["main", "rigs/gt-ab12", "feature/ä", "a@b", "a\"b'", "v1.2"] {
            assert!(branch(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_commit_is_a_full_id_only() {
        assert!(commit(&"a".repeat(40)).is_ok() && commit(&"0".repeat(64)).is_ok());
        assert!(commit("main").is_err() && commit(&"A".repeat(40)).is_err());
        assert!(commit(&"a".repeat(39)).is_err());
    }

    #[test]
    fn what_another_file_system_takes_for_gits_folder_is_known() {
        for folds in [
            ".git",
            ".GIT",
            ".Git ",
            ".git...",
            "GIT~1",
            ".g\u{200c}it",
            ".git::$INDEX",
            "a\\.git",
        ] {
            assert!(folds_to_git(folds), "{folds:?}");
        }
        for own in [
            ".gitignore",
            "git",
            ".gi",
            "git~2",
            ".github",
            "a.git",
            "",
            ".",
        ] {
            assert!(!folds_to_git(own), "{own:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_makes_a_part_that_is_fine_in_a_ref(text in ".{0,100}") {
            let name = format!("refs/rigs/rescue/x{}", part(&text));
            prop_assert!(full_ref(&name).is_ok(), "{}", name);
        }
    }
}
