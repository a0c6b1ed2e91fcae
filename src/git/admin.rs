//! The two halves of a worktree and whether they belong together: the folder with its `.git`
//! file, and git's own folder for it, `<common>/worktrees/<name>`. Both may have been changed by
//! an agent, so they are read here, by us, before git is run with either.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use super::GitError;

/// What of a worktree is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Nothing,
    /// Both halves, and they agree.
    Ready {
        admin: PathBuf,
    },
    /// Git knows of it, but the folder is gone.
    NoFolder {
        admin: PathBuf,
    },
    /// Being added or removed when rigs was killed: nobody has worked in it, or its work is
    /// kept already.
    HalfMade {
        admin: PathBuf,
    },
    /// Something else is there, or the halves were tampered with.
    Foreign {
        why: &'static str,
    },
}

/// In the admin folder of a worktree whose work is kept and whose removal has begun.
const REMOVING: &str = "rigs-removing";

/// What git itself writes into the lock of a worktree that it makes, and leaves there until the
/// files are in place and the lock is ours.
const MAKING: [&str; 2] = ["initializing", "added with --lock"];

/// What we write there.
const OURS: &str = "rigs works here, and removes it\n";

/// The longest path that is believed.
const LONG: u64 = 16 << 10;

/// `path` as git records it: without links, but for its last part.
pub(super) fn real(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}

/// Looks at the worktree at `path` (a [`real`] one). A lost `.git` file is written anew, because
/// git's half proves what stood in it; one with other content is not touched.
pub(super) fn look(common: &Path, path: &Path) -> Result<State, GitError> {
    let admin = registered(common, path)?;
    let folder = path.symlink_metadata();
    let Some(admin) = admin else {
        return Ok(match folder {
            Err(_) => State::Nothing,
            Ok(m) if m.is_dir() && is_empty(path)? => State::Nothing,
            Ok(_) => State::Foreign {
                why: "git has no record of it",
            },
        });
    };
    let made = fs::read_to_string(admin.join("locked")).unwrap_or_default();
    if MAKING.iter().any(|text| made.starts_with(text)) || admin.join(REMOVING).exists() {
        return Ok(State::HalfMade { admin });
    }
    let Ok(folder) = folder else {
        return Ok(State::NoFolder { admin });
    };
    let foreign = |why| Ok(State::Foreign { why });
    if !folder.is_dir() {
        return foreign("it is not a folder");
    }
    let shared = admin.join(line(&admin.join("commondir")).unwrap_or_default());
    if shared.canonicalize().ok().as_deref() != Some(common) {
        return foreign("git's record of it leads to another repository");
    }
    let link = path.join(".git");
    if link.symlink_metadata().is_err() {
        fs::write(&link, format!("gitdir: {}\n", admin.display()))?;
    }
    match line(&link) {
        Some(text) if text.strip_prefix("gitdir: ").map(Path::new) == Some(&admin) => {
            Ok(State::Ready { admin })
        }
        Some(_) => foreign("its .git file leads elsewhere"),
        None => foreign("its .git is not the file that git made"),
    }
}

/// Git's half for the worktree at `path`.
fn registered(common: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    let all = common.join("worktrees");
    let entries = match fs::read_dir(&all) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let link = path.join(".git");
    for entry in entries {
        let entry = entry?;
        let admin = entry.path();
        let points_here = line(&admin.join("gitdir")).is_some_and(|to| Path::new(&to) == link);
        // A link among them would lead out of the repository.
        if points_here && entry.file_type()?.is_dir() {
            return Ok(Some(admin));
        }
    }
    Ok(None)
}

/// Where the worktrees of ours in `below` were of which git has a record and no folder is left.
/// Their branches count as checked out, and the lock keeps the user's own prune away.
pub(super) fn without_folder(common: &Path, below: &Path) -> io::Result<Vec<PathBuf>> {
    let below = real(below);
    let mut lost = Vec::new();
    for entry in fs::read_dir(common.join("worktrees")).into_iter().flatten() {
        let entry = entry?;
        let admin = entry.path();
        let ours = line(&admin.join("locked")).is_some_and(|text| text == OURS.trim_end());
        let link = line(&admin.join("gitdir")).map(PathBuf::from);
        let Some(path) = link.as_deref().and_then(Path::parent) else {
            continue;
        };
        let gone = path.symlink_metadata().is_err();
        if ours && gone && path.parent() == Some(&below) && entry.file_type()?.is_dir() {
            lost.push(path.to_path_buf());
        }
    }
    lost.sort();
    Ok(lost)
}

/// The one line of a small, plain file.
fn line(file: &Path) -> Option<String> {
    let meta = file.symlink_metadata().ok()?;
    if !meta.is_file() || meta.len() > LONG {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().is_none())
}

/// Keeps `git worktree prune` of the user's away, also while our disk is not mounted.
pub(super) fn lock(admin: &Path) -> io::Result<()> {
    fs::write(admin.join("locked"), OURS)
}

/// Removes the locks that a killed git left in the admin folder: of the index, of HEAD, of what a
/// merge notes there. Nobody else works in a worktree when rigs writes in it: its run has ended.
pub(super) fn remove_locks(admin: &Path) -> io::Result<()> {
    for entry in fs::read_dir(admin)? {
        let entry = entry?;
        let is_lock = entry.path().extension().is_some_and(|e| e == "lock");
        if is_lock && entry.file_type()?.is_file() {
            missing_is_fine(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

/// Forgets a merge, pick or revert that was begun.
pub(super) fn forget_merge(admin: &Path) -> io::Result<()> {
    for file in ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE"] {
        missing_is_fine(fs::remove_file(admin.join(file)))?;
    }
    Ok(())
}

/// Removes both halves. Killed in between, it is `HalfMade`, and is removed the next time.
pub(super) async fn remove(path: &Path, admin: &Path) -> io::Result<()> {
    fs::write(admin.join(REMOVING), "")?;
    if path.symlink_metadata().is_ok_and(|m| m.is_dir()) {
        missing_is_fine(fs_err::tokio::remove_dir_all(path).await)?;
    }
    fs_err::tokio::remove_dir_all(admin).await
}

/// Writes what git left unwritten when it was killed while it added a worktree, anybody's: until
/// then it refuses every look at all of them. There is only one thing that git writes there.
pub(super) fn mend(common: &Path) -> io::Result<()> {
    const OLD: Duration = Duration::from_secs(10);
    for entry in fs::read_dir(common.join("worktrees")).into_iter().flatten() {
        let file = entry?.path().join("commondir");
        let empty = |m: &std::fs::Metadata| m.is_file() && m.len() == 0;
        let old = file.symlink_metadata().ok().filter(empty).is_some_and(|m| {
            let age = m.modified().map(|at| at.elapsed());
            age.is_ok_and(|age| age.is_ok_and(|passed| passed > OLD))
        });
        if old {
            fs::write(&file, "../..\n")?;
        }
    }
    Ok(())
}

/// Removes `lock` when it is older than `age`; true when it was.
pub(super) fn remove_older(lock: &Path, age: Duration) -> Result<bool, GitError> {
    let old = lock
        .symlink_metadata()
        .and_then(|m| m.modified())
        .is_ok_and(|at| at.elapsed().is_ok_and(|passed| passed > age));
    if old {
        missing_is_fine(fs::remove_file(lock))?;
    }
    Ok(old)
}

fn missing_is_fine(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
