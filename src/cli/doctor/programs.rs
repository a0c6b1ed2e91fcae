//! git, and whatever runs beads.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::super::provider::test::examined;
use super::super::{App, Failure};
use super::Doctor;
use crate::process::{self, Limits, Spec, Stdin};

/// Older ones ignore settings that keep a repository from running programs.
const OLDEST_GIT: (u32, u32) = (2, 31);

const LIMITS: Limits = Limits {
    time: Duration::from_secs(20),
    output: 4 * 1024,
};

impl Doctor {
    pub(super) async fn git(&mut self, app: &App) {
        let Some(program) = app.env.find_program("git") else {
            self.problem("git", "not in PATH", "install git 2.31 or newer");
            return;
        };
        let shown = program.display().to_string();
        let spec = Spec {
            program,
            args: vec!["--version".into()],
            env: app.env.child(),
            cwd: "/".into(),
            stdin: Stdin::Null,
        };
        let stop = CancellationToken::new();
        let said = match process::run(&spec, LIMITS, &app.clock, &stop).await {
            Ok(output) if output.exit.success() => output.stdout,
            Ok(output) => {
                let text = format!("{shown} --version failed: {}", output.stderr);
                self.problem("git", text, "run it by hand");
                return;
            }
            Err(error) => {
                self.problem("git", format!("{shown}: {error}"), "run it by hand");
                return;
            }
        };
        match version(&said) {
            Some(found) if found < OLDEST_GIT => {
                let text = format!("{shown} is too old: {}", said.trim());
                self.problem(
                    "git",
                    text,
                    "install git 2.31 or newer, or put it first in PATH",
                );
            }
            Some(_) => self.ok("git", format!("{} at {shown}", said.trim())),
            None => {
                let text = format!("{shown} says no version: {said}");
                self.warning("git", text, "see that `git` in PATH is git");
            }
        }
    }

    /// Each enabled provider, by what costs no tokens.
    pub(super) async fn providers(&mut self, app: &mut App) -> Result<(), Failure> {
        let enabled: Vec<_> = {
            let providers = &app.config()?.settings.providers;
            let on = providers.iter().filter(|(_, entry)| entry.enabled);
            on.map(|(name, _)| name.clone()).collect()
        };
        let mut usable = 0;
        for name in enabled {
            let tested = examined(app, &name).await?;
            if tested.ok {
                usable += 1;
                let details: Vec<&str> = tested.checks.iter().map(|c| c.detail.as_str()).collect();
                self.ok(name.as_str(), details.join(", "));
                continue;
            }
            let failed = tested.checks.iter().find(|c| !c.ok);
            let detail = failed.map_or("cannot be used", |c| c.detail.as_str());
            let next = failed.and_then(|c| c.hint.as_deref());
            let next = next.unwrap_or("`rigs provider test` says more");
            if app.is_detected(&name) {
                // Nobody asked for it.
                self.ok(name.as_str(), format!("not there: {detail}"));
            } else {
                self.warning(name.as_str(), detail, next);
            }
        }
        if usable == 0 {
            self.problem(
                "providers",
                "none can be used, so nothing can run",
                "install Claude Code, Codex or Ollama, or set an API key; then `rigs init`",
            );
        }
        Ok(())
    }
}

/// Of `git version 2.43.0`.
fn version(said: &str) -> Option<(u32, u32)> {
    let number = said.split_whitespace().nth(2)?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_git_is_read_from_what_it_says() {
        assert_eq!(version("git version 2.43.0\n"), Some((2, 43)));
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("busybox"), None);
        assert!(version("git version 2.9.1").is_some_and(|v| v < OLDEST_GIT));
    }
}
