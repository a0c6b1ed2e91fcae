//! What of the user's own configuration is kept, though its files are not read otherwise: who
//! the author is, and what decides how files compare.

use std::collections::BTreeSet;
use std::path::Path;

use super::command::{Call, Place};
use super::{Git, GitError};
use crate::core::text;

/// Who commits.
pub(super) const COMMITTER: (&str, &str) = ("rigs", "rigs@localhost");

/// Settings that change which files are seen or how their content compares with the store.
/// They run nothing.
const CARRIED: &[&str] = &[
    "core.excludesfile",
    "core.autocrlf",
    "core.eol",
    "core.ignorecase",
    "core.precomposeunicode",
];

/// The user, as git knows them for this repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    /// Author of the commits. Where git knows none, which is so on a fresh machine, it is the
    /// committer, `rigs <rigs@localhost>`.
    pub(super) name: String,
    pub(super) email: String,
    pub(super) carried: Vec<(String, String)>,
    /// Filters that the user's git would run here, and ours does not.
    pub(super) filters: BTreeSet<String>,
}

impl User {
    /// `safe` is what [`safe_directories`] found.
    pub(super) async fn read(
        git: &Git,
        place: &Place,
        safe: Vec<(String, String)>,
    ) -> Result<Self, GitError> {
        let list = Call::new(git, place, &["config", "--null", "--list"]).with_user_files();
        let mut user = Self::parse(&list.text().await?);
        user.carried.extend(safe);
        Ok(user)
    }

    /// Reads `key\nvalue\0`; of several values the last one counts.
    fn parse(list: &str) -> Self {
        let entries = || list.split('\0').filter_map(|entry| entry.split_once('\n'));
        let last = |key: &str| entries().rev().find(|(k, _)| *k == key).map(|(_, v)| v);
        let carried = CARRIED
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), last(key)?.to_owned())))
            .collect();
        let filters = entries()
            .filter_map(|(key, _)| key.strip_prefix("filter.")?.rsplit_once('.'))
            .map(|(name, _)| name.to_owned())
            .collect();
        Self {
            name: person(last("user.name")).unwrap_or_else(|| COMMITTER.0.into()),
            email: person(last("user.email")).unwrap_or_else(|| COMMITTER.1.into()),
            carried,
            filters,
        }
    }
}

/// Without what git refuses in a name; `None` when nothing is left.
fn person(text: Option<&str>) -> Option<String> {
    let line: String = text::one_line(text?, 200)
        .chars()
        .filter(|c| !matches!(c, '<' | '>'))
        .collect();
    let crud = |c: char| c.is_whitespace() || ".,:;\"\\'".contains(c);
    let line = line.trim_matches(crud);
    (!line.is_empty()).then(|| line.to_owned())
}

/// Folders that the user told git to trust though they belong to someone else. Git takes this
/// from the user's and the system's files only, so that it must be carried into every look.
///
/// The first call of all; it also proves that git heeds the settings it is given.
pub(super) async fn safe_directories(git: &Git) -> Result<Vec<(String, String)>, GitError> {
    let nowhere = Place::folder(Path::new("/"), Vec::new());
    let args = ["config", "--null", "--show-scope", "--list"];
    let done = Call::new(git, &nowhere, &args)
        .with_user_files()
        .run()
        .await?;
    if !done.exit.success() {
        return Err(done.failed());
    }
    let mut fields = done.stdout.split('\0');
    let mut safe = Vec::new();
    let mut heeds = false;
    while let (Some(scope), Some(entry)) = (fields.next(), fields.next()) {
        heeds |= (scope, entry) == ("command", "core.hookspath\n/dev/null");
        if let Some(folder) = entry.strip_prefix("safe.directory\n")
            && matches!(scope, "system" | "global")
        {
            safe.push(("safe.directory".to_owned(), folder.to_owned()));
        }
    }
    if heeds {
        Ok(safe)
    } else {
        Err(GitError::TooOld)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_is_the_users_or_else_rigs() {
        let list = "user.name\nOld\0user.name\nAda <L>\u{1b}[1m\0filter.lfs.clean\nx\0\
                    core.autocrlf\ninput\0user.email\n <> \0";
        assert_eq!(
            User::parse(list),
            User {
                name: "Ada L".into(),
                email: "rigs@localhost".into(),
                carried: vec![("core.autocrlf".into(), "input".into())],
                filters: BTreeSet::from(["lfs".to_owned()]),
            }
        );
        assert_eq!(User::parse("user.name\n.,;\0").name, "rigs");
    }
}
