//! The turnstile: who wants to write stands in line for locks on two files beside the store.
//!
//! SQLite's own waiting is a sleep of up to 100 ms between two tries, and who tries first after a
//! commit wins: among many writers most of the time passes with nobody writing, and the unlucky one
//! waits for seconds. The kernel wakes the next in line at once, and forgets who dies.
//!
//! It is courtesy only. What may be written when is decided by SQLite; where the file cannot be made
//! or locked, and when somebody holds it for too long, the write goes on without.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// As long as SQLite waits for its own lock, which comes after.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(super) struct Turnstile {
    line: PathBuf,
    turn: PathBuf,
}

/// A place at the head of the line, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "it is there to be dropped")] Held);

/// A locked file.
#[derive(Debug)]
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Not left to the closing: a child that was forked at this moment has the file as well.
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the turn ends with its file");
        }
    }
}

impl Turnstile {
    /// That of the store at `path`.
    pub(super) fn of(path: &Path) -> Self {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self {
            line: beside("-line"),
            turn: beside("-turn"),
        }
    }

    /// Waits for the turn; `None` where there is no turnstile, or nobody comes through.
    ///
    /// Whoever wants it is first alone in waiting for it: else one that comes back at once would
    /// have it again before the one that was woken gets to run.
    pub(super) async fn enter(&self) -> Option<Turn> {
        let (line, turn) = (open(&self.line)?, open(&self.turn)?);
        let line = attempt(line)?;
        let turn = match line {
            Ok(_) => match attempt(turn)? {
                Ok(turn) => return Some(Turn(turn)),
                Err(turn) => turn,
            },
            Err(_) => turn,
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        // A thread, because this wait has no limit of its own. Nobody waits for the thread: when
        // its turn comes too late, the lock is dropped with the message.
        std::thread::Builder::new()
            .name("rigs-turn".into())
            .stack_size(64 << 10)
            .spawn(move || drop(tell.send(stand(line, turn))))
            .ok()?;
        tokio::time::timeout(PATIENCE, told).await.ok()?.ok()?
    }
}

fn open(path: &Path) -> Option<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .ok()
}

/// The lock, or the file back when another one has it; `None` where nothing can be locked.
fn attempt(file: File) -> Option<Result<Held, File>> {
    match file.try_lock() {
        Ok(()) => Some(Ok(Held(file))),
        Err(TryLockError::WouldBlock) => Some(Err(file)),
        Err(TryLockError::Error(_)) => None,
    }
}

fn stand(line: Result<Held, File>, turn: File) -> Option<Turn> {
    let first = match line {
        Ok(held) => held,
        Err(line) => {
            line.lock().ok()?;
            Held(line)
        }
    };
    turn.lock().ok()?;
    drop(first);
    Some(Turn(Held(turn)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_is_let_in_and_the_next_when_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let stile = Turnstile::of(&dir.path().join("rigs.db"));
        let first = stile.enter().await.unwrap();
        let mut second = Box::pin(stile.enter());
        let waits = tokio::time::timeout(Duration::from_millis(20), &mut second).await;
        assert!(waits.is_err(), "two were let in");
        drop(first);
        let second = second.await.expect("its turn");
        drop(second);
        assert!(stile.enter().await.is_some());
    }

    #[tokio::test]
    async fn who_is_gone_while_it_waits_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let stile = Turnstile::of(&dir.path().join("rigs.db"));
        let first = stile.enter().await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(20), stile.enter()).await;
        assert!(waits.is_err(), "two were let in");
        drop(first);
        assert!(stile.enter().await.is_some());
    }

    #[tokio::test]
    async fn without_a_file_to_lock_everybody_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let stile = Turnstile::of(&dir.path().join("missing/rigs.db"));
        assert!(stile.enter().await.is_none());
    }
}
