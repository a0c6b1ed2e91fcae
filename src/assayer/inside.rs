//! Files of a repository read as data: never outside of it, never more than asked for.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The real place of `relative` when it lies inside `root`, links resolved; `None` when it does
/// not exist, is not a relative path or leads out.
pub(crate) fn locate(root: &Path, relative: &str) -> Option<PathBuf> {
    if !is_confined(relative) {
        return None;
    }
    let root = fs_err::canonicalize(root).ok()?;
    let path = fs_err::canonicalize(root.join(relative)).ok()?;
    path.starts_with(&root).then_some(path)
}

/// Whether a path is relative and, by its words alone, stays inside.
pub(crate) fn is_confined(relative: &str) -> bool {
    !relative.is_empty()
        && !relative.contains(['\0', '\\'])
        && Path::new(relative)
            .components()
            .all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}

/// At most `max` bytes of a regular file inside `root`, as lossy UTF-8.
pub(crate) fn read(root: &Path, relative: &str, max: u64) -> Option<String> {
    let path = locate(root, relative)?;
    // A pipe or device could block or never end.
    if !fs_err::metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs_err::File::open(&path)
        .ok()?
        .take(max)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a regular file lies there.
pub(crate) fn is_file(root: &Path, relative: &str) -> bool {
    locate(root, relative).is_some_and(|path| path.is_file())
}

/// Names in a folder of the repository, at most `max`, sorted.
pub(crate) fn names(root: &Path, relative: &str, max: usize) -> Vec<String> {
    let Some(folder) = locate(root, relative) else {
        return Vec::new();
    };
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .take(max)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_read_by_words_or_by_links() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repo");
        fs_err::create_dir(&root).unwrap();
        fs_err::write(dir.path().join("secret"), "s").unwrap();
        fs_err::write(root.join("a"), "hello").unwrap();
        fs_err::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
        fs_err::os::unix::fs::symlink("a", root.join("in")).unwrap();
        for bad in ["../secret", "/etc/passwd", "out", "", "x/../../secret"] {
            assert_eq!(read(&root, bad, 100), None, "{bad}");
        }
        assert_eq!(read(&root, "in", 4), Some("hell".into()));
        assert!(is_file(&root, "./a"));
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(dir.path(), "pipe", 100), None);
    }
}
