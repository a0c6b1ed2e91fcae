//! The log of a foreman in the background: one file that is written to, and a few old ones.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file of this size is put aside.
const BYTES: u64 = 4 * 1024 * 1024;
/// Files that are put aside before the oldest goes.
const KEPT: u32 = 4;

/// Never more than `KEPT + 1` files of `BYTES` each, and what is written between two looks.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    bytes: u64,
    /// The file that is written to, by device and number.
    open: Option<(u64, u64)>,
}

impl Log {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            bytes: BYTES,
            open: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file to write to from now on; `None` when the one that was given last still is.
    pub(crate) fn look(&mut self) -> io::Result<Option<File>> {
        let there = std::fs::symlink_metadata(&self.path);
        let is_full = there.as_ref().is_ok_and(|m| m.size() >= self.bytes);
        let is_ours = there.is_ok_and(|m| m.is_file() && self.open == Some((m.dev(), m.ino())));
        if is_ours && !is_full {
            return Ok(None);
        }
        if is_full {
            self.put_aside()?;
        }
        if let Some(dir) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&self.path)?;
        let meta = file.metadata()?;
        self.open = Some((meta.dev(), meta.ino()));
        Ok(Some(file))
    }

    fn put_aside(&self) -> io::Result<()> {
        for n in (1..KEPT).rev() {
            match std::fs::rename(self.old(n), self.old(n + 1)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        std::fs::rename(&self.path, self.old(1))
    }

    fn old(&self, n: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{n}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/foreman.log");
        let mut log = Log::new(path.clone());
        log.bytes = 3;
        for n in 0..9 {
            let mut file = log.look().unwrap().expect("a new file");
            assert!(log.look().unwrap().is_none(), "it is not full yet");
            write!(file, "no {n}").unwrap();
        }
        let mut found: Vec<(String, String)> = std::fs::read_dir(dir.path().join("logs"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|e| {
                let name = e.file_name().into_string().unwrap();
                (name, std::fs::read_to_string(e.path()).unwrap())
            })
            .collect();
        found.sort();
        let want = [
            ("foreman.log", "no 8"),
            ("foreman.log.1", "no 7"),
            ("foreman.log.2", "no 6"),
            ("foreman.log.3", "no 5"),
            ("foreman.log.4", "no 4"),
        ];
        let want: Vec<(String, String)> = want.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
        assert_eq!(found, want);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_somebody_took_away_is_made_anew_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("foreman.log");
        let mut log = Log::new(path.clone());
        let _first = log.look().unwrap().expect("a file");
        std::fs::remove_file(&path).unwrap();
        assert!(log.look().unwrap().is_some());
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        log.look().unwrap_err();
    }
}
