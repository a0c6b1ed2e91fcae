//! The write-ahead log that commands leave behind.
//!
//! Closed properly, the last connection would bring the log into the file and remove it, and the
//! next one make it anew: three times the work of a short command. So commands end without closing
//! (see [`super::Db::stay_open`]). But a process that finds the log while nobody has it open begins
//! by reading all of it, and does not know what of it was brought into the file before; it would
//! grow for ever. So a command that is alone with a long one empties it at its start.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::Conn;

/// Each connection holds a shared lock on this byte of the shared memory (`UNIX_SHM_DMS` in
/// SQLite's `os_unix.c`).
const HELD: libc::off_t = 128;

/// Whether this process has opened a store. Its locks are its own as a whole: to close a file of a
/// store, which a look at it ends with, would give up those of every connection.
static OPENED: AtomicBool = AtomicBool::new(false);

/// A store is about to be opened, and not looked at.
pub(super) fn opened() {
    OPENED.store(true, Ordering::SeqCst);
}

/// Whether the log of the store at `path`, which is about to be opened, is longer than so many
/// bytes, and nobody has it open.
pub(super) fn is_left(path: &Path, bytes: u64) -> bool {
    let length = std::fs::metadata(beside(path, "-wal")).map_or(0, |meta| meta.len());
    !OPENED.swap(true, Ordering::SeqCst) && length > bytes && !is_held(path).unwrap_or(true)
}

/// Brings the log into the file and empties it.
pub(super) async fn trim(conn: &mut Conn) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(conn)
        .await?;
    Ok(())
}

fn is_held(path: &Path) -> std::io::Result<bool> {
    let file = match File::open(beside(path, "-shm")) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: HELD,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_GETLK(&mut lock))?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
