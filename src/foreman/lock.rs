//! One foreman per store: an advisory lock that the kernel drops when its holder dies, on a
//! file that says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::core::id::Owner;
use crate::core::{Clock, Ids};

/// The right to run the loop; given up when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    pub(crate) owner: Owner,
}

/// What asking for the lock gave.
#[derive(Debug)]
pub(crate) enum Asked {
    Mine(Lock),
    /// Somebody else runs the loop; who, when its line could be read.
    Theirs(Option<Owner>),
}

/// This process as the owner of leases.
pub(crate) fn myself(ids: &Ids) -> Owner {
    let pid = std::process::id();
    let started = crate::process::start_time(pid).unwrap_or(0);
    Owner {
        pid,
        started,
        token: ids.token(),
    }
}

/// Takes the lock, or says who has it. Never waits.
pub(crate) fn ask(path: &Path, owner: &Owner, clock: &Clock) -> std::io::Result<Asked> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{owner} {}", clock.now())?;
            file.sync_data()?;
            Ok(Asked::Mine(Lock {
                file,
                owner: owner.clone(),
            }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut line = String::new();
            // The holder may be writing this line just now; not being able to read it is fine.
            let holder = match file.take(256).read_to_string(&mut line) {
                Ok(_) => line.split(' ').next().and_then(|o| o.parse().ok()),
                Err(_) => None,
            };
            Ok(Asked::Theirs(holder))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Who runs the loop, without asking for the lock; `None` when nobody does.
pub(crate) fn holder(path: &Path) -> Option<Owner> {
    let line = std::fs::read_to_string(path).ok()?;
    let owner: Owner = line.split(' ').next()?.parse().ok()?;
    crate::process::is_alive(owner.pid, owner.started).then_some(owner)
}

impl Lock {
    /// The text under which this foreman holds leases.
    pub(crate) fn text(&self) -> String {
        self.owner.to_string()
    }

    /// Leaves an empty file behind: unlinking it would let two processes lock two files.
    pub(crate) fn give_up(self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.unlock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::clock::FakeClock;

    #[test]
    fn one_holder_at_a_time_and_the_other_learns_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("foreman.lock");
        let (_fake, clock) = FakeClock::at("2026-11-20T08:00:00Z");
        let me = Owner {
            pid: 1,
            started: 2,
            token: "t".into(),
        };
        let Asked::Mine(lock) = ask(&path, &me, &clock).unwrap() else {
            panic!("free lock not given")
        };
        let Asked::Theirs(holder) = ask(&path, &me, &clock).unwrap() else {
            panic!("lock given twice")
        };
        assert_eq!(holder, Some(me.clone()));
        lock.give_up().unwrap();
        assert!(matches!(ask(&path, &me, &clock).unwrap(), Asked::Mine(_)));
    }
}
