//! Whether two beads are expected to touch the same files: they would only meet in a conflict.

/// The first path of `ours` that lies on one of `theirs`: the same file, or a folder around it. A
/// pattern counts as the folder before its first wildcard.
pub(crate) fn shared<'a>(ours: &'a [String], theirs: &[String]) -> Option<&'a str> {
    let theirs: Vec<Vec<&str>> = theirs.iter().map(|path| parts(path)).collect();
    ours.iter().map(String::as_str).find(|path| {
        let path = parts(path);
        theirs
            .iter()
            .any(|other| path.starts_with(other) || other.starts_with(&path))
    })
}

/// The names on the way, without what means nothing.
fn parts(path: &str) -> Vec<&str> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .take_while(|part| !part.contains(['*', '?', '[', '{']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_patterns_meet() {
        let list = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let meets = |a: &[&str], b: &[&str]| shared(&list(a), &list(b)).map(str::to_owned);
        let same = |path: &str| Some(path.to_owned());
        assert_eq!(meets(&["src/a.rs"], &["./src//a.rs"]), same("src/a.rs"));
        assert_eq!(meets(&["b", "src/a.rs"], &["src/"]), same("src/a.rs"));
        assert_eq!(meets(&["src"], &["src/deep/a.rs"]), same("src"));
        assert_eq!(meets(&["src/*.rs"], &["src/a.rs"]), same("src/*.rs"));
        assert_eq!(meets(&["."], &["x"]), same("."));
        assert_eq!(meets(&["src/a.rs"], &["src/ab.rs", "src/b.rs"]), None);
        assert_eq!(meets(&[], &["src"]), None);
        assert_eq!(meets(&["src"], &[]), None);
    }
}
