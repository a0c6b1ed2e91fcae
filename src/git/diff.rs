//! What changed between two states.

use std::collections::HashMap;
use std::path::Path;

use super::command::{Call, Place};
use super::{Git, GitError, Repo, names};

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileChange {
    /// From the top of the repository, lossy UTF-8, as git has it: not safe to show.
    pub(crate) path: String,
    /// Lines; 0 for binary files.
    pub(crate) added: u64,
    pub(crate) deleted: u64,
    pub(crate) status: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
    /// A file became a link, or the other way round.
    TypeChanged,
    Conflicted,
}

/// Flags of every diff: no drivers of the repository, no colours, no look into submodules.
const PLAIN: &[&str] = &[
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--no-relative",
    "--ignore-submodules=all",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

impl Repo {
    /// The diff between two commits, at most about `max_bytes` of it: its head and its tail.
    /// Raw: not safe to show.
    pub(crate) async fn diff(
        &self,
        from: &str,
        to: &str,
        max_bytes: usize,
    ) -> Result<String, GitError> {
        let revisions = [names::revision(from)?, names::revision(to)?];
        let args = [PLAIN, &revisions, &["--"]].concat();
        let place = self.checkout();
        let call = self.call(&place, &args).slow().at_most(max_bytes);
        call.text().await
    }

    /// The same with every file taken as text, whatever its attributes say, and whether it is
    /// whole. `old_only` leaves out files that were added.
    pub(crate) async fn diff_as_text(
        &self,
        from: &str,
        to: &str,
        old_only: bool,
        max_bytes: usize,
    ) -> Result<(String, bool), GitError> {
        let revisions = [names::revision(from)?, names::revision(to)?];
        let filter: &[&str] = if old_only { &["--diff-filter=a"] } else { &[] };
        let args = [PLAIN, &["--text"], filter, &revisions, &["--"]].concat();
        let place = self.checkout();
        let call = self.call(&place, &args).slow().at_most(max_bytes);
        let text = call.text().await?;
        let is_whole = text.len() <= max_bytes;
        Ok((text, is_whole))
    }

    /// The same of these files only.
    pub(crate) async fn diff_of(
        &self,
        from: &str,
        to: &str,
        files: &[String],
        max_bytes: usize,
    ) -> Result<String, GitError> {
        if files.is_empty() {
            return Ok(String::new());
        }
        let revisions = [names::revision(from)?, names::revision(to)?];
        let paths: Vec<String> = files.iter().map(|f| format!(":(top,literal){f}")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let args = [PLAIN, &revisions, &["--"], &paths].concat();
        let place = self.checkout();
        let call = self.call(&place, &args).slow().at_most(max_bytes);
        call.text().await
    }

    /// The files that differ between two commits.
    pub(crate) async fn diff_stat(
        &self,
        from: &str,
        to: &str,
    ) -> Result<Vec<FileChange>, GitError> {
        stat(&self.git, &self.checkout(), &[from, to]).await
    }
}

/// The files that differ between two commits, or between one and the files.
pub(super) async fn stat(
    git: &Git,
    place: &Place,
    revisions: &[&str],
) -> Result<Vec<FileChange>, GitError> {
    for revision in revisions {
        names::revision(revision)?;
    }
    let args = [PLAIN, &["--raw", "--numstat", "-z"], revisions, &["--"]].concat();
    Ok(parse(&Call::new(git, place, &args).slow().text().await?))
}

/// First `:old new id id STATUS`, path for each file, then `added TAB deleted TAB path`; each
/// field ends with a NUL. Binary files have `-` for both numbers.
fn parse(output: &str) -> Vec<FileChange> {
    let mut changes: Vec<FileChange> = Vec::new();
    let mut at: HashMap<&str, usize> = HashMap::new();
    let mut fields = output.split('\0');
    while let Some(field) = fields.next() {
        if let Some(raw) = field.strip_prefix(':') {
            let status = raw.split(' ').nth(4).unwrap_or_default();
            let path = fields.next().unwrap_or_default();
            // A file in conflict comes twice.
            if at.contains_key(path) {
                continue;
            }
            at.insert(path, changes.len());
            changes.push(FileChange {
                path: path.to_owned(),
                added: 0,
                deleted: 0,
                status: match status.chars().next() {
                    Some('A') => Change::Added,
                    Some('D') => Change::Deleted,
                    Some('T') => Change::TypeChanged,
                    Some('U') => Change::Conflicted,
                    _ => Change::Modified,
                },
            });
        } else if let [added, deleted, path] = field.splitn(3, '\t').collect::<Vec<_>>()[..]
            && let Some(change) = at.get(path).and_then(|at| changes.get_mut(*at))
        {
            change.added = added.parse().unwrap_or(0);
            change.deleted = deleted.parse().unwrap_or(0);
        }
    }
    changes
}

/// What `status` says of files that git does not track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untracked {
    Count,
    LeaveOut,
}

/// Paths that differ from HEAD, in the index or on disk.
pub(super) async fn status(
    git: &Git,
    place: &Place,
    untracked: Untracked,
) -> Result<Vec<String>, GitError> {
    let args = [
        "status",
        "--porcelain",
        "-z",
        "--no-renames",
        "--ignore-submodules=all",
        match untracked {
            Untracked::Count => "--untracked-files=normal",
            Untracked::LeaveOut => "--untracked-files=no",
        },
    ];
    let output = Call::new(git, place, &args).slow().text().await?;
    // Two letters and a space before each path.
    let paths = output.split('\0').filter_map(|entry| entry.get(3..));
    Ok(paths.map(str::to_owned).collect())
}

/// Lines of a file that git does not track, as numstat would count them. Links are not
/// followed; of large files, and files that are no text, nothing is counted.
pub(super) fn lines_of(path: &Path) -> u64 {
    const LARGE: u64 = 4 << 20;
    let plain = path
        .symlink_metadata()
        .is_ok_and(|m| m.is_file() && m.len() <= LARGE);
    match plain.then(|| std::fs::read(path)) {
        Some(Ok(bytes)) if !bytes.contains(&0) => {
            bytes.split_inclusive(|byte| *byte == b'\n').count() as u64
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_and_numbers_are_joined_by_path() {
        let output = [
            ":100644 100644 1 2 M",
            "a b",
            ":000000 100644 0 1 A",
            "new\nline",
            ":100644 120000 1 2 T",
            "link",
            ":100644 000000 1 0 D",
            "bin",
            "1\t2\ta b",
            "3\t0\tnew\nline",
            "1\t1\tlink",
            "-\t-\tbin",
            "",
        ];
        let change = |path: &str, added, deleted, status| FileChange {
            path: path.into(),
            added,
            deleted,
            status,
        };
        assert_eq!(
            parse(&output.join("\0")),
            [
                change("a b", 1, 2, Change::Modified),
                change("new\nline", 3, 0, Change::Added),
                change("link", 1, 1, Change::TypeChanged),
                change("bin", 0, 0, Change::Deleted),
            ]
        );
    }
}
