//! The policy in force: the file is looked at again and again, and the newest version of it that
//! can be read holds. What cannot be read changes nothing. The only part of the policy that
//! touches the disk.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::read::read;
use super::rule::Policy;
use crate::config::problem::{Problem, place};
use crate::config::{Origin, origin::Place};
use crate::core::Timestamp;

/// A larger file is a mistake.
const MAX_FILE: u64 = 1 << 20;
/// A change counts when it was there this long: whoever writes a file does so in more than one
/// step, and half a policy must not come into force.
const SETTLE: Duration = Duration::from_millis(200);

/// Why there is no policy, or no new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PolicyError {
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Problem>),
    #[error("cannot read the policy {}: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
}

impl PolicyError {
    /// Where the first problem is, for an event: line and column from 1.
    pub(crate) fn place(&self) -> Option<(usize, usize)> {
        match self {
            Self::Invalid(problems) => place(problems),
            Self::Unreadable { .. } => None,
        }
    }
}

/// What a look at the file found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Another policy holds from now on.
    Loaded,
    /// The file is no policy; the one before holds on.
    Refused(PolicyError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content([u8; 32]);

#[derive(Debug)]
pub(crate) struct Live {
    file: Arc<PathBuf>,
    policy: Arc<Policy>,
    /// As the file was when it was last taken, well or not; `None`: it was not there.
    taken: Option<(Stamp, Content)>,
    /// A change that is not old enough yet, and since when it is there.
    fresh: Option<(Option<Content>, Timestamp)>,
    settle: Duration,
}

/// Reads the policy once. Where no file is, and none was named, there are no rules.
pub(crate) fn open(file: &Path, was_named: bool) -> Result<Live, PolicyError> {
    let file = Arc::new(file.to_owned());
    let found = look_at(&file).map_err(|reason| unreadable(&file, &reason))?;
    let (policy, taken) = match found {
        Some((stamp, bytes)) => {
            let policy = read(&file, &bytes).map_err(PolicyError::Invalid)?;
            (policy, Some((stamp, content(&bytes))))
        }
        None if was_named => return Err(unreadable(&file, "there is no such file")),
        None => (Policy::default(), None),
    };
    Ok(Live {
        file,
        policy: Arc::new(policy),
        taken,
        fresh: None,
        settle: SETTLE,
    })
}

impl Live {
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Looks whether the file has changed; with `at_once` the change counts however new it is.
    pub(crate) fn look(&mut self, now: Timestamp, at_once: bool) -> Option<Change> {
        if !at_once && self.fresh.is_none() && stamp(&self.file).as_ref() == self.stamp() {
            return None;
        }
        let found = match look_at(&self.file) {
            Ok(found) => found,
            Err(reason) => {
                // Told once, and tried again when the file has changed.
                let stamp = stamp(&self.file)?;
                self.taken = Some((stamp, Content([0; 32])));
                return Some(Change::Refused(unreadable(&self.file, &reason)));
            }
        };
        let is = found.as_ref().map(|(_, bytes)| content(bytes));
        if is == self.taken.as_ref().map(|(_, content)| *content) {
            self.fresh = None;
            if let (Some((stamp, _)), Some((taken, _))) = (found, &mut self.taken) {
                *taken = stamp;
            }
            return None;
        }
        let since = match &self.fresh {
            Some((there, since)) if *there == is => *since,
            Some(_) | None => now,
        };
        if !at_once && now.since(since) < self.settle {
            self.fresh = Some((is, since));
            return None;
        }
        self.fresh = None;
        self.taken = found
            .as_ref()
            .map(|(stamp, bytes)| (stamp.clone(), content(bytes)));
        Some(match self.take(found.map(|(_, bytes)| bytes)) {
            Ok(policy) => {
                self.policy = Arc::new(policy);
                Change::Loaded
            }
            Err(error) => Change::Refused(error),
        })
    }

    fn stamp(&self) -> Option<&Stamp> {
        self.taken.as_ref().map(|(stamp, _)| stamp)
    }

    /// A file that vanished or was emptied lifts no rule: that is seldom what was meant.
    fn take(&self, bytes: Option<Vec<u8>>) -> Result<Policy, PolicyError> {
        match bytes {
            None => Err(unreadable(&self.file, "it is gone")),
            Some(bytes) if bytes.is_empty() => {
                let at = Origin::File(Place::at(&self.file, "", 0));
                let problem = Problem::new(&at, "", "is empty")
                    .hint("write a comment into it to have no rules");
                Err(PolicyError::Invalid(vec![problem]))
            }
            Some(bytes) => read(&self.file, &bytes).map_err(PolicyError::Invalid),
        }
    }
}

fn unreadable(file: &Path, reason: &str) -> PolicyError {
    PolicyError::Unreadable {
        file: file.to_owned(),
        reason: reason.to_owned(),
    }
}

fn content(bytes: &[u8]) -> Content {
    Content(Sha256::digest(bytes).into())
}

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(file).ok()?;
    Some(Stamp {
        modified: (meta.mtime(), meta.mtime_nsec()),
        size: meta.len(),
        inode: meta.ino(),
    })
}

/// The file's bytes with what they were read from; `None` where there is no file.
fn look_at(path: &Path) -> Result<Option<(Stamp, Vec<u8>)>, String> {
    let Some(stamp) = stamp(path) else {
        return match std::fs::symlink_metadata(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.to_string()),
            Ok(_) => Err("it leads nowhere".to_owned()),
        };
    };
    // A pipe would never end.
    if !std::fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
        return Err("it is no file".to_owned());
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(Some((stamp, bytes)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::policy::{Action, Facts, evaluate};

    const DENY: &str = "[[rule]]\nname = \"no\"\naction = \"deny\"\n";
    const WARN: &str = "[[rule]]\nname = \"careful\"\naction = \"warn\"\n";

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn opened(text: &str) -> (tempfile::TempDir, PathBuf, Live) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        std::fs::write(&file, text).unwrap();
        let live = open(&file, true).unwrap();
        (dir, file, live)
    }

    fn action(live: &Live) -> Action {
        evaluate(live.policy(), &Facts::default(), at(0)).action
    }

    #[test]
    fn without_a_file_there_are_no_rules_unless_one_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        assert_eq!(**open(&file, false).unwrap().policy(), Policy::default());
        assert!(
            open(&file, true)
                .unwrap_err()
                .to_string()
                .ends_with("there is no such file")
        );
        assert!(
            open(dir.path(), true)
                .unwrap_err()
                .to_string()
                .ends_with("it is no file")
        );
    }

    #[test]
    fn a_change_counts_once_it_stays_and_at_once_when_asked_for() {
        let (_dir, file, mut live) = opened(DENY);
        assert_eq!(live.look(at(0), false), None);
        std::fs::write(&file, WARN).unwrap();
        assert_eq!(live.look(at(100), false), None);
        assert_eq!(live.look(at(250), false), None);
        assert_eq!(live.look(at(300), false), Some(Change::Loaded));
        assert_eq!(action(&live), Action::Warn);
        assert_eq!(live.look(at(400), false), None);
        std::fs::write(&file, DENY).unwrap();
        assert_eq!(live.look(at(401), true), Some(Change::Loaded));
        assert_eq!(action(&live), Action::Deny);
    }

    #[test]
    fn half_a_file_never_comes_into_force() {
        let (_dir, file, mut live) = opened(DENY);
        // The first rule alone would be a policy too, and a milder one.
        let whole = format!("{WARN}\n{DENY}");
        std::fs::write(&file, &whole[..WARN.len()]).unwrap();
        assert_eq!(live.look(at(0), false), None);
        std::fs::write(&file, &whole).unwrap();
        assert_eq!(live.look(at(250), false), None);
        assert_eq!(live.look(at(500), false), Some(Change::Loaded));
        assert_eq!(live.policy().rules.len(), 2);
    }

    #[test]
    fn a_broken_empty_or_vanished_file_keeps_the_old_rules_and_is_told_once() {
        let (_dir, file, mut live) = opened(DENY);
        let hash = Arc::clone(&live.policy().hash);
        let mut now = 0;
        let mut told = |live: &mut Live| {
            let mut all = Vec::new();
            for _ in 0..5 {
                now += 300;
                all.extend(live.look(at(now), false));
            }
            let [Change::Refused(error)] = &all[..] else {
                panic!("{all:?}");
            };
            (
                error.place(),
                error.to_string().lines().next().unwrap().to_owned(),
            )
        };
        std::fs::write(&file, format!("{DENY}\nacton = 3\n")).unwrap();
        let (place, text) = told(&mut live);
        assert_eq!(place, Some((5, 1)));
        assert!(
            text.ends_with("policy.toml:5:1: `rule 1.acton`: is not known"),
            "{text}"
        );
        std::fs::write(&file, "").unwrap();
        assert_eq!(told(&mut live).0, Some((1, 1)));
        std::fs::remove_file(&file).unwrap();
        assert!(told(&mut live).1.ends_with("it is gone"));
        assert_eq!(live.policy().hash, hash);
        assert_eq!(action(&live), Action::Deny);
        // The same again is no change, and a good one ends it.
        std::fs::write(&file, WARN).unwrap();
        assert_eq!(live.look(at(9000), true), Some(Change::Loaded));
    }

    #[test]
    fn under_load_every_decision_is_by_one_version_that_was_whole() {
        let (dir, file, mut live) = opened(DENY);
        live.settle = Duration::ZERO;
        let versions: Vec<String> = (0..5)
            .map(|n| format!("{DENY}[[rule]]\nname = \"v{n}\"\naction = \"warn\"\n"))
            .collect();
        let valid: BTreeSet<Arc<str>> = versions
            .iter()
            .map(String::as_str)
            .chain([DENY])
            .map(|text| read(&Arc::new(file.clone()), text.as_bytes()).unwrap().hash)
            .collect();
        let is_over = AtomicBool::new(false);
        let (mut loaded, mut refused, mut seen) = (0, 0, BTreeSet::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut n = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let draft = dir.path().join("draft");
                    std::fs::write(&draft, &versions[n % versions.len()]).unwrap();
                    std::fs::rename(&draft, &file).unwrap();
                    // And broken ones, in place, so that parts of them are seen.
                    std::fs::write(&file, "]broken\n".repeat(n % 7)).unwrap();
                    n += 1;
                }
            });
            let mut decisions = 0;
            while decisions < 2_000 || ((loaded < 3 || refused < 3) && decisions < 2_000_000) {
                match live.look(at(decisions), false) {
                    Some(Change::Loaded) => loaded += 1,
                    Some(Change::Refused(_)) => refused += 1,
                    None => {}
                }
                let verdict = evaluate(live.policy(), &Facts::default(), at(decisions));
                assert_eq!(verdict.action, Action::Deny);
                seen.insert(verdict.hash);
                decisions += 1;
            }
            is_over.store(true, Ordering::Relaxed);
        });
        assert!(seen.is_subset(&valid), "{seen:?}");
        assert!(
            loaded >= 3 && refused >= 3,
            "{loaded} loaded, {refused} refused"
        );
    }
}
