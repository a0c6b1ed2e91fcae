//! The home folder: where it is, and that nobody else can write to it. What lies in it decides
//! which programs run, so a folder that others can change is refused.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::env::Env;

/// Why there is no home folder. The path is shown as the person gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HomeError {
    #[error("HOME is not set, so there is no place for the home folder of rigs")]
    Unknown,
    #[error("the current folder is not known, so a relative home folder means nothing")]
    NoCurrentDir,
    #[error("the home folder {path} is a symbolic link")]
    Symlink { path: String },
    #[error("the home folder {path} is not a folder")]
    NotADir { path: String },
    #[error("the home folder {path} belongs to another user")]
    NotOurs { path: String },
    #[error("other users can write to the home folder {path}")]
    Open { path: String },
    #[error("cannot use the home folder {path}: {reason}")]
    Io { path: String, reason: String },
}

/// `--home`, `RIGS_HOME`, or `.rigs` in the user's home; always absolute.
pub(crate) fn locate(env: &Env, flag: Option<&Path>) -> Result<PathBuf, HomeError> {
    let given = flag
        .map(Path::to_owned)
        .or_else(|| env.os("RIGS_HOME").map(PathBuf::from));
    let home = match given {
        Some(given) => expand(env, &given),
        None => user_home(env).ok_or(HomeError::Unknown)?.join(".rigs"),
    };
    if home.is_absolute() {
        Ok(home)
    } else if env.cwd().is_absolute() {
        Ok(env.cwd().join(home))
    } else {
        Err(HomeError::NoCurrentDir)
    }
}

fn user_home(env: &Env) -> Option<PathBuf> {
    env.os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
}

/// `~/x` as the user's shell would read it; other paths as they are.
pub(crate) fn expand(env: &Env, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), user_home(env)) {
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_), None) | (Err(_), _) => path.to_owned(),
    }
}

/// Creates the folder, for its owner only, where it is missing, and checks it where it is not.
/// True when it was created.
pub(crate) fn prepare(home: &Path) -> Result<bool, HomeError> {
    let path = || home.display().to_string();
    let io = |e: std::io::Error| HomeError::Io {
        path: path(),
        reason: e.to_string(),
    };
    let created = match fs_err::symlink_metadata(home) {
        Ok(_) => false,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(home)
                .map_err(io)?;
            true
        }
        Err(e) => return Err(io(std::io::Error::from(e.kind()))),
    };
    let meta = std::fs::symlink_metadata(home).map_err(io)?;
    if meta.file_type().is_symlink() {
        Err(HomeError::Symlink { path: path() })
    } else if !meta.is_dir() {
        Err(HomeError::NotADir { path: path() })
    } else if meta.uid() != nix::unistd::geteuid().as_raw() {
        Err(HomeError::NotOurs { path: path() })
    } else if meta.mode() & 0o022 != 0 {
        Err(HomeError::Open { path: path() })
    } else {
        // Made by hand, and others could read it. Only what is ours for certain is closed:
        // somebody may keep the store in a folder with other things.
        if meta.mode() & 0o077 != 0 && home.join("rigs.db").exists() {
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(home, private).map_err(io)?;
        }
        Ok(created)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars = vars.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Env::new(vars, PathBuf::from("/here"))
    }

    #[test]
    fn the_flag_wins_over_the_variable_over_the_default() {
        let both = env(&[("HOME", "/home/a"), ("RIGS_HOME", "rel")]);
        assert_eq!(
            locate(&both, Some(Path::new("~/x"))),
            Ok("/home/a/x".into())
        );
        assert_eq!(locate(&both, None), Ok("/here/rel".into()));
        assert_eq!(
            locate(&env(&[("HOME", "/home/a")]), None),
            Ok("/home/a/.rigs".into())
        );
        assert_eq!(locate(&env(&[]), None), Err(HomeError::Unknown));
        assert_eq!(
            locate(&env(&[("HOME", "relative")]), None),
            Err(HomeError::Unknown)
        );
    }

    #[test]
    fn a_new_home_is_private_and_a_shared_or_linked_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("a/b");
        assert_eq!(prepare(&home), Ok(true));
        assert_eq!(prepare(&home), Ok(false));
        let mode = std::fs::metadata(&home).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);

        // One with a store in it that others could read is closed to them.
        std::fs::write(home.join("rigs.db"), "").unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(prepare(&home), Ok(false));
        let mode = std::fs::metadata(&home).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);

        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(prepare(&home), Err(HomeError::Open { .. })));

        let link = dir.path().join("link");
        symlink(&home, &link).unwrap();
        assert!(matches!(prepare(&link), Err(HomeError::Symlink { .. })));

        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(prepare(&file), Err(HomeError::NotADir { .. })));
    }
}
