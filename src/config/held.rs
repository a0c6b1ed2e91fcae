//! A file that is locked as long as somebody holds it. The kernel drops the lock when its holder
//! dies; the file stays, because unlinking it would let two processes lock two files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock, given up when dropped.
#[derive(Debug)]
pub(crate) struct Held(File);

/// What asking for the lock gave.
#[derive(Debug)]
pub(crate) enum Asked {
    Mine(Held),
    /// Another one has it; the file can be read.
    Theirs(File),
}

impl Held {
    /// Takes the lock of this file, which is made when missing, or says that another one has it.
    /// Never waits.
    pub(crate) fn ask(path: &Path) -> io::Result<Asked> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Asked::Mine(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(Asked::Theirs(file)),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The same, once nobody else has it: for what takes a moment only.
    pub(crate) fn wait(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock()?;
        Ok(Self(file))
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing is not enough: a child that is just being started holds the file open as well.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "a lock ends with the process");
        }
    }
}

/// For its owner's eyes, and never emptied: it may say who holds it.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_at_a_time_even_while_others_have_the_file_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Held::wait(&path).unwrap();
        // As a child would that is being started just now.
        let copy = held.0.try_clone().unwrap();
        assert!(matches!(Held::ask(&path).unwrap(), Asked::Theirs(_)));
        drop(held);
        assert!(matches!(Held::ask(&path).unwrap(), Asked::Mine(_)));
        drop(copy);
    }
}
