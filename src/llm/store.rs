//! The models of this machine: GGUF files in one folder, fetched (`pull`) or brought in (`add`),
//! each with its checksum in a manifest. The folder looks like this:
//!
//! ```text
//! models/manifest.json      what is here, written whole and renamed into place
//! models/NAME.gguf          one file per model
//! models/NAME.gguf.part     a download that goes on where it stopped
//! models/.fetch/            private to a running fetch
//! models/.lock              held by whoever changes any of this
//! ```

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::core::text::{one_line, thousands};
use crate::core::{Clock, Timestamp};

pub(crate) mod catalog;
mod disk;
mod fetch;
mod gguf;
mod https;
mod manifest;
mod pip;

pub(crate) use catalog::{KNOWN, Published, SMALL};
pub(crate) use fetch::Tools;
use manifest::{Entry, Manifest};

/// Where a model of the store came from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// Fetched from where it is published.
    Pulled,
    /// The user's own file.
    Added,
}

/// A model of the store, as it is on disk now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
    /// As the file says: `llama`, `qwen2`, ...
    pub(crate) architecture: String,
    /// Tokens it was made for.
    pub(crate) context: Option<u64>,
    pub(crate) origin: Origin,
    pub(crate) added_at: Timestamp,
    /// Why it cannot be used, when it cannot.
    pub(crate) broken: Option<String>,
}

/// What a fetch is doing, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Tries this source; a size is known only for some.
    From(String),
    /// So much of the file is here.
    Bytes { done: u64, total: u64 },
    /// A source did not work; the next one is tried.
    Failed { source: String, reason: String },
    /// Compares the checksum.
    Checking,
    /// Another rigs changes the store; waits for it.
    Waiting,
}

/// Gets every step of a fetch.
pub(crate) type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("no model `{name}` here{}", listed(.known))]
    NotFound { name: String, known: Vec<String> },
    #[error("a different model named `{0}` is here already")]
    NameTaken(String),
    #[error("`{}` is not a usable GGUF model: {reason}", path.display())]
    NotAModel { path: PathBuf, reason: String },
    #[error("model `{name}` is damaged: {reason}")]
    Damaged { name: String, reason: String },
    #[error("no room{} in `{}`", how_much(*needed), dir.display())]
    DiskFull { dir: PathBuf, needed: u64 },
    #[error("cannot fetch `{name}`: {}", reasons.join("; "))]
    Unavailable { name: String, reasons: Vec<String> },
    #[error("cannot read `{}`: {reason}", path.display())]
    Manifest { path: PathBuf, reason: String },
    #[error("cannot use the folder `{}`", dir.display())]
    Io { dir: PathBuf, source: io::Error },
    #[error("a background task of the model store ended badly")]
    Task(#[from] JoinError),
    #[error("stopped")]
    Stopped,
}

/// Where it is not known how much is missing, nothing is said about it.
fn how_much(needed: u64) -> String {
    if needed == 0 {
        return String::new();
    }
    format!(" for {} bytes", thousands(needed))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(" (there are: {})", names.join(", "))
}

/// The folder of models.
#[derive(Debug, Clone)]
pub(crate) struct ModelStore {
    dir: PathBuf,
}

impl ModelStore {
    /// The folder need not exist yet.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Every model, in order of name, broken ones included.
    pub(crate) fn list(&self) -> Result<Vec<Model>, StoreError> {
        let manifest = Manifest::read(&self.dir)?;
        Ok(manifest.models.into_iter().map(|e| self.model(e)).collect())
    }

    /// The model of that name, broken or not.
    pub(crate) fn find(&self, name: &str) -> Result<Model, StoreError> {
        let models = self.list()?;
        match models.iter().find(|m| m.name == name) {
            Some(model) => Ok(model.clone()),
            None => Err(StoreError::NotFound {
                name: one_line(name, 60),
                known: models.into_iter().map(|m| m.name).collect(),
            }),
        }
    }

    /// The model to use: the one that is asked for, else the largest that the user brought, else
    /// the small default if it was fetched. `Ok(None)`: nothing usable is here yet.
    pub(crate) fn choose(&self, wanted: Option<&str>) -> Result<Option<Model>, StoreError> {
        if let Some(name) = wanted {
            let model = self.find(name)?;
            return match model.broken {
                Some(reason) => Err(StoreError::Damaged {
                    name: model.name,
                    reason,
                }),
                None => Ok(Some(model)),
            };
        }
        let usable = self.list()?.into_iter().filter(|m| m.broken.is_none());
        Ok(usable.max_by_key(|m| (m.origin == Origin::Added, m.size_bytes)))
    }

    /// Fetches a published model, unless it is here and whole. What an interrupted fetch left is
    /// used; nothing is believed before its checksum is right.
    pub(crate) async fn pull(
        &self,
        published: &Published,
        tools: &Tools,
        on: OnProgress<'_>,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<Model, StoreError> {
        let _lock = self.lock(on, clock, stop).await?;
        let path = self.path(published.name);
        if !self.is_whole(&path, published).await? {
            let part = fetch::fetch(&self.dir, published, tools, on, clock, stop).await?;
            disk::into_place(&part, &path).map_err(|e| self.io(e))?;
        }
        self.record(
            published.name,
            Origin::Pulled,
            published.sha256.into(),
            clock,
        )
    }

    /// Takes in the user's own file: linked where that is possible, else copied. The original
    /// stays where it is. Adding the same file again changes nothing.
    pub(crate) async fn add(
        &self,
        file: &Path,
        on: OnProgress<'_>,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<Model, StoreError> {
        let not_a_model = |reason: String| StoreError::NotAModel {
            path: file.to_owned(),
            reason,
        };
        let original = fs_err::canonicalize(file).map_err(|e| not_a_model(disk::cause(&e)))?;
        gguf::Header::of(&original).map_err(not_a_model)?;
        let name = name_of(&original);
        let _lock = self.lock(on, clock, stop).await?;

        on(Progress::Checking);
        let sha256 = disk::sha256(&original, stop)
            .await
            .map_err(|e| self.io(e))?;
        match self.find(&name) {
            Ok(here) if here.broken.is_some() => {}
            Ok(here) if here.sha256 == sha256 => return Ok(here),
            Ok(_) => return Err(StoreError::NameTaken(name)),
            Err(StoreError::NotFound { .. }) => {}
            Err(e) => return Err(e),
        }
        let path = self.path(&name);
        disk::bring(&original, &path, stop)
            .await
            .map_err(|e| self.io(e))?;
        self.record(&name, Origin::Added, sha256, clock)
    }

    /// Removes a model and what an unfinished fetch of it left; returns what it was.
    pub(crate) async fn remove(
        &self,
        name: &str,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<Model, StoreError> {
        let _lock = self.lock(&|_| {}, clock, stop).await?;
        let model = self.find(name)?;
        for path in [model.path.clone(), disk::part(&model.path)] {
            disk::remove(&path).map_err(|e| self.io(e))?;
        }
        let mut manifest = Manifest::read(&self.dir)?;
        manifest.models.retain(|e| e.name != name);
        manifest.write(&self.dir)?;
        Ok(model)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.gguf"))
    }

    fn io(&self, source: io::Error) -> StoreError {
        match source.kind() {
            io::ErrorKind::Interrupted => StoreError::Stopped,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull {
                dir: self.dir.clone(),
                needed: 0,
            },
            _ => StoreError::Io {
                dir: self.dir.clone(),
                source,
            },
        }
    }

    async fn lock(
        &self,
        on: OnProgress<'_>,
        clock: &Clock,
        stop: &CancellationToken,
    ) -> Result<crate::config::held::Held, StoreError> {
        disk::lock(&self.dir, on, clock, stop)
            .await
            .map_err(|e| self.io(e))
    }

    /// The file is here, of the right size and with the right checksum.
    async fn is_whole(&self, path: &Path, published: &Published) -> Result<bool, StoreError> {
        if disk::size(path) != Some(published.size_bytes) {
            return Ok(false);
        }
        let sum = disk::sha256(path, &CancellationToken::new()).await;
        Ok(sum.map_err(|e| self.io(e))? == published.sha256)
    }

    /// Writes a file that is in place and whole into the manifest.
    fn record(
        &self,
        name: &str,
        origin: Origin,
        sha256: String,
        clock: &Clock,
    ) -> Result<Model, StoreError> {
        let path = self.path(name);
        let header = gguf::Header::of(&path).map_err(|reason| StoreError::NotAModel {
            path: path.clone(),
            reason,
        })?;
        let state = disk::state(&path).map_err(|e| self.io(e))?;
        let entry = Entry {
            name: name.to_owned(),
            sha256,
            size_bytes: state.size_bytes,
            modified_at: state.modified_at,
            architecture: header.architecture,
            context: header.context,
            origin,
            added_at: clock.now(),
        };
        let mut manifest = Manifest::read(&self.dir)?;
        manifest.models.retain(|e| e.name != name);
        manifest.models.push(entry.clone());
        manifest.models.sort_by(|a, b| a.name.cmp(&b.name));
        manifest.write(&self.dir)?;
        Ok(self.model(entry))
    }

    /// What the manifest says, compared with the file. A checksum of gigabytes is not made for
    /// every look: a file of unchanged size and time is taken for unchanged.
    fn model(&self, entry: Entry) -> Model {
        let path = self.path(&entry.name);
        let broken = match disk::state(&path) {
            Err(e) => Some(format!("its file cannot be read ({})", disk::cause(&e))),
            Ok(now) if now.size_bytes != entry.size_bytes => Some(format!(
                "its file has {} bytes instead of {}",
                thousands(now.size_bytes),
                thousands(entry.size_bytes)
            )),
            Ok(now) if now.modified_at != entry.modified_at => {
                Some("its file was changed after it was checked".into())
            }
            Ok(_) => None,
        };
        Model {
            name: entry.name,
            path,
            size_bytes: entry.size_bytes,
            sha256: entry.sha256,
            architecture: entry.architecture,
            context: entry.context,
            origin: entry.origin,
            added_at: entry.added_at,
            broken,
        }
    }
}

/// A name made of a file's: lower case, and nothing that could mean something to a path, a shell
/// or a terminal.
fn name_of(file: &Path) -> String {
    let stem = file.file_stem().map(|s| s.to_string_lossy().to_lowercase());
    let name: String = stem
        .unwrap_or_default()
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '.' | '_' | '-' => c,
            _ => '-',
        })
        .take(80)
        .collect();
    let name = name.trim_matches(['.', '-']);
    if name.is_empty() {
        "model".into()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests;
