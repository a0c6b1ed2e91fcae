//! The home folder with who may read it, the settings and the policy.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::super::{App, Failure};
use super::Doctor;
use crate::core::text::thousands;

/// What in the home folder may hold work or secrets. The rest is as public as rigs itself.
const PRIVATE: &[&str] = &[
    "config.toml",
    "policy.toml",
    "rigs.db",
    "rigs.db-wal",
    "rigs.db-shm",
    "rigs.db-line",
    "rigs.db-turn",
    "foreman.lock",
    "daemon.lock",
    "agents",
    "backups",
    "logs",
    "outputs",
    "tmp",
    "worktrees",
];

/// Less than this is used up by one build.
const FREE_BYTES: u64 = 1 << 30;

impl Doctor {
    /// Whether there is a home folder that can be used.
    pub(super) fn home(&mut self, app: &App) -> Result<bool, Failure> {
        let home = app.located()?.home;
        let shown = home.display();
        let meta = match std::fs::symlink_metadata(&home) {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let text = format!("{shown} is not there yet");
                self.warning("home", text, "`rigs init` makes it");
                return Ok(false);
            }
            Err(e) => {
                let text = format!("{shown} cannot be looked at: {e}");
                self.problem("home", text, "check the folders that it is in");
                return Ok(false);
            }
        };
        if meta.file_type().is_symlink() || !meta.is_dir() {
            let text = format!("{shown} is no folder, or a link");
            self.problem("home", text, "give the folder itself with --home DIR");
            return Ok(false);
        }
        if meta.uid() != nix::unistd::geteuid().as_raw() {
            let text = format!("{shown} belongs to another user");
            self.problem("home", text, "choose another folder with --home DIR");
            return Ok(false);
        }
        let mut open = Vec::new();
        if meta.mode() & 0o077 != 0 {
            open.push(home.clone());
        }
        for name in PRIVATE {
            let path = home.join(name);
            let meta = std::fs::symlink_metadata(&path);
            if meta.is_ok_and(|m| !m.file_type().is_symlink() && m.mode() & 0o077 != 0) {
                open.push(path);
            }
        }
        if open.is_empty() {
            self.ok("home", format!("{shown}, for you only"));
        } else {
            let names: Vec<String> = open.iter().map(|p| p.display().to_string()).collect();
            let text = format!("other users may read or change {}", names.join(", "));
            self.problem("home", text, "`rigs doctor --fix` or `chmod go-rwx` them");
            if self.fix {
                for path in &open {
                    close(path)?;
                }
                self.was_fixed();
            }
        }
        self.space(&home);
        Ok(true)
    }

    fn space(&mut self, home: &Path) {
        let Ok(disk) = nix::sys::statvfs::statvfs(home) else {
            return;
        };
        // Wider on some systems than on others.
        #[expect(
            clippy::useless_conversion,
            reason = "both numbers are narrower than u64 elsewhere"
        )]
        let free =
            u64::from(disk.blocks_available()).saturating_mul(u64::from(disk.fragment_size()));
        if free < FREE_BYTES {
            let text = format!("only {} MB are free", thousands(free / 1_000_000));
            self.warning(
                "disk",
                text,
                "worktrees and builds need more; free some space",
            );
        }
    }

    /// Whether the settings and the policy can be read.
    pub(super) fn settings(&mut self, app: &App) -> bool {
        let config = match app.config() {
            Ok(config) => config,
            Err(failure) => {
                self.failed("config", &failure);
                return false;
            }
        };
        match &config.file {
            Some(file) => self.ok("config", format!("{} is fine", file.display())),
            None => self.ok("config", "no file; the built-in settings are used"),
        }
        match crate::foreman::rules::open(&config.settings, &config.paths) {
            Ok(live) if live.policy().rules.is_empty() => self.ok("policy", "no rules"),
            Ok(live) => {
                let n = live.policy().rules.len();
                self.ok(
                    "policy",
                    format!("{} is fine, {n} rules", live.file().display()),
                );
            }
            Err(error) => {
                self.failed("policy", &error.into());
                return false;
            }
        }
        true
    }
}

/// For its owner only.
fn close(path: &Path) -> Result<(), Failure> {
    let mode = std::fs::symlink_metadata(path)?.mode();
    Ok(std::fs::set_permissions(
        path,
        Permissions::from_mode(mode & 0o700),
    )?)
}
