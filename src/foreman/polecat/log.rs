//! What an attempt printed, kept for a person to read.

use std::io::Write;
use std::path::Path;

use super::super::worktree;
use crate::core::text::clean;
use crate::process::Stream;

/// Most bytes of one attempt's log; what comes after is counted, not kept.
const LOG_BYTES: u64 = 32 * 1024 * 1024;

/// The log of one attempt: what its program printed, cleaned, redacted and bounded. A log that
/// cannot be written never ends a run.
pub(crate) struct Log {
    file: Option<std::fs::File>,
    left: u64,
    redactor: crate::core::redact::Redactor,
}

impl Log {
    pub(crate) fn open(path: &Path, redactor: crate::core::redact::Redactor) -> Self {
        use std::os::unix::fs::OpenOptionsExt;
        let made = path.parent().map_or(Ok(()), |dir| {
            worktree::private_dir(dir).map_err(|e| e.to_string())
        });
        let file = made.and_then(|()| {
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)
                .map_err(|e| e.to_string())
        });
        if let Err(error) = &file {
            tracing::warn!("no log for this attempt at {}: {error}", path.display());
        }
        Self {
            file: file.ok(),
            left: LOG_BYTES,
            redactor,
        }
    }

    /// Lines of stderr are marked with `! `.
    pub(crate) fn write(&mut self, stream: Stream, text: &str) {
        let Some(file) = &mut self.file else { return };
        let mark = if stream == Stream::Err { "! " } else { "" };
        let line = format!("{mark}{}\n", self.redactor.apply(&clean(text)));
        let size = line.len() as u64;
        let text = if size <= self.left {
            line.as_str()
        } else {
            "… the log is full; the rest is left out\n"
        };
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::warn!("the attempt's log cannot be written: {error}");
            self.file = None;
        } else if size > self.left {
            self.file = None;
        } else {
            self.left -= size;
        }
    }
}
