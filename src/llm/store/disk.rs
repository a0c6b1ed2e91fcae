//! The few things done with files: checksums, copies that survive a power cut, the lock.
//! A stop shows as `ErrorKind::Interrupted`.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{OnProgress, Progress};
use crate::config::held::{Asked, Held};
use crate::core::digest::hex;
use crate::core::text::one_line;
use crate::core::{Clock, Timestamp};

/// How often a lock that another process holds is tried.
const TRY_LOCK: Duration = Duration::from_millis(250);
const BUFFER: usize = 1 << 20;

/// What tells whether a file is the one that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) size_bytes: u64,
    pub(super) modified_at: Timestamp,
}

pub(super) fn state(path: &Path) -> io::Result<State> {
    let meta = fs_err::metadata(path)?;
    let age = meta.modified()?.duration_since(UNIX_EPOCH);
    let ms = age.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    Ok(State {
        size_bytes: meta.len(),
        modified_at: Timestamp::from_millis(ms),
    })
}

pub(super) fn size(path: &Path) -> Option<u64> {
    Some(fs_err::metadata(path).ok()?.len())
}

/// The unfinished download of `path`.
pub(super) fn part(path: &Path) -> PathBuf {
    path.with_added_extension("part")
}

/// An error without the path, which the caller names.
pub(super) fn cause(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|e| e.source());
    one_line(
        &inner.map_or_else(|| error.to_string(), ToString::to_string),
        200,
    )
}

pub(super) fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "stopped")
}

/// Reads `from` to its end in pieces, off the async threads.
async fn each_piece<T: Send + 'static>(
    from: PathBuf,
    stop: &CancellationToken,
    mut state: T,
    take: impl Fn(&mut T, &[u8]) -> io::Result<()> + Send + 'static,
) -> io::Result<T> {
    let stop = stop.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut file = fs_err::File::open(from)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            if stop.is_cancelled() {
                return Err(stopped());
            }
            match file.read(&mut buffer)? {
                0 => return Ok(state),
                n => take(&mut state, &buffer[..n])?,
            }
        }
    });
    work.await.map_err(io::Error::other)?
}

/// Lower-case hex.
pub(super) async fn sha256(path: &Path, stop: &CancellationToken) -> io::Result<String> {
    let digest = each_piece(path.to_owned(), stop, Sha256::new(), |digest, bytes| {
        digest.update(bytes);
        Ok(())
    })
    .await?;
    Ok(hex(&digest.finalize()))
}

/// Creates the folder, readable by the user only.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

pub(super) fn create(path: &Path) -> io::Result<fs_err::File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    Ok(fs_err::File::from_parts(options.open(path)?, path))
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Renames a finished file to its name, so that a power cut leaves either nothing or all of it.
pub(super) fn into_place(part: &Path, path: &Path) -> io::Result<()> {
    fs_err::File::open(part)?.sync_all()?;
    fs_err::rename(part, path)?;
    if let Some(dir) = path.parent() {
        fs_err::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Writes a small file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension("new");
    create(&new)?.write_all(bytes)?;
    into_place(&new, path)
}

/// Links `original` to `path`, or copies it where a link is not possible.
pub(super) async fn bring(
    original: &Path,
    path: &Path,
    stop: &CancellationToken,
) -> io::Result<()> {
    let part = part(path);
    remove(&part)?;
    // A rename between two links of one file does nothing at all.
    remove(path)?;
    if fs_err::hard_link(original, &part).is_err() {
        let copy = create(&part)?;
        let copied = each_piece(original.to_owned(), stop, copy, |copy, bytes| {
            copy.write_all(bytes)
        });
        if let Err(e) = copied.await {
            // Half a copy helps nobody: unlike a download it costs nothing to make again.
            remove(&part)?;
            return Err(e);
        }
    }
    into_place(&part, path)
}

/// Bytes that can still be written to the folder.
pub(super) fn room(dir: &Path) -> io::Result<u64> {
    let fs = nix::sys::statvfs::statvfs(dir)?;
    Ok(fs.blocks_available().saturating_mul(fs.fragment_size()))
}

/// Waits for the lock of the store.
pub(super) async fn lock(
    dir: &Path,
    on: OnProgress<'_>,
    clock: &Clock,
    stop: &CancellationToken,
) -> io::Result<Held> {
    create_dir(dir)?;
    let file = dir.join(".lock");
    let mut told = false;
    loop {
        match Held::ask(&file)? {
            Asked::Mine(held) => return Ok(held),
            Asked::Theirs(_) => {}
        }
        if !told {
            on(Progress::Waiting);
            told = true;
        }
        tokio::select! {
            () = stop.cancelled() => return Err(stopped()),
            () = clock.sleep(TRY_LOCK) => {}
        }
    }
}
