//! The list of models, as a file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Origin, StoreError, disk};
use crate::core::Timestamp;

const FILE: &str = "manifest.json";
/// Raised when a reader of the version before would misunderstand the file.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    pub(super) models: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The file is `NAME.gguf`.
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) size_bytes: u64,
    /// Of the file when its checksum was made.
    pub(super) modified_at: Timestamp,
    pub(super) architecture: String,
    pub(super) context: Option<u64>,
    pub(super) origin: Origin,
    pub(super) added_at: Timestamp,
}

impl Manifest {
    /// A folder without a manifest holds no models.
    pub(super) fn read(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let bad = |reason: String| StoreError::Manifest {
            path: path.clone(),
            reason,
        };
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    version: VERSION,
                    models: Vec::new(),
                });
            }
            Err(e) => return Err(bad(disk::cause(&e))),
        };
        let manifest: Self = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        if manifest.version > VERSION {
            return Err(bad("a newer rigs wrote it".into()));
        }
        // A name becomes a path; one that this program would not give was not given by it.
        if let Some(odd) = manifest
            .models
            .iter()
            .find(|e| e.name != super::name_of(Path::new(&format!("{}.gguf", e.name))))
        {
            return Err(bad(format!(
                "`{}` is no name of a model",
                odd.name.escape_debug()
            )));
        }
        Ok(manifest)
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(self).map_err(|e| StoreError::Manifest {
            path: dir.join(FILE),
            reason: e.to_string(),
        })?;
        disk::write(&dir.join(FILE), text.as_bytes()).map_err(|source| StoreError::Io {
            dir: dir.to_owned(),
            source,
        })
    }
}
