//! The environment of the process, taken once and passed on as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Variables and working directory as they were at the start.
#[derive(Clone, Default)]
pub(crate) struct Env {
    vars: BTreeMap<String, OsString>,
    cwd: PathBuf,
}

impl Env {
    /// Variables whose name is not UTF-8 are left out: nothing here could name them.
    pub(crate) fn new(vars: impl IntoIterator<Item = (OsString, OsString)>, cwd: PathBuf) -> Self {
        let vars = vars
            .into_iter()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v)))
            .collect();
        Self { vars, cwd }
    }

    /// A variable that is set, not empty and UTF-8.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .and_then(|v| v.to_str())
            .filter(|v| !v.is_empty())
    }

    pub(crate) fn os(&self, name: &str) -> Option<&OsStr> {
        self.vars
            .get(name)
            .map(OsString::as_os_str)
            .filter(|v| !v.is_empty())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.vars.iter().map(|(k, v)| (k.as_str(), v.as_os_str()))
    }

    pub(crate) fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// The variables that every child gets: enough to find programs, a home, a locale and a
    /// temporary folder, and nothing that carries a secret or changes an agent's behaviour.
    pub(crate) fn child(&self) -> BTreeMap<String, OsString> {
        const PASSED: &[&str] = &[
            "PATH",
            "HOME",
            "USER",
            "LOGNAME",
            "SHELL",
            "LANG",
            "LC_ALL",
            "LC_CTYPE",
            "TZ",
            "TMPDIR",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "XDG_CACHE_HOME",
            "XDG_RUNTIME_DIR",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "GOPATH",
            "GOCACHE",
            "JAVA_HOME",
            "NVM_DIR",
            "PYENV_ROOT",
            "VIRTUAL_ENV",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "NODE_EXTRA_CA_CERTS",
        ];
        let mut child: BTreeMap<String, OsString> = PASSED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.os(name)?.to_owned())))
            .collect();
        let folders = self.folders();
        let path = std::env::join_paths(&folders).ok();
        child.insert(
            "PATH".into(),
            path.filter(|path| !path.is_empty())
                .unwrap_or_else(|| USUAL.into()),
        );
        child.insert("TERM".into(), "dumb".into());
        child
    }

    /// The folders of PATH. Relative ones are left out, and with them the empty one, which is
    /// whatever folder one stands in: it could be a worktree.
    fn folders(&self) -> Vec<PathBuf> {
        let path = self.os("PATH").unwrap_or(OsStr::new(USUAL));
        std::env::split_paths(path)
            .filter(|dir| dir.is_absolute())
            .collect()
    }

    /// The absolute path of a program: itself when it is one, else the first executable file of
    /// that name in PATH that a repository or another user cannot have put there: what lies in
    /// the repository around the working folder, or may be written by anybody, is passed over.
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        self.candidates(name)
            .into_iter()
            .find(|path| name.contains('/') || self.distrust(path).is_none())
    }

    /// The same for what only checks or prepares work of a repository, with its rights and
    /// without anybody's keys: there the repository's own tools are meant.
    pub(crate) fn find_tool(&self, name: &str) -> Option<PathBuf> {
        self.candidates(name).into_iter().next()
    }

    /// What `find_program` passed over, and why; for a person who has it and wonders.
    pub(crate) fn passed_over(&self, name: &str) -> Option<String> {
        let path = self.candidates(name).into_iter().next()?;
        let why = self.distrust(&path)?;
        Some(format!("{} is not taken: {why}", path.display()))
    }

    /// Every executable file that the name may mean.
    fn candidates(&self, name: &str) -> Vec<PathBuf> {
        let executable = |path: &PathBuf| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(path)
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        let all = if name.contains('/') {
            vec![self.cwd.join(name)]
        } else {
            self.folders().iter().map(|dir| dir.join(name)).collect()
        };
        all.into_iter().filter(executable).collect()
    }

    /// Why a program that was only named must not be taken from there.
    fn distrust(&self, program: &Path) -> Option<&'static str> {
        use std::os::unix::fs::PermissionsExt;
        const ANYBODY: u32 = 0o002;
        const STICKY: u32 = 0o1000;
        let mode = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.permissions().mode());
        let folder = program.parent()?;
        if mode(program) & ANYBODY != 0 || mode(folder) & (ANYBODY | STICKY) == ANYBODY {
            return Some("anybody may write there");
        }
        let root = self.repository()?;
        lies_in(folder, root).then_some("it lies in the repository; give its path if you mean it")
    }

    /// The repository around the working folder. One that holds the home folder itself keeps a
    /// person's own files, and is not what this is about.
    fn repository(&self) -> Option<&Path> {
        let root = self
            .cwd
            .ancestors()
            .find(|dir| dir.join(".git").symlink_metadata().is_ok())?;
        let home = self.os("HOME").map(Path::new);
        (!home.is_some_and(|home| lies_in(home, root))).then_some(root)
    }
}

/// Where programs are when nobody says it.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin";

/// Whether a folder is `root` or in it, by its name or by where it leads.
pub(crate) fn lies_in(folder: &Path, root: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    folder.starts_with(root) || real(folder).starts_with(real(root))
}

/// Values stay out: some of them are keys.
impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env({} variables)", self.vars.len())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use pretty_assertions::assert_eq;

    use super::*;

    /// Folders with an executable `tool` each, and an environment that stands in `cwd`.
    fn tools(root: &Path, dirs: &[&str], path: &str, cwd: &str) -> Env {
        for dir in dirs {
            let dir = root.join(dir);
            std::fs::create_dir_all(&dir).unwrap();
            mode(&dir, 0o755);
            std::fs::write(dir.join("tool"), "#!/bin/sh\n").unwrap();
            mode(&dir.join("tool"), 0o755);
        }
        let path = path.replace('@', &root.to_string_lossy());
        let home = root.join("home").into_os_string();
        let vars = [("PATH".into(), path.into()), ("HOME".into(), home)];
        Env::new(vars, root.join(cwd))
    }

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_program_that_is_only_named_never_comes_from_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let dirs = ["repo/bin", "usr/bin", "home", "open"];
        let path = ":.:bin:@/repo/bin:@/link:@/open:@/usr/bin";
        std::fs::create_dir_all(root.join("repo/.git")).unwrap();
        std::fs::create_dir_all(root.join("repo/src")).unwrap();
        symlink(root.join("repo/bin"), root.join("link")).unwrap();
        let at = |cwd: &str| tools(root, &dirs, path, cwd);
        let found = |env: &Env, name: &str| {
            let found = env.find_program(name)?;
            Some(found.strip_prefix(root).unwrap().to_owned())
        };
        let env = at("repo/src");
        mode(&root.join("open"), 0o777);
        assert_eq!(found(&env, "tool"), Some("usr/bin/tool".into()));
        assert_eq!(
            env.passed_over("tool"),
            Some(format!(
                "{} is not taken: it lies in the repository; give its path if you mean it",
                root.join("repo/bin/tool").display()
            ))
        );
        // Its own tools are what checks its work.
        assert_eq!(env.find_tool("tool"), Some(root.join("repo/bin/tool")));
        // What was named by its path was meant.
        let given = root.join("repo/bin/tool");
        assert_eq!(env.find_program(&given.to_string_lossy()), Some(given));
        // Nobody stands in a repository: only what anybody may write is left out.
        std::fs::remove_dir(root.join("repo/.git")).unwrap();
        std::fs::remove_file(root.join("repo/bin/tool")).unwrap();
        assert_eq!(found(&env, "tool"), Some("usr/bin/tool".into()));
        mode(&root.join("usr/bin/tool"), 0o757);
        assert_eq!(found(&env, "tool"), None);
        // As for /tmp, where nobody can put another file in the place of one.
        mode(&root.join("open"), 0o1777);
        assert_eq!(found(&env, "tool"), Some("open/tool".into()));
    }

    #[test]
    fn a_repository_of_the_whole_home_folder_hides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("home/.git")).unwrap();
        let env = tools(
            root,
            &["home/.local/bin"],
            "@/home/.local/bin",
            "home/notes",
        );
        let own = root.join("home/.local/bin/tool");
        assert_eq!(env.find_program("tool"), Some(own));
    }

    #[test]
    fn a_child_gets_no_folder_in_its_path_that_depends_on_where_it_stands() {
        for (path, want) in [
            (".:/usr/bin::bin:../bin:/bin:", "/usr/bin:/bin"),
            (".", USUAL),
            ("", USUAL),
        ] {
            let vars = [("PATH".into(), path.into()), ("SECRET".into(), "x".into())];
            let child = Env::new(vars, "/".into()).child();
            let want = BTreeMap::from([
                ("PATH".to_owned(), OsString::from(want)),
                ("TERM".to_owned(), "dumb".into()),
            ]);
            assert_eq!(child, want, "{path}");
        }
    }
}
