//! Lists the files of a repository, bounded: shallow first, so that the top of a huge tree is
//! seen whole.

use std::collections::VecDeque;
use std::path::Path;

use crate::core::text::clean;

/// Entries looked at in all; a tree larger than this is seen in part.
pub(super) const MAX_ENTRIES: usize = 20_000;
/// Entries of one folder; a folder of data must not hide the rest.
const MAX_IN_FOLDER: usize = 2000;
const MAX_DEPTH: usize = 12;

/// Folders that hold what others wrote or what a build made.
const SKIPPED: &[&str] = &[
    "node_modules",
    "target",
    "vendor",
    "third_party",
    "dist",
    "__pycache__",
    "venv",
    "bower_components",
    "Pods",
];

/// Regular files below `root`, relative, with `/` between the parts, and whether there are more.
/// Links, hidden names and names that would not survive being shown are left out.
pub(super) fn files(root: &Path) -> (Vec<String>, bool) {
    let mut found = Vec::new();
    let mut cut = false;
    let mut seen = 0;
    let mut folders = VecDeque::from([(String::new(), 0)]);
    while let Some((folder, depth)) = folders.pop_front() {
        let Ok(entries) = fs_err::read_dir(root.join(&folder)) else {
            continue;
        };
        let mut here = Vec::new();
        for entry in entries {
            if here.len() == MAX_IN_FOLDER || seen == MAX_ENTRIES {
                cut = true;
                break;
            }
            seen += 1;
            let Ok(entry) = entry else { continue };
            // Of the entry itself, never of what a link points to.
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if is_wanted(&name) {
                here.push((name, kind));
            }
        }
        here.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, kind) in here {
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir() && !is_skipped(&path) {
                if depth < MAX_DEPTH {
                    folders.push_back((path, depth + 1));
                } else {
                    cut = true;
                }
            }
        }
    }
    (found, cut)
}

fn is_wanted(name: &str) -> bool {
    !name.starts_with('.') && name.len() <= 200 && clean(name) == name && !name.contains('\n')
}

fn is_skipped(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    SKIPPED.contains(&name)
}
