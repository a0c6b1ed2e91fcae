//! What a run is given as files: a folder of its own for as long as it lasts, and the settings
//! that its program is to find.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::super::stage::Job;
use super::super::worktree::{NoPlace, private_dir};
use super::Context;
use crate::provider::{self, GivenFile, RunPlan};

/// The folder of one run, gone with this value: programs leave conversations in their temporary
/// files.
pub(super) struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// What a killed rigs left of an earlier run of the provider is not in the way: no two
    /// attempts have one name.
    pub(super) fn make(ctx: &Context, job: &Job) -> Result<Self, NoPlace> {
        let dir = ctx
            .paths
            .scratch()
            .join(job.provider.as_str())
            .join(job.attempt.to_string());
        private_dir(&dir)?;
        Ok(Self { dir })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::warn!("{} is left: {error}", self.dir.display());
        }
    }
}

/// Writes the files of the plan, each whole or not at all: runs of one provider may share them.
pub(super) fn hand_over(plan: &RunPlan<'_>, tag: &str) -> Result<(), String> {
    for file in provider::files(plan).map_err(|e| e.to_string())? {
        put(&file, tag).map_err(|e| format!("{} cannot be written: {e}", file.path.display()))?;
    }
    Ok(())
}

/// `tag` is unlike that of any other run.
fn put(file: &GivenFile, tag: &str) -> std::io::Result<()> {
    let dir = file.path.parent().unwrap_or(Path::new("/"));
    private_dir(dir).map_err(std::io::Error::other)?;
    if std::fs::read_to_string(&file.path).is_ok_and(|there| there == file.text) {
        return Ok(());
    }
    let new = dir.join(format!(".{tag}.new"));
    let written = std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut f| f.write_all(file.text.as_bytes()))
        .and_then(|()| std::fs::rename(&new, &file.path));
    if written.is_err() {
        // There may be nothing to take away; the first error is the one to tell.
        drop(std::fs::remove_file(&new));
    }
    written
}
