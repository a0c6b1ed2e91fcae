//! One foreman per store: an advisory lock that the kernel drops when its holder dies, on a
//! file that says who holds it.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::config::held::{self, Held};
use crate::core::id::Owner;
use crate::core::words::word_enum;
use crate::core::{Clock, Ids, Timestamp};

word_enum! {
    /// For what a process runs the loop.
    pub(crate) enum Driver as "driver" {
        /// `foreman start`: everything in the store.
        Foreman = "foreman",
        /// A goal that somebody waits for; it ends with it.
        Goal = "goal",
        /// `stop --all`: only to put back what is running.
        Stop = "stop",
    }
}

/// The right to run the loop; given up when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    held: Held,
    pub(crate) owner: Owner,
}

/// What asking for the lock gave.
#[derive(Debug)]
pub(crate) enum Asked {
    Mine(Lock),
    /// Somebody else has it; who, when its line could be read.
    Theirs(Option<Holder>),
}

/// What the file says about who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) owner: Owner,
    pub(crate) since: Option<Timestamp>,
    pub(crate) driver: Option<Driver>,
}

impl Holder {
    /// Whether that very process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        crate::process::is_alive(self.owner.pid, self.owner.started)
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        Some(Self {
            owner: words.next()?.parse().ok()?,
            since: words.next().and_then(|w| w.parse().ok()),
            driver: words.next().and_then(|w| w.parse().ok()),
        })
    }
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
pub(crate) fn ask(
    path: &Path,
    owner: &Owner,
    driver: Driver,
    clock: &Clock,
) -> std::io::Result<Asked> {
    match Held::ask(path)? {
        held::Asked::Mine(mut held) => {
            let file = held.file();
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{owner} {} {driver}", clock.now())?;
            file.sync_data()?;
            Ok(Asked::Mine(Lock {
                held,
                owner: owner.clone(),
            }))
        }
        held::Asked::Theirs(file) => {
            let mut line = String::new();
            // The holder may be writing this line just now; not being able to read it is fine.
            let holder = match file.take(256).read_to_string(&mut line) {
                Ok(_) => Holder::read(&line),
                Err(_) => None,
            };
            Ok(Asked::Theirs(holder))
        }
    }
}

/// Who holds the lock, without asking for it; `None` when nobody does.
pub(crate) fn holder(path: &Path) -> Option<Holder> {
    let mut line = String::new();
    File::open(path)
        .ok()?
        .take(256)
        .read_to_string(&mut line)
        .ok()?;
    Holder::read(&line).filter(Holder::is_alive)
}

impl Lock {
    /// The text under which this foreman holds leases.
    pub(crate) fn text(&self) -> String {
        self.owner.to_string()
    }

    /// Begins a new life in the same process: what the one before held is taken back like that of
    /// any foreman that is gone.
    pub(crate) fn be_reborn(&mut self, ids: &Ids) {
        self.owner = myself(ids);
    }

    /// Leaves an empty file behind, which nobody holds.
    pub(crate) fn give_up(mut self) -> std::io::Result<()> {
        self.held.file().set_len(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::clock::FakeClock;

    #[test]
    fn a_line_of_an_older_rigs_still_says_who_holds() {
        let old = Holder::read("7.9.t 2026-11-20T08:00:00.000Z\n").unwrap();
        assert_eq!((old.owner.pid, old.driver), (7, None));
        assert_eq!(Holder::read(""), None);
        assert_eq!(Holder::read("garbage\u{1b}[2J"), None);
    }

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
        let asked = |driver| ask(&path, &me, driver, &clock).unwrap();
        let Asked::Mine(lock) = asked(Driver::Goal) else {
            panic!("free lock not given")
        };
        let Asked::Theirs(holder) = asked(Driver::Foreman) else {
            panic!("lock given twice")
        };
        let want = Holder {
            owner: me.clone(),
            since: Some(clock.now()),
            driver: Some(Driver::Goal),
        };
        assert_eq!(holder, Some(want));
        lock.give_up().unwrap();
        assert!(matches!(asked(Driver::Foreman), Asked::Mine(_)));
    }
}
