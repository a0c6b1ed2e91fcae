//! The environment of the process, taken once and passed on as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

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

    pub(crate) fn cwd(&self) -> &std::path::Path {
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
        child
            .entry("PATH".into())
            .or_insert_with(|| "/usr/local/bin:/usr/bin:/bin".into());
        child.insert("TERM".into(), "dumb".into());
        child
    }

    /// The absolute path of a program: itself when it is one, else the first executable file of
    /// that name in PATH. Relative entries of PATH are skipped: they could lead into a worktree.
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        let executable = |path: &std::path::Path| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(path)
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        if name.contains('/') {
            let path = self.cwd.join(name);
            return executable(&path).then_some(path);
        }
        let path = self
            .os("PATH")
            .unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        std::env::split_paths(path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join(name))
            .find(|candidate| executable(candidate))
    }
}

/// Values stay out: some of them are keys.
impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Env({} variables)", self.vars.len())
    }
}
